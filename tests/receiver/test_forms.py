"""The form of the decision page: what is malformed, and what another site made."""

from dataclasses import replace

import pytest

from crisis.settings import Settings
from tests.domain.story import a_plan
from tests.receiver.conftest import Browser, Room, yes


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
