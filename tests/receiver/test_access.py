"""Who sees incidents: a link of their own, a session, or a proxy that vouches; everybody else is told how to get in."""

import base64
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from crisis.domain.seal import seal
from crisis.errors import ProtocolError
from crisis.receiver import access
from crisis.receiver.access import COOKIE, link_for
from crisis.receiver.context import Context
from crisis.settings import Settings
from tests.domain.story import INCIDENT
from tests.receiver.conftest import Browser, Room, yes

ROOM = f"/incidents/{INCIDENT}"
LOCKED = ["/incidents", ROOM, f"{ROOM}/live", f"{ROOM}/timeline.svg", f"{ROOM}/report.md", "/incidents/INC-1"]
LOCKED += ["/inbox", "/inbox?state=new", "/inbox/3f9a2c"]


def path_of(context: Context, who: str = "ada", incident: str = INCIDENT, hours: float = 12) -> str:
    """Return the path of a link that lasts so many hours."""
    link = link_for(context.settings, who, incident, lasts=timedelta(hours=hours))
    return link.removeprefix(context.settings.address)


def behind(context: Context, peers: str, header: str | None = "X-Auth-Request-Email") -> Browser:
    """Return a browser at a receiver that believes a header from these peers; ours is 127.0.0.1."""
    settings = Settings(
        home=context.settings.home, public_url=context.settings.address, proxy_header=header, proxy_from=peers
    )
    return Browser(replace(context, settings=settings))


def without(context: Context, who: str) -> Context:
    """Return a receiver whose protocol has one person less."""
    people = {name: person for name, person in context.protocol.people.items() if name != who}
    return replace(context, protocol=context.protocol.model_copy(update={"people": people}))


@pytest.mark.parametrize("path", LOCKED)
def test_nobody_is_let_in_by_the_address_alone(browser: Browser, room: Room, path: str) -> None:
    """Without a session each page is answered 403 with what to do, and tells nothing of what is there."""
    room.ask()
    answer = browser.send("GET", path)

    assert answer.status_code == 403
    assert "<code>crisis link NAME</code>" in answer.text
    assert "checkout" not in answer.text


def test_what_must_stay_open_is_open(browser: Browser, room: Room) -> None:
    """A decision page, alerts and health ask for no session."""
    path = room.ask()

    assert browser.send("GET", path).status_code == 200
    assert browser.send("GET", "/healthz").status_code == 200
    assert browser.send("GET", "/readyz").status_code == 200
    assert browser.alert(b"{}").status_code == 400
    assert browser.send("GET", "/").headers["Location"] == "/incidents"


@pytest.mark.usefixtures("room")
def test_link_leads_to_its_room(browser: Browser) -> None:
    """A link sets a session that scripts cannot read, and leads to the room without telling anybody where from."""
    answer = browser.enter("ada", INCIDENT)
    cookie = answer.headers["Set-Cookie"]

    assert (answer.status_code, answer.headers["Location"]) == (303, ROOM)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Path=/incidents", "Max-Age=43200"))
    assert "Secure" not in cookie
    assert "you are in as Ada Okafor (CTO)" in browser.send("GET", ROOM).text


def test_session_is_for_incidents_and_inbox_alone(browser: Browser) -> None:
    """Other pages of this host, on whatever port, are sent no session: a cookie does not tell ports apart."""
    said = browser.enter().headers.get_list("Set-Cookie")
    paths = {part.strip() for cookie in said for part in cookie.split(";") if part.strip().startswith("Path=")}

    assert paths == {"Path=/incidents", "Path=/inbox"}
    assert all("HttpOnly" in cookie and "SameSite=lax" in cookie for cookie in said)
    assert browser.send("GET", "/inbox").status_code == 200
    assert browser.send("GET", "/incidents").status_code == 200


def test_session_on_https_is_for_https(context: Context) -> None:
    """Where people come by https the session is never sent without it."""
    settings = Settings(home=context.settings.home, public_url="https://receiver.test")

    assert "; Secure" in Browser(replace(context, settings=settings)).enter().headers["Set-Cookie"]


@pytest.mark.parametrize("incident", ["", "https://evil.test", "//evil.test", "INC-1/../../alerts"])
def test_link_leads_nowhere_else(browser: Browser, incident: str) -> None:
    """A link without a room, or with something that is none, leads to the list."""
    assert browser.enter("ada", incident).headers["Location"] == "/incidents"


def test_preview_of_a_link_spends_nothing(browser: Browser, room: Room, context: Context) -> None:
    """A messenger that looks at a link first, however often, leaves it as good as it was, and the record too."""
    path, before = path_of(context), len(room.entries())
    seen = [Browser(context).send(method, path).status_code for method in ("HEAD", "GET", "HEAD", "GET")]

    assert seen == [303] * 4
    assert len(room.entries()) == before
    assert browser.send("GET", path).status_code == 303
    assert browser.send("GET", ROOM).status_code == 200


def forged(path: str) -> list[str]:
    """Return what a stranger could make of a link."""
    version, said, mark = path.removeprefix("/in/").split(".")
    ben = base64.urlsafe_b64encode(base64.urlsafe_b64decode(said + "==").replace(b"ada", b"ben")).rstrip(b"=").decode()
    own = f"{version}.{said}.{seal(b'x' * 32, 'crisis.access/1/link', {'said': said})}"
    changed = [f"1.{ben}.{mark}", f"1.{said}.{'0' * 64}", f"1.{said}.{mark[:-1]}", f"2.{said}.{mark}", own]
    return [*changed, f"1..{mark}", "1.." + "0" * 64, "x", f"1.{said}.{mark}x", "1." + "a" * 9000 + ".0", "%00", "%ff"]


@pytest.mark.usefixtures("room")
def test_forged_link_is_refused(browser: Browser, context: Context) -> None:
    """Whatever is changed in a link, or signed by another key, it is no link any more, and sets no session."""
    answers = [browser.send("GET", f"/in/{token}") for token in forged(path_of(context))]

    assert {answer.status_code for answer in answers} == {403}
    assert all("crisis link NAME" in answer.text and "Set-Cookie" not in answer.headers for answer in answers)
    assert browser.send("GET", ROOM).status_code == 403


def test_expired_link_is_refused(browser: Browser, context: Context) -> None:
    """A link that is too old says how to get a new one."""
    answer = browser.send("GET", path_of(context, hours=-0.001))

    assert answer.status_code == 403
    assert "not good any more" in answer.text
    assert "crisis link NAME" in answer.text


@pytest.mark.usefixtures("room")
def test_new_key_ends_every_link_and_session(inside: Browser, context: Context) -> None:
    """Who changes the key locks everybody out, and lets in whoever gets a new link."""
    path = path_of(context)
    (context.settings.home / "signing.key").write_text("n" * 64)

    assert inside.send("GET", path).status_code == 403
    assert inside.send("GET", ROOM).status_code == 403
    assert inside.enter().status_code == 303
    assert inside.send("GET", ROOM).status_code == 200


@pytest.mark.usefixtures("room")
def test_session_that_is_too_old_is_refused(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    """A session does not outlast its time, whatever the browser keeps."""
    monkeypatch.setattr(access, "SESSION_LASTS", timedelta(seconds=-1))
    token = browser.enter().headers["Set-Cookie"].partition("=")[2].partition(";")[0]

    assert Browser(context, httpx.Cookies({COOKIE: token})).send("GET", ROOM).status_code == 403


@pytest.mark.usefixtures("room")
def test_link_is_no_session_and_session_is_no_link(inside: Browser, context: Context) -> None:
    """What is signed for one use is nothing in the other."""
    as_session = Browser(context, httpx.Cookies({COOKIE: path_of(context).removeprefix("/in/")}))

    assert as_session.send("GET", ROOM).status_code == 403
    assert inside.send("GET", f"/in/{inside.cookies.get(COOKIE, path='/incidents')}").status_code == 403
    assert inside.send("GET", ROOM).status_code == 200


@pytest.mark.usefixtures("room")
def test_who_leaves_the_protocol_is_out_at_once(browser: Browser, context: Context) -> None:
    """Neither link nor session of somebody who was taken out of protocol.yaml is good."""
    path = path_of(context, "dan")
    browser.enter("dan")
    later = Browser(without(context, "dan"), browser.cookies)

    assert browser.send("GET", ROOM).status_code == 200
    assert later.send("GET", ROOM).status_code == 403
    assert later.send("GET", path).status_code == 403


def test_token_stands_on_no_page_and_in_no_log(
    browser: Browser, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong with a link, neither the answer nor our log repeats it."""
    token = path_of(context).removeprefix("/in/")
    with caplog.at_level(logging.DEBUG, logger="crisis"):
        answers = [browser.send("POST", f"/in/{token}"), browser.send("GET", f"/in/{token}/more")]
        answers += [browser.send("GET", f"/in/{token}x"), browser.send("GET", f"/in/{token}")]

    assert [answer.status_code for answer in answers] == [405, 404, 403, 303]
    assert all(token[:40] not in answer.text for answer in answers)
    assert token[:40] not in caplog.text


def test_who_has_voted_may_watch(browser: Browser, room: Room) -> None:
    """An answer that counts lets its giver into the room; one that does not lets nobody in."""
    path = room.ask()
    browser.answer(path, **yes(code="000000"))

    assert browser.send("GET", ROOM).status_code == 403

    browser.answer(path, **yes())

    assert "you are in as Ada Okafor (CTO)" in browser.send("GET", ROOM).text


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("peers", ["127.0.0.1", "10.1.0.0/16, 127.0.0.0/8"])
@pytest.mark.parametrize("account", ["ada", "Ada@Shop.example", " ada-admin "])
def test_proxy_vouches_for_a_person(context: Context, peers: str, account: str) -> None:
    """A header from the proxy counts for the person who has that name or alias."""
    answer = behind(context, peers).send("GET", ROOM, headers={"X-Auth-Request-Email": account})

    assert "you are in as Ada Okafor (CTO)" in answer.text


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("peers", ["10.0.0.5", "::1"])
def test_header_from_elsewhere_counts_for_nothing(context: Context, peers: str) -> None:
    """A header that did not come from the proxy is as if it were not there, also for who has a session."""
    browser = behind(context, peers)
    headers = {"X-Auth-Request-Email": "ada"}

    assert browser.send("GET", ROOM, headers=headers).status_code == 403

    browser.enter("ben")

    assert "you are in as Ben" in browser.send("GET", ROOM, headers=headers).text


@pytest.mark.usefixtures("room")
def test_header_counts_for_nothing_unless_set_up(browser: Browser) -> None:
    """By default no header lets anybody in."""
    for header in ("X-Auth-Request-Email", "X-Forwarded-User", "Remote-User"):
        assert browser.send("GET", ROOM, headers={header: "ada"}).status_code == 403


@pytest.mark.usefixtures("room")
def test_header_that_stands_twice_is_refused(context: Context) -> None:
    """Two names, or one twice, are refused: one of them may be the visitor's own."""
    browser = behind(context, "127.0.0.1")
    answer = browser.send("GET", ROOM, headers=[("X-Auth-Request-Email", "ada"), ("x-auth-request-email", "ada")])

    assert answer.status_code == 403
    assert "The proxy says twice who you are" in answer.text


@pytest.mark.usefixtures("room")
def test_stranger_whom_the_proxy_knows_is_told_so(context: Context) -> None:
    """A login that no person of the protocol has is refused, and the page says what to add."""
    answer = behind(context, "127.0.0.1").send("GET", ROOM, headers={"X-Auth-Request-Email": "<b>mallory</b>"})

    assert answer.status_code == 403
    assert "added to your aliases" in answer.text
    assert "mallory" not in answer.text


@pytest.mark.usefixtures("room")
def test_session_does_where_the_proxy_says_nothing(context: Context) -> None:
    """Behind a proxy a link lets people in too, when the proxy lets them through without a name."""
    browser = behind(context, "127.0.0.1")
    browser.enter("ben")

    assert "you are in as Ben" in browser.send("GET", ROOM).text


def test_receiver_does_not_start_with_a_key_that_is_none(context: Context, tmp_path: Path) -> None:
    """A short key stops the start, and not the first person who wants in."""
    (tmp_path / "signing.key").write_text("short")

    with pytest.raises(ProtocolError, match=r"signing\.key"):
        Browser(context).send("GET", "/healthz")
