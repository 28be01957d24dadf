"""The enrolment page: one link, one person, once. GET shows and changes nothing."""

import base64
import json
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from crisis.domain.clock import utc_now
from crisis.domain.passkey import LINK_LASTS, Codes, Link
from crisis.domain.person import PEOPLE
from crisis.domain.protocol import Person, Proof
from crisis.engine.booth import Booth
from crisis.receiver.context import Context
from crisis.receiver.enrol import make_link
from crisis.settings import Settings
from tests.domain.story import INCIDENT
from tests.engine.authenticator import Authenticator
from tests.receiver.conftest import Browser, Room

ADDRESS = "https://receiver.test"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Say where ada's secret is kept."""
    return tmp_path / "secrets" / "ada"


@pytest.fixture
def browser(context: Context, file: Path) -> Browser:
    """Open a browser at a receiver whose ada keeps her secret in a file."""
    ada = context.protocol.people["ada"].model_copy(update={"proof": Proof(totp=f"file:{file}")})
    protocol = context.protocol.model_copy(update={"people": {**context.protocol.people, "ada": ada}})
    settings = Settings(home=context.settings.home, public_url=ADDRESS)
    return Browser(replace(context, settings=settings, protocol=protocol))


def booth_of(browser: Browser) -> Booth:
    """Return the booth of a receiver."""
    return Booth.of(browser.context.journal, browser.context.protocol, browser.context.settings)


def link_of(browser: Browser, who: str = "ada", codes: Codes = "new") -> str:
    """Make a link and return its path."""
    return make_link(booth_of(browser), browser.context.settings, who, codes, "test")[1].removeprefix(ADDRESS)


def post(
    browser: Browser, path: str, what: str, headers: dict[str, str] | None = None, **fields: str
) -> httpx.Response:
    """Open a page and send one of its forms."""
    html = browser.send("GET", path).text
    token = re.search(r'name="token" value="([^"]+)"', html)
    return browser.send("POST", f"{path}/{what}", data={"token": token[1] if token else "", **fields}, headers=headers)


@contextmanager
def killed_at(where: str) -> Iterator[None]:
    """Kill the receiver at the moment it calls this."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, killed)
        with pytest.raises(KeyboardInterrupt):
            yield


def secret_on(answer: httpx.Response) -> str:
    """Return the secret that a page shows beside its picture."""
    found = re.search(r'<p class="secret">([A-Z2-7 ]+)</p>', answer.text)
    assert found
    return found[1].replace(" ", "")


def options_on(browser: Browser, path: str) -> dict[str, Any]:
    """Return what the page tells the browser to make."""
    found = re.search(r'data-options="([^"]+)"', browser.send("GET", path).text)
    assert found
    told: dict[str, Any] = json.loads(unescape(found[1]))
    return told


def entries(browser: Browser, *kinds: str) -> list[tuple[str, str]]:
    """Return who did what in the chain of people."""
    found = browser.context.journal.entries(PEOPLE)
    return [(entry.kind, entry.actor) for entry in found if not kinds or entry.kind in kinds]


def test_a_passkey_is_enrolled(browser: Browser) -> None:
    """The device's key is registered for the link's person, with label, link and where from; and the page shows it."""
    path, device = link_of(browser), Authenticator(ADDRESS, "receiver.test")
    answer = post(browser, path, "passkey", made=device.make(options_on(browser, path)), label="my <phone>")
    (row,) = [entry for entry in browser.context.journal.entries(PEOPLE) if entry.kind == "passkey enrolled"]

    assert answer.status_code == 200
    assert "Your passkey is enrolled" in answer.text
    assert "my &lt;phone&gt;" in answer.text
    assert (row.actor, row.body["credential"], row.body["from"]) == ("ada", device.id, "page, 127.0.0.1")
    assert "This link has made its passkey" in browser.send("GET", path).text


def test_codes_count_once_one_is_typed_back(browser: Browser, file: Path) -> None:
    """The picture alone changes nothing; a wrong code neither; the right one puts the secret into its file, 0600."""
    path = link_of(browser)
    shown = post(browser, path, "codes")
    secret = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', shown.text)[0].replace(" ", "")
    wrong = post(browser, path, "codes", code="000000")
    waiting = list((browser.context.settings.home / "enrolment").iterdir())
    assert (file.exists(), len(waiting), stat.S_IMODE(waiting[0].stat().st_mode)) == (False, 1, 0o600)
    right = post(browser, path, "codes", code=f" {pyotp.TOTP(secret).now()} ")

    assert '<svg class="qr"' in shown.text
    assert (wrong.status_code, "wrong code" in wrong.text, secret[:4] in wrong.text) == (403, True, True)
    assert "Your one-time codes are set up" in right.text
    assert (file.read_text().strip(), stat.S_IMODE(file.stat().st_mode)) == (secret, 0o600)
    assert list((browser.context.settings.home / "enrolment").iterdir()) == []
    assert list(file.parent.iterdir()) == [file]
    assert entries(browser, "codes enrolled") == [("codes enrolled", "ada")]


def test_a_phone_whose_clock_is_wrong_is_told(browser: Browser) -> None:
    """A code of some minutes ago is refused with the likely cause."""
    path = link_of(browser)
    secret = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', post(browser, path, "codes").text)[0].replace(" ", "")
    early = pyotp.TOTP(secret).at(utc_now() - timedelta(minutes=5))

    assert "the clock of your phone is minutes off" in post(browser, path, "codes", code=early).text


def test_the_code_that_enrolled_decides_nothing(browser: Browser, room: Room) -> None:
    """Who looked over the shoulder cannot use it; the next one counts."""
    path = link_of(browser)
    secret = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', post(browser, path, "codes").text)[0].replace(" ", "")
    now = utc_now()
    code = pyotp.TOTP(secret).at(now)
    post(browser, path, "codes", code=code)
    page = room.ask()

    assert "used already" in browser.answer(page, person="ada", answer="revert", code=code).text
    after = pyotp.TOTP(secret).at(now + timedelta(seconds=30))
    assert browser.answer(page, person="ada", answer="revert", code=after).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(browser: Browser, file: Path, method: str) -> None:
    """A mail scanner may open the link as often as it likes: nothing is made, and no secret is on the page."""
    path = link_of(browser)
    before = entries(browser)
    answers = [browser.send(method, path, headers={"Purpose": "prefetch"}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert entries(browser) == before
    assert not file.exists()
    assert not (browser.context.settings.home / "enrolment").exists()
    assert "<svg" not in answers[0].text
    assert "otpauth" not in answers[0].text
    device = Authenticator(ADDRESS, "receiver.test")
    assert post(browser, path, "passkey", made=device.make(options_on(browser, path))).status_code == 200


def test_a_link_is_good_once(browser: Browser, file: Path) -> None:
    """A second passkey and a second secret by the same link are refused, also when both were under way."""
    path = link_of(browser)
    first, second = (Authenticator(ADDRESS, "receiver.test") for _ in range(2))
    options = options_on(browser, path)
    token = {"token": re.findall(r'name="token" value="([^"]+)"', browser.send("GET", path).text)[0]}
    secret = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', post(browser, path, "codes").text)[0].replace(" ", "")
    post(browser, path, "passkey", made=first.make(options))
    post(browser, path, "codes", code=pyotp.TOTP(secret).now())
    again = browser.send("POST", f"{path}/passkey", data={**token, "made": second.make(options)})
    codes = browser.send("POST", f"{path}/codes", data={**token, "code": pyotp.TOTP(secret).now()})

    assert (again.status_code, "has been used for a passkey already" in again.text) == (403, True)
    assert (codes.status_code, "there are one-time codes already" in codes.text) == (403, True)
    assert file.read_text().strip() == secret
    assert len(entries(browser, "passkey enrolled")) == 1


def test_two_who_confirm_at_once_write_one_secret(browser: Browser, file: Path) -> None:
    """The link is spent by the first; the second, whose secret was waiting too, is told so."""
    path = link_of(browser, codes="replace")
    secret = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', post(browser, path, "codes").text)[0].replace(" ", "")
    (waiting,) = (browser.context.settings.home / "enrolment").iterdir()
    post(browser, path, "codes", code=pyotp.TOTP(secret).now())
    gone = browser.send("POST", f"{path}/codes", data={"token": browser.cookies["crisis_form"], "code": "123456"})
    waiting.write_text(other := pyotp.random_base32())
    code = pyotp.TOTP(other).now()
    second = browser.send("POST", f"{path}/codes", data={"token": browser.cookies["crisis_form"], "code": code})

    assert "scan the picture first" in gone.text
    assert "has been used for one-time codes already" in second.text
    assert file.read_text().strip() == secret


@pytest.mark.parametrize("codes", ["new", "replace"])
def test_an_enrolment_that_was_cut_off_is_finished(browser: Browser, file: Path, codes: Codes) -> None:
    """Killed after the record and before the file: the same link shows the same secret, and writes it once."""
    if codes == "replace":
        file.parent.mkdir()
        file.write_text("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n")
    path = link_of(browser, codes=codes)
    secret = secret_on(post(browser, path, "codes"))

    with killed_at("os.link" if codes == "new" else "os.replace"):
        post(browser, path, "codes", code=pyotp.TOTP(secret).now())
    assert not file.exists() or file.read_text().strip() != secret
    again = secret_on(post(browser, path, "codes"))
    done = post(browser, path, "codes", code=pyotp.TOTP(secret).now())

    assert again == secret
    assert "Your one-time codes are set up" in done.text
    assert file.read_text().strip() == secret
    assert entries(browser, "codes enrolled") == [("codes enrolled", "ada")]
    assert "<svg" not in post(browser, path, "codes").text


def test_a_full_disk_costs_no_link(browser: Browser, file: Path) -> None:
    """What could not be written is written once it can be."""
    file.parent.write_text("a file where a folder should be")
    path = link_of(browser)
    secret = secret_on(post(browser, path, "codes"))
    failed = post(browser, path, "codes", code=pyotp.TOTP(secret).now())
    file.parent.unlink()
    done = post(browser, path, "codes", code=pyotp.TOTP(secret).now())

    assert (failed.status_code, done.status_code) == (503, 200)
    assert file.read_text().strip() == secret


def test_a_link_that_was_cut_off_does_not_bring_an_old_secret_back(browser: Browser, file: Path) -> None:
    """Where another link has set up codes since, the one that was cut off is spent."""
    old, new = link_of(browser, codes="replace"), link_of(browser, codes="replace")
    first = secret_on(post(browser, old, "codes"))

    with killed_at("os.replace"):
        post(browser, old, "codes", code=pyotp.TOTP(first).now())
    second = secret_on(post(browser, new, "codes"))
    post(browser, new, "codes", code=pyotp.TOTP(second).now())
    late = post(browser, old, "codes", code=pyotp.TOTP(first).now())

    assert "has been used for one-time codes already" in late.text
    assert file.read_text().strip() == second


def test_a_secret_waits_whole_or_not_at_all(browser: Browser) -> None:
    """Killed while it is written, nobody is ever shown half of a secret, or none."""
    path = link_of(browser)

    with killed_at("os.fsync"):
        post(browser, path, "codes")
    folder = browser.context.settings.home / "enrolment"
    assert list(folder.iterdir()) == []

    assert len(secret_on(post(browser, path, "codes"))) == 32
    assert len(list(folder.iterdir())) == 1


def test_two_who_ask_at_once_see_one_secret(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is second by a hair is shown what the first one made."""
    path, link = link_of(browser), os.link

    def overtaken(draft: Path, file: Path) -> None:
        file.write_text("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n")
        link(draft, file)

    monkeypatch.setattr("os.link", overtaken)

    assert secret_on(post(browser, path, "codes")) == "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_secrets_that_nobody_confirmed_go(browser: Browser) -> None:
    """What waits for its first code is gone when its link has run out and somebody else enrols."""
    post(browser, link_of(browser), "codes")
    folder = browser.context.settings.home / "enrolment"
    (old,) = folder.iterdir()
    long_ago = utc_now().timestamp() - LINK_LASTS.total_seconds() - 1
    os.utime(old, (long_ago, long_ago))
    post(browser, link_of(browser), "codes")

    assert not old.exists()
    assert len(list(folder.iterdir())) == 1


def _changed(token: str, **update: Any) -> str:
    number, raw, mark = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    new = base64.urlsafe_b64encode(json.dumps(said | update, sort_keys=True, separators=(",", ":")).encode())
    return f"{number}.{new.rstrip(b'=').decode()}.{mark}"


FORGERIES: dict[str, Callable[[str], str]] = {
    "another person": lambda token: _changed(token, who="ben"),
    "longer": lambda token: _changed(token, ends=4_000_000_000),
    "replacing": lambda token: _changed(token, codes="replace"),
    "another mark": lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
    "no mark": lambda token: token.rpartition(".")[0] + ".",
    "nonsense": lambda _token: "1.%2e%2e.x",
    "another key": lambda _token: Link("ada", "n", utc_now() + LINK_LASTS, "replace").write(b"x" * 64),
}


@pytest.mark.parametrize("how", FORGERIES)
@pytest.mark.parametrize(("method", "what"), [("GET", ""), ("POST", "/passkey"), ("POST", "/codes")])
def test_a_forged_link_is_refused(browser: Browser, how: str, method: str, what: str) -> None:
    """A link that we did not make, or that says more than when we made it, opens nothing."""
    path = link_of(browser)
    forged = f"/enrol/{FORGERIES[how](path.removeprefix('/enrol/'))}"
    answer = browser.send(method, forged + what, data={"token": "x"} if method == "POST" else None)

    assert answer.status_code == 403
    assert "This link is not good" in answer.text
    assert browser.send("GET", path).status_code == 200
    assert entries(browser, "passkey enrolled", "codes enrolled") == []


def test_an_old_link_is_refused(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """After fifteen minutes it opens nothing; a minute before it does."""
    path, now = link_of(browser), utc_now()
    monkeypatch.setattr("crisis.receiver.enrol.utc_now", lambda: now + LINK_LASTS - timedelta(minutes=1))
    assert browser.send("GET", path).status_code == 200

    monkeypatch.setattr("crisis.receiver.enrol.utc_now", lambda: now + LINK_LASTS + timedelta(seconds=1))
    for method, what in (("GET", ""), ("POST", "/passkey"), ("POST", "/codes")):
        answer = browser.send(method, path + what)
        assert (answer.status_code, "This link has run out" in answer.text) == (410, True)


def test_a_link_is_good_for_its_person_alone(browser: Browser) -> None:
    """A passkey that was made for ada's link cannot be registered by ben's, nor does ben's link write ada's secret."""
    ada, ben = link_of(browser), link_of(browser, "ben", "replace")
    made = Authenticator(ADDRESS, "receiver.test").make(options_on(browser, ada))

    assert "no passkey made for this link" in post(browser, ben, "passkey", made=made).text
    assert "<svg" not in post(browser, ben, "codes").text
    assert "sets up no one-time codes" in post(browser, ben, "codes", code="123456").text
    assert entries(browser, "passkey enrolled", "codes enrolled") == []
    assert post(browser, ada, "passkey", made=made).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
@pytest.mark.parametrize("what", ["passkey", "codes"])
def test_a_form_of_another_site_enrols_nothing(browser: Browser, what: str, headers: dict[str, str]) -> None:
    """Sent from elsewhere, or without our cookie, it is refused, and shows no secret."""
    path = link_of(browser)
    made = Authenticator(ADDRESS, "receiver.test").make(options_on(browser, path))
    for answer in (
        post(browser, path, what, headers, made=made),
        Browser(browser.context).send("POST", f"{path}/{what}", data={"token": "x" * 43, "made": made}),
    ):
        assert (answer.status_code, "was not sent from this page" in answer.text) == (403, True)
        assert "<svg" not in answer.text
    assert post(browser, path, what, made=made).status_code == 200


def test_codes_in_force_are_replaced_only_by_a_link_that_says_so(browser: Browser, file: Path) -> None:
    """Secrets are never overwritten by the way."""
    file.parent.mkdir()
    file.write_text("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n")
    new, replacing, none = link_of(browser), link_of(browser, codes="replace"), link_of(browser, codes="")
    results = []
    for path in (new, none, replacing):
        found = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', post(browser, path, "codes").text)
        code = pyotp.TOTP(found[0].replace(" ", "")).now() if found else "123456"
        results.append((post(browser, path, "codes", code=code).status_code, file.read_text()[:4] == "JBSW"))

    assert results == [(403, True), (403, True), (200, False)]


@pytest.mark.parametrize(
    ("update", "address", "says"),
    [
        ({"proof": Proof(totp="env:X", passkeys=False)}, ADDRESS, "admits no passkey for you"),
        ({}, "http://127.0.0.1:4280", "CRISIS_PUBLIC_URL"),
    ],
)
def test_where_no_passkey_can_be_made_the_page_says_why(
    browser: Browser, update: dict[str, Any], address: str, says: str
) -> None:
    """Nothing is offered that would not work, and a made-up one is refused."""
    context = browser.context
    ada: Person = context.protocol.people["ada"].model_copy(update=update)
    protocol = context.protocol.model_copy(update={"people": {**context.protocol.people, "ada": ada}})
    settings = Settings(home=context.settings.home, public_url=address)
    other = Browser(replace(context, protocol=protocol, settings=settings))
    path = make_link(booth_of(other), settings, "ada", "", "test")[1].removeprefix(address)
    html = other.send("GET", path).text

    assert says in html
    assert "data-options" not in html
    made = other.send("POST", f"{path}/passkey", data={"token": other.cookies["crisis_form"], "made": "{}"})
    assert made.status_code == 403
    assert "was not sent from this page" not in made.text


def test_a_file_that_cannot_be_written_is_said_without_the_secret(
    browser: Browser, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret that cannot be kept is no secret in force; neither page nor log shows it."""
    file.parent.write_text("a file where a folder should be")
    path = link_of(browser)
    secret = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', post(browser, path, "codes").text)[0].replace(" ", "")
    with caplog.at_level(logging.DEBUG):
        answer = post(browser, path, "codes", code=pyotp.TOTP(secret).now())

    assert answer.status_code == 503
    assert secret not in answer.text + caplog.text


def test_secrets_stand_nowhere_else(
    browser: Browser, room: Room, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a whole enrolment the secret is in its file alone: not in the journal, the logs or any other page."""
    with caplog.at_level(logging.DEBUG):
        path = link_of(browser)
        found = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', post(browser, path, "codes").text)
        secret = found[0].replace(" ", "")
        post(browser, path, "codes", code="000000")
        done = post(browser, path, "codes", code=pyotp.TOTP(secret).now())
        pages = [done.text, browser.send("GET", path).text, browser.send("GET", room.ask()).text]
    kept = [at for at in tmp_path.rglob("*") if at.is_file() and secret.encode() in at.read_bytes()]
    token = path.removeprefix("/enrol/")

    assert kept == [file]
    assert secret not in caplog.text + "".join(pages)
    assert token.encode() not in b"".join(at.read_bytes() for at in tmp_path.glob("journal.db*"))
    assert browser.context.journal.entries(INCIDENT)


def test_a_body_without_end_is_cut_off(browser: Browser) -> None:
    """What is far too long is answered 413; what is no form changes nothing."""
    path = link_of(browser)

    assert browser.send("POST", f"{path}/passkey", content=b"a=" + b"b" * 100_000).status_code == 413
    assert browser.send("POST", f"{path}/passkey", content=b"\xff").status_code == 403
    assert browser.send("POST", f"{path}/codes", content=b"&".join(b"a=1" for _ in range(99))).status_code == 403
