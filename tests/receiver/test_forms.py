"""The form of the decision page: parts and passkeys, what is malformed, and what another site made."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from crisis.domain.clock import utc_now
from crisis.domain.passkey import LINK_LASTS, Link
from crisis.domain.plan import Plan
from crisis.engine.booth import Booth
from crisis.engine.passkeys import creation_options, register
from crisis.receiver.context import Context
from crisis.settings import Settings
from tests.domain.story import a_plan
from tests.engine.authenticator import Authenticator
from tests.receiver.conftest import Browser, Room, code_of, yes


@pytest.mark.parametrize(
    "fields",
    [
        {"person": ""},
        {"answer": "maybe"},
        {"answer": ""},
        {"code": ""},
        {"code": "12345"},
        {"code": "abcdef"},
        {"code": "٣٣٣٣٣٣"},
        {"code": "1" * 200},
        {"reason": "x" * 2001},
    ],
)
def test_malformed_answer_costs_no_try(browser: Browser, room: Room, fields: dict[str, str]) -> None:
    """An answer that cannot count is answered 422 with what is missing, and is no wrong code."""
    path = room.ask()
    answer = browser.answer(path, **yes(**fields))

    assert answer.status_code == 422
    assert "Your answer was not accepted" in answer.text
    assert room.entries("vote refused") == []
    assert browser.answer(path, **yes()).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"person=ada&person=ben&plan=x&token=y", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(50)), "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x; charset=utf-7"),
    ],
)
def test_no_form_is_no_answer(browser: Browser, room: Room, content: bytes, kind: str) -> None:
    """What is not the page's form is answered 422 and changes nothing."""
    answer = browser.send("POST", room.ask(), content=content, headers={"Content-Type": kind})

    assert answer.status_code == 422
    assert room.entries("voted") == []


def test_endless_form_is_cut_off(browser: Browser, room: Room) -> None:
    """A form that is far too long is answered 413."""
    assert browser.send("POST", room.ask(), content=b"a=" + b"b" * 100_000).status_code == 413


def test_reason_of_full_length_counts(browser: Browser, room: Room) -> None:
    """Two thousand characters, signs of any script and line breaks are kept as they were typed."""
    reason = "ü🙂\n" * 666 + "ok"
    browser.answer(room.ask(), **yes(reason=reason.replace("\n", "\r\n")))

    assert reason == room.entries("decided")[0].body["reason"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none", "Origin": "null"},
        {"Origin": "http://receiver.test.evil.example"},
    ],
)
def test_form_of_another_site_is_refused(browser: Browser, room: Room, headers: dict[str, str]) -> None:
    """A form sent from elsewhere is refused before its code is looked at."""
    path, fields = room.ask(), yes()

    assert browser.answer(path, headers, **fields).status_code == 403
    assert room.entries("voted") == []
    assert browser.answer(path, **fields).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://receiver.test", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://receiver.test"},
    ],
)
def test_form_of_our_page_counts(browser: Browser, room: Room, headers: dict[str, str]) -> None:
    """What browsers send with our own form is accepted, also "null", which our Referrer-Policy causes."""
    assert browser.answer(room.ask(), headers, **yes()).status_code == 200


def test_form_without_our_cookie_is_refused(browser: Browser, room: Room) -> None:
    """A hidden token without its cookie, or a cookie with another token, proves nothing."""
    path, fields = room.ask(), {**yes(), "plan": a_plan().hash}
    stranger = Browser(browser.context)

    assert stranger.send("POST", path, data={**fields, "token": "x" * 43}).status_code == 403
    assert browser.answer(path, token="y" * 43, **yes()).status_code == 403
    assert browser.answer(path, token="ü", **yes()).status_code == 403
    assert room.entries("voted") == []


def test_cookie_is_secure_behind_https(browser: Browser, room: Room) -> None:
    """Where people open the page by https, its cookie never travels without."""
    settings = Settings(public_url="https://receiver.test")
    answer = Browser(replace(browser.context, settings=settings)).send("GET", room.ask())

    assert "; secure" in answer.headers["Set-Cookie"].lower()


def in_parts() -> Plan:
    """Return a plan whose recommended way has two steps that make sense alone."""
    plan = a_plan()
    steps = tuple(choice.steps[0] for choice in plan.choices)
    first = plan.choices[0].model_copy(update={"steps": steps, "severable": True})
    return plan.model_copy(update={"choices": (first, plan.choices[1])})


@pytest.mark.parametrize(
    ("ticked", "button", "steps"),
    [
        ({"step-0-0": "on", "step-0-1": "on"}, {"parts": "shown"}, None),
        ({"step-0-1": "on"}, {"parts": "shown"}, [1]),
        ({}, {}, None),
    ],
    ids=["all", "a part", "a form without boxes"],
)
def test_a_part_can_be_approved(
    browser: Browser, room: Room, ticked: dict[str, str], button: dict[str, str], steps: list[int] | None
) -> None:
    """Boxes stand beside the steps, all ticked; what is unticked is not approved."""
    path = room.ask(in_parts())
    html = browser.send("GET", path).text
    answer = browser.answer(path, **yes(**ticked, **button))

    assert len(re.findall(r'name="step-0-[01]" value="on" checked', html)) == 2
    assert answer.status_code == 200
    assert room.entries("decided")[0].body.get("steps") == steps
    assert ("Only this part will be carried out" in answer.text) is (steps is not None)


def test_parts_that_have_no_step_in_common_disagree(browser: Browser, room: Room) -> None:
    """Two who approved different steps of one way are one short in each; a step that both want goes ahead."""
    path = room.ask(in_parts(), needed=2)
    first = browser.answer(path, **yes(parts="shown", **{"step-0-0": "on"}))
    second = browser.answer(path, **yes("ben", parts="shown", **{"step-0-1": "on"}))
    html = browser.send("GET", path).text
    ticked = {"step-0-0": "on", "step-0-1": "on"}
    both = browser.answer(path, **yes("ben", code=code_of("ben", ago=-30), parts="shown", **ticked))

    assert "1 more person must agree" in first.text
    assert "Those who answered disagree" in second.text
    assert "Ada Okafor (CTO): <code>revert</code>, only step 1</li>" in html
    assert "Ben Lindqvist (lead developer): <code>revert</code>, only step 2</li>" in html
    assert "Only this part will be carried out" in both.text
    assert room.entries("decided")[0].body["steps"] == [0]


def test_a_part_pressed_twice_is_a_repeat(browser: Browser, room: Room) -> None:
    """The same boxes are the same answer, and others are another."""
    path = room.ask(in_parts(), needed=2)
    fields = yes(parts="shown", **{"step-0-1": "on"})
    first, again = (browser.answer(path, **fields) for _ in range(2))
    other = browser.answer(path, **fields, **{"step-0-0": "on"})

    assert [first.status_code, again.status_code, other.status_code] == [200, 200, 403]
    assert len(room.entries("voted")) == 1


def test_no_step_at_all_is_no_answer(browser: Browser, room: Room) -> None:
    """Whoever unticks everything is told what to do, and finds the boxes as they left them."""
    answer = browser.answer(room.ask(in_parts()), **yes(parts="shown"))

    assert answer.status_code == 403
    assert "choose at least one step" in answer.text
    assert not re.search(r'name="step-0-[01]" value="on" checked', answer.text)


@pytest.fixture
def phone(context: Context) -> Browser:
    """Open a browser at an address where passkeys work."""
    settings = Settings(home=context.settings.home, public_url="https://receiver.test")
    return Browser(replace(context, settings=settings))


@pytest.fixture
def device(phone: Browser) -> Authenticator:
    """Let ada enrol a passkey."""
    context = phone.context
    booth = Booth.of(context.journal, context.protocol, context.settings)
    address, link = context.settings.address, Link("ada", "a-link", utc_now() + LINK_LASTS, "")
    device = Authenticator(address, "receiver.test")
    assert register(booth, link, device.make(creation_options(booth, link, address)), "", address, "test") is None
    return device


def challenge(browser: Browser, path: str, *, as_json: bool = False, **fields: Any) -> Any:
    """Ask for the challenge of an answer, as the page's script does; return what came."""
    html = browser.send("GET", path).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
    body = {**hidden, "person": "ada", "answer": "revert", "reason": "", **fields}
    kind = {"Content-Type": "application/json"}
    sent: dict[str, Any] = {"content": json.dumps(body), "headers": kind} if as_json else {"data": body}
    answer = browser.send("POST", f"{path}/challenge", **sent)
    return answer.json() | {"status": answer.status_code}


@pytest.mark.parametrize("as_json", [False, True], ids=["form", "JSON"])
def test_a_passkey_decides(phone: Browser, room: Room, device: Authenticator, *, as_json: bool) -> None:
    """The page offers it to whom it belongs; what it signed is taken in place of a code."""
    path = room.ask()
    html = phone.send("GET", path).text
    told = challenge(phone, path, as_json=as_json)
    answer = phone.answer(path, person="ada", answer="revert", passkey=device.sign(told))

    assert '<option value="ada" data-passkeys="yes">' in html
    assert '<option value="ben">' in html
    assert "proved by your passkey" in answer.text
    assert room.entries("voted")[0].body["passkey"]["credential"] == device.id


def test_a_part_is_signed_as_it_is_ticked(phone: Browser, room: Room, device: Authenticator) -> None:
    """Both ways of asking mean the same part; another part in the form is refused."""
    path = room.ask(in_parts())
    ticks: dict[str, Any] = {"parts": "shown", "step-0-1": "on"}
    wrong = phone.answer(path, **yes(code="", passkey=device.sign(challenge(phone, path, **ticks))))
    right = challenge(phone, path, as_json=True, steps=[1])
    answer = phone.answer(path, **yes(code="", passkey=device.sign(right), **ticks))

    assert "for another answer" in wrong.text
    assert "Only this part will be carried out" in answer.text


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"token": "x" * 43}, 403, "was not sent from this page"),
        ({"plan": "0" * 64}, 409, "the plan has changed"),
        ({"answer": "maybe"}, 422, "choose one of the answers"),
        ({"answer": "change"}, 422, "what should be different"),
        ({"person": ""}, 422, "say who you are"),
        ({"steps": "all"}, 422, "not complete"),
        ({"steps": [7, -1]}, 422, "not complete"),
        ({"person": 7}, 422, "not complete"),
    ],
)
def test_no_challenge_for_what_is_no_answer(
    phone: Browser, room: Room, fields: dict[str, Any], status: int, says: str
) -> None:
    """What the form could not send gets no challenge, and nothing is recorded."""
    path = room.ask()
    before = room.entries()
    told = challenge(phone, path, as_json=True, **fields)

    assert told["status"] == status
    assert says in told["error"]
    assert room.entries() == before
    assert challenge(phone, path, as_json=True, person="mallory\ud800")["publicKey"]["allowCredentials"] == []


def test_an_endless_challenge_is_cut_off(phone: Browser, room: Room) -> None:
    """A body that is far too long is answered 413; one that is no JSON, and one from another site, like a form."""
    where = f"{room.ask()}/challenge"
    kind = {"Content-Type": "application/json"}

    assert phone.send("POST", where, content=b"[" * 100_000, headers=kind).status_code == 413
    assert phone.send("POST", where, content=b"[" * 10_000, headers=kind).status_code == 422
    assert phone.send("POST", where, content=b"", headers=kind).status_code == 422
