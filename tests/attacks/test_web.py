"""Attacks by way of the web: each is refused with a clear answer and decides nothing; its honest twin decides."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.domain.story import INCIDENT, RUN, a_plan
from tests.receiver.conftest import Browser, Room, yes

FORM = "application/x-www-form-urlencoded"
ELSEWHERE = "https://evil.example"


@dataclass(frozen=True)
class Sent:
    """One request that could decide, all but what an attack changes."""

    method: str = "POST"
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    kind: str = FORM
    query: bool = False
    cookie: bool = True


@dataclass(frozen=True)
class Case:
    """What an attack changes about the honest request, the status it gets, and words of the answer."""

    name: str
    change: Callable[[dict[str, str]], Sent]
    status: int
    says: str = ""


def plain(**parts: Any) -> Callable[[dict[str, str]], Sent]:
    """Change parts of the request that do not depend on the form."""
    return lambda fields: Sent(**{"fields": fields, **parts})


def other(**changed: str) -> Callable[[dict[str, str]], Sent]:
    """Change fields of the form."""
    return lambda fields: Sent(fields={**fields, **changed})


def twice(name: str, value: str) -> Callable[[dict[str, str]], Sent]:
    """Send a field a second time."""
    return lambda fields: Sent(raw=urlencode([*fields.items(), (name, value)]).encode())


def looked(name: str, method: str = "GET", status: int = 200, **headers: str) -> Case:
    """Ask for the page with a whole good answer in the address."""
    sent = plain(method=method, query=True, headers={key.replace("_", "-"): said for key, said in headers.items()})
    return Case(name, sent, status)


def strayed(name: str, path: str) -> Case:
    """Send the answer to an address that is not the question's."""
    return Case(f"the path {name}", plain(path=path), 404)


FOREIGN, GONE, HALF = "this form was not sent from this page", "the plan has changed", "the form is not complete"
SHORT, LONG = "the reason is longer than 2000", "the body is longer than"
WHERE = f"/decide/{INCIDENT}/{RUN}"
CASES = [
    looked("GET"),
    looked("GET as a prefetch", Purpose="prefetch"),
    looked("GET as a prerender", Sec_Purpose="prefetch;prerender"),
    looked("GET by a preview of a messenger", User_Agent="Slackbot-LinkExpanding 1.0"),
    looked("GET that says it is a POST", X_HTTP_Method_Override="POST"),
    looked("GET that says it is a POST in another way", X_Method_Override="POST"),
    looked("HEAD", "HEAD"),
    looked("OPTIONS", "OPTIONS", 405),
    looked("PUT", "PUT", 405),
    looked("PATCH", "PATCH", 405),
    looked("DELETE", "DELETE", 405),
    looked("TRACE", "TRACE", 405),
    Case("GET with the form as its body", plain(method="GET"), 200),
    Case("GET with _method in the form", lambda fields: Sent("GET", fields={**fields, "_method": "POST"}), 200),
    Case("POST with the form in the address", plain(query=True), 422, HALF),
    Case("no token", other(token=""), 403, FOREIGN),
    Case("a made-up token", other(token="A" * 43), 403, FOREIGN),
    Case("no cookie", plain(cookie=False), 403, FOREIGN),
    Case("a token that is no text", other(token="\udcff"), 403, FOREIGN),
    Case("from another origin", plain(headers={"Origin": ELSEWHERE}), 403, FOREIGN),
    Case("from an origin that begins like ours", plain(headers={"Origin": "http://receiver.test.evil"}), 403, FOREIGN),
    Case("from an origin that hides", plain(headers={"Origin": "null"}), 403, FOREIGN),
    Case("from another site", plain(headers={"Sec-Fetch-Site": "cross-site"}), 403, FOREIGN),
    Case("from another host of this site", plain(headers={"Sec-Fetch-Site": "same-site"}), 403, FOREIGN),
    Case("a reason of 1 MB", other(reason="x" * 1_000_000), 413, LONG),
    Case("a reason of 2001 signs", other(reason="x" * 2001), 422, SHORT),
    Case("the person twice", twice("person", "ben"), 422, HALF),
    Case("the answer twice", twice("answer", "no"), 422, HALF),
    Case("the code twice", twice("code", "000000"), 422, HALF),
    Case("a thousand fields", lambda fields: Sent(raw=urlencode(fields).encode() + b"&x=1" * 1000), 422, HALF),
    Case("as JSON", lambda fields: Sent(raw=json.dumps(fields).encode(), kind="application/json"), 422, HALF),
    Case("as plain text", lambda fields: Sent(raw=urlencode(fields).encode(), kind="text/plain"), 422, HALF),
    Case("as a multipart form", lambda fields: Sent(fields=fields, kind="multipart/form-data; boundary=x"), 422, HALF),
    Case("another plan", other(plan="0" * 64), 409, GONE),
    Case("no plan", other(plan=""), 409, GONE),
    Case("nobody", other(person=""), 422, "say who you are"),
    Case("an answer that is none", other(answer="yes"), 422, "choose one of the answers"),
    Case("a code in other digits", other(code="\uff11\uff12\uff13\uff14\uff15\uff16"), 422, "six digits"),
    Case("a code that asks the database", other(code="1' OR '1'='1"), 422, "six digits"),
    strayed("of another incident", f"/decide/INC-20200101-000000/{RUN}/revert"),
    strayed("of another run", f"/decide/{INCIDENT}/other/revert"),
    strayed("of another gate", f"{WHERE}/other"),
    strayed("of the chain about people", f"/decide/PEOPLE/{RUN}/revert"),
    strayed("that climbs", f"/decide/{INCIDENT}/x/../{RUN}/revert".replace("..", "%2e%2e")),
    strayed("with a slash encoded twice", f"{WHERE}%252Frevert"),
    strayed("with an empty part", f"/decide/{INCIDENT}//{RUN}/revert"),
    strayed("with a NUL", f"{WHERE}/revert%00"),
    strayed("in capitals", f"{WHERE}/REVERT"),
    strayed("with a space at its end", f"{WHERE}/revert%20"),
]


def fetch(browser: Browser, path: str) -> dict[str, str]:
    """Open the page and fill in its form, as a person does."""
    html = browser.send("GET", path).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
    return {**hidden, **yes(), "reason": ""}


def send(browser: Browser, path: str, sent: Sent) -> httpx.Response:
    """Send the request."""
    raw = sent.raw if sent.raw is not None else urlencode(sent.fields, errors="surrogateescape").encode()
    body = {"params": dict(sent.fields)} if sent.query else {"content": raw}
    if not sent.cookie:
        browser.cookies.clear()
    headers = {"Content-Type": sent.kind, **sent.headers}
    return browser.send(sent.method, sent.path or path, headers=headers, **body)


@pytest.mark.parametrize("one", [pytest.param(case, id=case.name) for case in CASES])
def test_attack(browser: Browser, room: Room, one: Case) -> None:
    """Nothing is decided, no code is used up, and the answer says why."""
    path = room.ask()
    before = room.entries()
    answer = send(browser, path, one.change(fetch(browser, path)))

    assert answer.status_code == one.status
    assert one.says in answer.text
    assert room.entries() == before
    assert room.journal.entries("PEOPLE") == []


@pytest.mark.parametrize("one", [pytest.param(case, id=case.name) for case in CASES])
def test_honest(browser: Browser, room: Room, one: Case) -> None:
    """The same form, sent as the page sends it, decides; also after the attack was tried."""
    path = room.ask()
    fields = fetch(browser, path)
    cookies = httpx.Cookies(browser.cookies)
    send(browser, path, one.change(fields))
    browser.cookies = cookies
    answer = send(browser, path, Sent(fields=fields))

    assert answer.status_code == 200
    assert [entry.actor for entry in room.entries("decided")] == ["ada"]


def test_a_token_of_another_browser_is_refused(browser: Browser, room: Room) -> None:
    """A form that was fetched by the attacker's browser does not count in hers, with the right code."""
    path = room.ask()
    stolen = fetch(Browser(browser.context), path)["token"]
    answer = send(browser, path, Sent(fields={**fetch(browser, path), "token": stolen}))

    assert answer.status_code == 403
    assert room.entries("decided") == []


@pytest.mark.parametrize("reason", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}"])
def test_a_reason_is_text_on_every_page(browser: Browser, inside: Browser, room: Room, reason: str) -> None:
    """Markup in a reason becomes part of no page, picture or report."""
    path = room.ask()
    first = browser.answer(path, **yes(code="000000", reason=reason)).text
    second = browser.answer(path, **yes(reason=reason)).text
    views = [inside.send("GET", f"/incidents/{INCIDENT}{view}") for view in ("", "/timeline.svg", "/report.md")]

    assert [view.status_code for view in views] == [200, 200, 200]
    for html in (first, second, browser.send("GET", path).text, *(view.text for view in views[:2])):
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "49" not in re.findall(r"(?:reason|words)[^<]*", html)
    assert room.entries("decided")[0].body["reason"] == reason


def test_words_of_the_plan_are_text(browser: Browser, room: Room) -> None:
    """A commit's title that is markup is shown as it is."""
    html = browser.send("GET", room.ask(a_plan("<script>alert(1)</script>"))).text

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
