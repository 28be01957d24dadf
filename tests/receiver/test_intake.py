"""Alerts come in: authenticity first, then size and shape, then the inbox, then 202."""

import asyncio
import base64
import logging
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from starlette.requests import Request
from starlette.types import ASGIApp, Message

from crisis.domain.alerting import AlertSender, Basic
from crisis.domain.clock import utc_now
from crisis.domain.incident import RECOVERED
from crisis.domain.start import HAND_OVER
from crisis.receiver.app import create_app
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle_all
from crisis.receiver.intake import BODY_LIMIT
from tests.receiver.conftest import CAPTURED, TOKEN, Browser, Wakes, delivered, served
from tests.receiver.payloads import alert, delivery

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def test_proved_delivery_is_kept_and_answered_at_once(browser: Browser, context: Context, wakes: Wakes) -> None:
    """A delivery of a sender that proves itself stands in the inbox as it came, and the responder is woken."""
    raw = delivery()
    answer = browser.alert(raw)

    assert answer.status_code == 202
    assert [(answer.json()["delivery"], raw)] == [(kept.delivery, kept.raw) for kept in delivered(context)]
    assert wakes.times == 1


def test_duplicate_is_accepted_and_kept_once(browser: Browser, context: Context) -> None:
    """The same delivery again is answered 202 with the same name."""
    first, second = browser.alert(delivery()), browser.alert(delivery())

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert len(delivered(context)) == 1


def test_repeat_of_what_fires_on_is_heard(browser: Browser, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alertmanager repeats the same bytes hours later: our proof and its alert disagree, and people must hear of it."""
    browser.alert(delivery())
    (start,) = handle_all(context, context.inbox.new())
    body = {"run": "r", "playbook": "bad-deploy", "outcome": RECOVERED, "says": "so"}
    context.journal.append(start.incident, "ended", "responder", body)
    later = utc_now() + timedelta(hours=4)
    for module in ("intake", "judging"):
        monkeypatch.setattr(f"crisis.receiver.{module}.utc_now", lambda: later)
    browser.alert(delivery())
    (told,) = handle_all(context, context.inbox.new())

    assert told.playbook == HAND_OVER
    assert told.summary.startswith("still fires 4 h")


def test_repeat_of_what_is_over_is_one_delivery(
    browser: Browser, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing new, however late."""
    browser.alert(delivery(alert("resolved")))
    later = utc_now() + timedelta(hours=4)
    monkeypatch.setattr("crisis.receiver.intake.utc_now", lambda: later)
    browser.alert(delivery(alert("resolved")))

    assert len(delivered(context)) == 1


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN} more",
        f"Digest {TOKEN}",
        TOKEN,
        "Basic ",
        "Basic %%%",
        "Basic bm9uZQ==",
        "Basic \xff\xfe",
        "Bearer \xe4\xf6\xfc",
    ],
)
def test_unproved_delivery_is_refused_unread(browser: Browser, context: Context, header: str) -> None:
    """Whatever does not prove the sender is answered 401, and nothing is kept."""
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    answer = browser.send("POST", "/alerts/alertmanager", content=b"\x00not json", headers=headers)

    assert answer.status_code == 401
    assert delivered(context) == []


@pytest.mark.parametrize("sender", ["nobody", "ALERTMANAGER", "%00", "..%2f..%2fetc", "x" * 5000, "%ff"])
def test_unknown_sender_is_refused(browser: Browser, sender: str) -> None:
    """A sender that the protocol does not know is answered 401 or never reaches the route; a token is no help."""
    answer = browser.alert(delivery(), sender)

    assert answer.status_code in (401, 404)


def test_two_authorization_headers_prove_nothing(browser: Browser) -> None:
    """Two Authorization headers are one too many."""
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]

    assert browser.send("POST", "/alerts/alertmanager", content=delivery(), headers=headers).status_code == 401


def test_either_token_counts_while_they_are_rotated(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two references both tokens count, and one that is not set does not lock the other out."""
    monkeypatch.setenv("NEXT_TOKEN", "the-next-token")
    references = ("env:NOT_SET_HERE", "env:NEXT_TOKEN", "env:CRISIS_SANDBOX_ALERT_TOKEN")
    sender = context.protocol.alerts["alertmanager"].model_copy(update={"bearer": references})
    protocol = context.protocol.model_copy(update={"alerts": {"alertmanager": sender}})
    browser = Browser(replace(context, protocol=protocol))

    assert browser.alert(delivery()).status_code == 202
    assert browser.alert(delivery(), Authorization="Bearer the-next-token").status_code == 202
    assert browser.alert(delivery(), Authorization="Bearer ").status_code == 401


def test_name_and_password_count_too(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Basic authentication proves the sender when both name and password are right."""
    monkeypatch.setenv("ALERT_PASSWORD", "s3cret:with colon")
    basic = Basic(user="prometheus", password="env:ALERT_PASSWORD")
    sender = context.protocol.alerts["alertmanager"].model_copy(update={"bearer": (), "basic": basic})
    browser = Browser(
        replace(context, protocol=context.protocol.model_copy(update={"alerts": {"alertmanager": sender}}))
    )

    def say(credential: bytes) -> int:
        return browser.alert(delivery(), Authorization=f"Basic {base64.b64encode(credential).decode()}").status_code

    assert say(b"prometheus:s3cret:with colon") == 202
    assert say(b"prometheus:wrong") == 401
    assert say(b"other:s3cret:with colon") == 401
    assert browser.alert(delivery(), Authorization="Basic %%%").status_code == 401
    assert browser.alert(delivery()).status_code == 401


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"4",
        b'{"version": "4", "alerts": {}}',
        b'{"version": "4", "alerts": [1]}',
        b'{"version": "4", "alerts": [{"labels": {"a": 1}}]}',
        b'{"version": "4", "alerts": [{"labels": [1]}]}',
        b'{"version": "4", "alerts": [{"startsAt": "yesterday"}]}',
        b'{"version": "4", "alerts": [{"startsAt": "9999-12-31T23:59:59-23:59"}]}',
        b'{"version": "4", "alerts": [{"startsAt": 5}]}',
        b'{"version": "4", "alerts": [{"status": "maybe"}]}',
        b'{"version": "4", "groupKey": 4, "alerts": [{}]}',
        b'{"version": "3", "alerts": []}',
        b'{"version": 4, "alerts": []}',
        b'{"version": "4", "x": NaN}',
        b'{"version": "4", "x": "\\ud800"}',
        b'{"version": "4", "x": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
def test_what_is_no_delivery_is_refused(browser: Browser, context: Context, raw: bytes) -> None:
    """A body that is no Alertmanager delivery is answered 400, never 500, and is not kept."""
    answer = browser.alert(raw)

    assert answer.status_code == 400
    assert delivered(context) == []


async def _pieces(length: int) -> AsyncIterator[bytes]:
    for _ in range(length // 65536 + 1):
        yield b" " * 65536


@pytest.mark.parametrize(
    "claim", [{}, {"Content_Length": "10"}, {"Content_Length": "-1"}, {"Content_Length": "9" * 40}]
)
def test_too_long_body_is_cut_off(browser: Browser, context: Context, claim: dict[str, str]) -> None:
    """A body over the limit is answered 413, whatever its Content-Length says."""
    assert browser.alert(_pieces(BODY_LIMIT), **claim).status_code == 413
    assert delivered(context) == []


def test_thousand_alerts_fit(browser: Browser) -> None:
    """A storm of a thousand alerts in one delivery is taken."""
    assert browser.alert(delivery(*(alert(fingerprint=f"{n:016x}") for n in range(1000)))).status_code == 202


def test_lost_store_says_come_again(browser: Browser, context: Context, wakes: Wakes) -> None:
    """When the delivery cannot be kept the sender is told to send it again, and nobody is woken."""
    with context.journal.database.writing() as connection:
        connection.execute(text("DROP TABLE inbox"))
    answer = browser.alert(delivery())

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert wakes.times == 0


def with_sender(context: Context, name: str = "alertmanager", **rule: Any) -> Context:
    """Return a receiver whose protocol has one sender, with this rule."""
    alerts = {name: AlertSender.model_validate(rule)}
    return replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts}))


def test_many_at_once_share_their_commits(context: Context, wakes: Wakes) -> None:
    """Fifty deliveries at the same moment are all kept and answered, by far fewer transactions than they are."""
    commits: list[object] = []
    event.listen(context.journal.database.engine, "commit", commits.append)

    async def flood() -> list[httpx.Response]:
        async with served(context) as client:
            posts = [
                client.post("/alerts/alertmanager", content=delivery(alert(fingerprint=f"{n:016x}")), headers=BEARER)
                for n in range(50)
            ]
            return await asyncio.gather(*posts)

    answers = asyncio.run(flood())

    assert {answer.status_code for answer in answers} == {202}
    assert {kept.delivery for kept in delivered(context)} == {answer.json()["delivery"] for answer in answers}
    assert len(commits) <= 10
    assert wakes.times == 50


def test_secret_that_cannot_be_read_refuses_nobody_for_good(context: Context, tmp_path: Path) -> None:
    """While the file of a token is away nothing is proved, and nothing is refused: the sender is to try again."""
    file = tmp_path / "token"
    browser = Browser(with_sender(context, bearer=[f"file:{file}"]))
    away = browser.alert(delivery())
    file.write_text(TOKEN, encoding="utf-8")

    assert (away.status_code, away.headers["Retry-After"]) == (503, "10")
    later = Browser(browser.context)  # that it is away is remembered for a moment
    assert later.alert(delivery()).status_code == 202
    assert later.alert(delivery(), Authorization="Bearer other").status_code == 401


def test_full_queue_says_come_again(context: Context) -> None:
    """While the store takes nothing, five thousand may wait; who comes then is told so at once. Nobody is lost."""
    raw = [delivery(alert(fingerprint=f"{n:016x}")) for n in range(5600)]

    async def flood() -> list[tuple[int, dict[bytes, bytes]]]:
        app = create_app(context)
        posts = [asyncio.create_task(post(app, "alertmanager", one)) for one in raw]
        done, _ = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result()[0] for task in done} == {503}
        hold.rollback()
        return await asyncio.gather(*posts)

    with sqlite3.connect(str(context.journal.database.url.database), check_same_thread=False) as hold:
        hold.execute("BEGIN IMMEDIATE")
        answers = asyncio.run(flood())
    hold.close()
    accepted = [status for status, _ in answers if status == 202]
    refused = [headers for status, headers in answers if status == 503]

    assert len(accepted) + len(refused) == 5600
    assert 5000 <= len(accepted) < 5600
    assert {headers[b"retry-after"] for headers in refused} == {b"5"}
    assert context.inbox.count()["new"] == len(accepted)


def test_bodies_of_strangers_leave_room_for_the_others(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who must be read before being proved gets so much memory and no more, and holds up nobody who shows a secret."""
    monkeypatch.setenv("THEIR_SECRET", "a-secret-that-signs")
    github = AlertSender.model_validate({"secret": ["env:THEIR_SECRET"]})
    alerts = {**context.protocol.alerts, "github": github}
    context = replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts}))

    async def crowd() -> tuple[list[int], int, list[int]]:
        app, go_on = create_app(context), asyncio.Event()
        slow = [asyncio.create_task(post(app, "github", b"x" * 4_000_000, go_on)) for _ in range(9)]
        first, others = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        shown, _ = await post(app, "alertmanager", delivery())
        go_on.set()
        return [one.result()[0] for one in first], shown, [(await one)[0] for one in others]

    turned_away, shown, refused = asyncio.run(crowd())

    assert turned_away == [503]
    assert shown == 202
    assert refused == [401] * 8


def test_no_token_and_no_body_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what proves a sender nor what it sends shows up in a log, whatever the answer."""
    caplog.set_level(logging.DEBUG)
    marked = delivery(alert(journey="a-word-of-the-body"))
    for raw in (marked, marked + b"}", b""):
        for token in (TOKEN, "a-wrong-token"):
            browser.alert(raw, Authorization=f"Bearer {token}")

    assert not [word for word in (TOKEN, "a-wrong-token", "a-word-of-the-body") if word in caplog.text]


async def post(
    app: ASGIApp, sender: str, raw: bytes, go_on: asyncio.Event | None = None
) -> tuple[int, dict[bytes, bytes]]:
    """Post a body as cheaply as can be, and return status and headers; it ends when it may go on."""
    pieces: list[Message] = [{"type": "http.request", "body": raw, "more_body": True}]
    sent: list[Message] = []

    async def receive() -> Message:
        if pieces:
            return pieces.pop()
        if go_on is not None:
            await go_on.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)
        await asyncio.sleep(0)

    headers = [(name.lower().encode(), value.encode()) for name, value in BEARER.items()]
    scope = {"type": "http", "method": "POST", "path": f"/alerts/{sender}", "query_string": b"", "headers": headers}
    await app({**scope, "client": ("127.0.0.1", 40000)}, receive, send)
    return int(sent[0]["status"]), dict(sent[0]["headers"])


def request_that(*messages: Message) -> Request:
    """Return a request whose body arrives as these messages and then never goes on."""
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.mark.parametrize(
    ("message", "because"),
    [
        ({"type": "http.request", "body": b"{", "more_body": True}, "too slowly"),
        ({"type": "http.disconnect"}, "cut off"),
    ],
)
def test_body_that_never_ends_is_given_up(message: Message, because: str) -> None:
    """A body that stalls or breaks off is answered 400 after a while instead of holding a connection."""
    with pytest.raises(BadBodyError, match=because) as caught:
        asyncio.run(read_body(request_that(message), 100, patience=0.01))

    assert caught.value.status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_only_post_delivers(browser: Browser, context: Context, method: str) -> None:
    """No other method delivers anything."""
    assert browser.send(method, "/alerts/alertmanager").status_code == 405
    assert delivered(context) == []


@pytest.mark.parametrize("name", ["firing", "firing_partly_resolved", "firing_truncated_max_alerts_1", "resolved"])
def test_captured_delivery_is_taken(browser: Browser, name: str) -> None:
    """What a real Alertmanager sent is taken, byte for byte."""
    captured = CAPTURED / "alertmanager" / f"{name}.raw"
    if not captured.exists():
        pytest.skip(f"{captured.name} of the captured webhooks is not here")

    assert browser.alert(captured.read_bytes()).status_code == 202
