"""Logs: one line for each thing, text or JSON; nothing that was sent to us, and never more than a few a second."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import pytest
from fastapi import FastAPI

from crisis.domain.alerting import AlertSender
from crisis.errors import JournalError
from crisis.logs import FIELDS, Few, JsonLines, Seldom, TextLines, set_up_logs
from crisis.masked_logs import mask_every_record
from crisis.receiver.app import create_app
from crisis.receiver.context import Context
from tests.domain.planting import github
from tests.receiver.conftest import TOKEN, damage, served
from tests.receiver.payloads import alert, delivery

Style = Literal["text", "json"]
CANARIES = ("a-canary-token", "a-canary-header", "a-canary-of-the-body", "a-canary-secret", TOKEN)


@pytest.fixture
def logged() -> Iterator[Callable[[Style], io.StringIO]]:
    """Set logs up as `crisis up` does, as much as there can be, and put everything back."""
    root, names = logging.getLogger(), ("crisis", "uvicorn", "uvicorn.error", "uvicorn.access", "fastapi", "prefect")
    loggers = [root, *map(logging.getLogger, names)]
    before = [(one, one.handlers[:], one.filters[:], one.level, one.propagate) for one in loggers]
    out = io.StringIO()

    def start(style: Style) -> io.StringIO:
        set_up_logs(style, "debug", out)
        return out

    factory = logging.getLogRecordFactory()
    yield start
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(capture=False)
    for one, handlers, filters, level, propagate in before:
        one.handlers, one.filters, one.level, one.propagate = handlers, filters, level, propagate
        one.manager._clear_cache()  # type: ignore[attr-defined]


def record(message: str, *arguments: Any, **extra: Any) -> logging.LogRecord:
    """Return a record of a moment that is known."""
    made = logging.getLogger("crisis.up").makeRecord(
        "crisis.up", logging.WARNING, "up.py", 1, message, arguments, extra.pop("exc_info", None), extra=extra
    )
    made.created = 1795500000.25
    return made


def test_json_line_has_time_level_logger_message_and_fields() -> None:
    """A line is an object; its time is RFC 3339 in UTC, its fields keep their types, others stay out."""
    line = JsonLines().format(record("it is %s", "full", sender="alertmanager", seconds=0.25, flow_run_id="x"))

    assert json.loads(line) == {
        "time": "2026-11-24T06:00:00.250000Z",
        "level": "warning",
        "logger": "crisis.up",
        "message": "it is full",
        "sender": "alertmanager",
        "seconds": 0.25,
    }


def test_text_line_says_the_same() -> None:
    """For people the same stands on one line."""
    line = TextLines().format(record("it is %s", "full", incident="INC-1", seconds=0.25))

    assert line == "2026-11-24T06:00:00.250000Z WARNING crisis.up: it is full incident=INC-1 seconds=0.25"


@pytest.mark.parametrize("lines", [TextLines(), JsonLines()])
def test_line_is_one_line(lines: logging.Formatter) -> None:
    """Nobody who names something makes a second line, steers the terminal, or breaks the encoding."""
    line = lines.format(record("a\nb\r\x1b[31m\u2028\ud800", sender="x\ny"))

    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert line.encode()


@pytest.mark.parametrize("lines", [TextLines(), JsonLines()])
def test_error_is_told_by_type_and_place(lines: logging.Formatter) -> None:
    """Of an error the types and places are told, of ours the words too; a message of others could quote a body."""
    try:
        try:
            int("a-canary-of-the-body")
        except ValueError as error:
            raise JournalError("journal", saw="no room") from error
    except JournalError:
        line = lines.format(record("it failed", exc_info=sys.exc_info()))

    assert "a-canary" not in line
    assert "JournalError: journal: saw no room" in line
    assert "ValueError" in line
    assert "test_logs.py" in line


def test_every_logger_of_the_process_writes_alike() -> None:
    """Ours, uvicorn's, Prefect's and Python's own warnings: all are JSON on standard error, and only there."""
    script = (
        "import logging, warnings, prefect.main, uvicorn\n"
        "from crisis.logs import set_up_logs\n"
        "set_up_logs('json')\n"
        "for name in ('crisis.up', 'uvicorn.error', 'fastapi', 'prefect', 'elsewhere'):\n"
        "    logging.getLogger(name).warning('from %s', name)\n"
        "logging.getLogger('crisis.up').info('an info of ours')\n"
        "logging.getLogger('elsewhere').info('an info of others')\n"
        "warnings.warn('a warning')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert done.stdout == ""
    assert [line["logger"] for line in lines] == [
        "crisis.up", "uvicorn.error", "fastapi", "prefect", "elsewhere", "crisis.up", "py.warnings",
    ]  # fmt: skip
    assert lines[5]["message"] == "an info of ours"
    assert all(datetime.fromisoformat(line["time"]).utcoffset() is not None for line in lines)


async def _drive(context: Context) -> None:
    """Have a receiver give every answer that it has, to requests that carry canaries everywhere."""
    marked = delivery(alert(journey="a-canary-of-the-body"))
    headers = {"X-Anything": "a-canary-header", "X-Amz-Sns-Message-Type": "a-canary-header"}
    good = {**headers, "Authorization": f"Bearer {TOKEN}"}
    async with served(context) as client:
        for name in ("alertmanager", "github", "a-canary-token"):
            for shown in (good, headers, {**headers, "Authorization": "Bearer a-canary-token"}):
                for body in (marked, marked + b"}", b"a-canary-of-the-body", b""):
                    await client.post(f"/alerts/{name}", content=body, headers=shown)
                    await client.post(f"/alerts/{name}/a-canary-secret", content=body, headers=shown)
        await client.post("/alerts/alertmanager", content=marked, headers={**good, "Content-Encoding": "gzip"})
        await client.get("/metrics", headers={"Authorization": "Bearer a-canary-token"})
        await client.get("/readyz?a-canary-token", headers=headers)
        await client.get("/incidents", headers={"Cookie": "crisis_session=a-canary-token"})
        damage(context, "ALTER TABLE inbox RENAME TO elsewhere")
        await client.post("/alerts/alertmanager", content=marked, headers=good)
        await client.get("/readyz", headers=headers)
        await client.get("/metrics")


@pytest.mark.parametrize("style", ["text", "json"])
def test_nothing_that_was_sent_is_logged(
    style: Style, context: Context, logged: Callable[[Style], io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No header, body or secret stands in any line, in either style, at the most talkative level."""
    monkeypatch.setenv("THEIR_SECRET", "a-canary-secret")
    alerts = {**context.protocol.alerts, "github": AlertSender.model_validate({"secret": ["env:THEIR_SECRET"]})}
    context = replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts}))
    out = logged(style)
    asyncio.run(_drive(context))
    lines = out.getvalue().splitlines()

    assert [line for line in lines for word in CANARIES if word in line] == []
    for said in ("a delivery was kept", "the sender did not prove itself", "could not be kept", "is compressed"):
        assert [line for line in lines if said in line], said
    if style == "json":
        assert {name for line in lines for name in json.loads(line)} - set(FIELDS) <= {
            "time", "level", "logger", "message", "exception",
        }  # fmt: skip


@pytest.mark.parametrize("style", ["text", "json"])
def test_fault_of_ours_quotes_nothing(style: Style, context: Context, logged: Callable[[Style], io.StringIO]) -> None:
    """Also an error that nobody foresaw, as a server logs it with its trace, says where and not what."""

    async def fail() -> None:
        raise LookupError("a-canary-of-the-body")

    async def ask(app: FastAPI) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_message: Any) -> None:
            await asyncio.sleep(0)

        scope = {"type": "http", "method": "GET", "path": "/fails", "headers": [], "query_string": b""}
        try:
            await app(scope, receive, send)
        except LookupError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")

    app, out = create_app(context), logged(style)
    app.get("/fails")(fail)
    asyncio.run(ask(app))

    assert "a-canary" not in out.getvalue()
    assert out.getvalue().count("LookupError") >= 2


def test_refused_flood_leaves_a_few_lines_and_a_number(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand refusals within a second are five lines, and one that says how many more there were."""

    async def flood() -> None:
        said = asyncio.Event()
        logging.getLogger("crisis.test").addHandler(_Calls(said.set, "more times"))
        seldom = Seldom(logging.getLogger("crisis.test"), per=0.2)
        for _ in range(1000):
            seldom.warn("a delivery was refused")
        seldom.warn("for another reason")
        await asyncio.wait_for(said.wait(), 10)
        seldom.warn("a delivery was refused")

    asyncio.run(flood())

    assert caplog.messages == [
        *["a delivery was refused"] * 5,
        "for another reason",
        "a delivery was refused: 995 more times within 0.2 s",
        "a delivery was refused",
    ]


class _Calls(logging.Handler):
    """Calls back at a record with these words in it."""

    def __init__(self, back: Callable[[], object], words: str) -> None:
        super().__init__()
        self.back, self.words = back, words

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            self.back()


def test_logger_that_strangers_drive_is_held_back() -> None:
    """What a server says of each bad request passes five times a second, and the fifth says that it is the last."""
    few = Few()
    passed = [
        made.getMessage() for made in (record("Invalid HTTP request received.") for _ in range(100)) if few.filter(made)
    ]
    later = record("Invalid HTTP request received.")
    later.created += 1.0

    assert len(passed) == 5
    assert passed[4] == "Invalid HTTP request received. (said no more within this second)"
    assert few.filter(later)


def test_receiver_refuses_a_flood_quietly(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    """Two hundred unproved deliveries at once do not leave two hundred lines."""

    async def flood() -> None:
        async with served(context) as client:
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*(client.post("/alerts/eve", content=b"") for _ in range(200)))

    asyncio.run(flood())

    refused = [made for made in caplog.records if "did not prove itself" in made.getMessage()]
    assert 5 <= len(refused) < 60
    assert {made.sender for made in refused if hasattr(made, "sender")} == {"unknown"}


def test_handlers_of_others_show_no_secret_either() -> None:
    """Whoever adds a handler, before or after: each record was masked when it was made, its traceback too."""
    token = github()
    before = logging.getLogRecordFactory()
    logger, out = logging.Logger("somebody's"), io.StringIO()  # noqa: LOG001 - nobody else may find it
    try:
        mask_every_record()
        mask_every_record()  # a second time changes nothing
        logger.addHandler(logging.StreamHandler(out))
        logger.warning("sent %s", token)
        try:
            int(token)
        except ValueError:
            logger.exception("failed")
        plain = logger.makeRecord("x", logging.INFO, "x.py", 1, "took %d s", (3,), None)
    finally:
        logging.setLogRecordFactory(before)

    assert token not in out.getvalue()
    assert out.getvalue().startswith("sent [github token]\n")
    assert "ValueError: invalid literal for int() with base 10: '[github token]'" in out.getvalue()
    assert (plain.msg, plain.args) == ("took %d s", (3,))
