"""Whatever an API answers, asking it ends soon, in one line, and holds up nobody else."""

import asyncio
import gzip
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from crisis.domain.alerting import AlertSender
from crisis.receiver import catch_up
from crisis.receiver.asking import bounded
from crisis.receiver.catch_up import Told
from tests.clients.servers import Vendor
from tests.receiver.asking.conftest import API_TOKEN, Watch, Watching

GROUPS = "GET /api/v2/alerts/groups"
LISTED = {
    "fingerprint": "8851cd2ef7f87255",
    "startsAt": "2026-11-24T03:12:05.534Z",
    "labels": {"alertname": "JourneyFailing", "service": "shop"},
    "annotations": {"summary": "checkout of shop fails"},
    "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
}


def group(*alerts: Any, receiver: str = "crisis") -> dict[str, Any]:
    """Return a group of a list, as Alertmanager has it."""
    return {"receiver": {"name": receiver}, "labels": {"alertname": "JourneyFailing"}, "alerts": list(alerts)}


def mine_at(watch: Watching, url: str) -> Watch:
    """Put a receiver together that may ask an Alertmanager there."""
    return watch("alertmanager", {"url": url, "receivers": ["crisis"], "token": "env:API_TOKEN"})


@pytest.fixture
def mine(watch: Watching, vendor: Vendor) -> Watch:
    """Put a receiver together that may ask a server which answers as a test says."""
    return mine_at(watch, vendor.url)


def asked(mine: Watch) -> Told:
    """Ask, and return what it came to."""
    (told,) = mine.round().told
    return told


async def _trickle() -> AsyncIterator[bytes]:
    yield b"["
    for _ in range(5000):
        await asyncio.sleep(0)  # so that the server sees when nobody listens any more
        yield b" " * 65536


def _endless(_: Request) -> Response:
    return StreamingResponse(_trickle(), media_type="application/json")


def _packed(_: Request) -> Response:
    body = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    return Response(body, headers={"Content-Encoding": "gzip"}, media_type="application/json")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("<html>please log in</html>", "saw 200 with another shape"),
        ((500, "<html>oops</html>"), "saw 500; try again"),
        ((503, {"message": "starting"}), "saw 503 starting; try again"),
        ((401, {"message": f"no such token {API_TOKEN}"}), "saw 401 no such token ***"),
        ((404, "404 page not found"), "saw 404; check the name"),
        ({"alerts": []}, "saw 200 with another shape"),
        ([{"receiver": {"name": "crisis"}}], "saw 200 with another shape"),
        ([group() | {"alerts": {"0": LISTED}}], "saw 200 with another shape"),
        ("[" * 100_000, "saw JSON that is nested without end"),
        ("null", "saw 200 with another shape"),
        (_endless, "saw more than 16 MiB"),
        (_packed, "saw a compressed one, which was not asked for"),
    ],
)
def test_an_odd_answer_is_one_line(
    answer: Any, says: str, mine: Watch, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends in one line of the log and one note, with nothing in the inbox and no token anywhere."""
    vendor.says(GROUPS, answer)
    with caplog.at_level(logging.WARNING):
        told = asked(mine)

    assert says in told.trouble
    assert [record.getMessage() for record in caplog.records] == mine.notes()
    assert mine.notes() == [f"alertmanager cannot be asked for what did not reach us: {told.trouble}"]
    assert mine.kept() == []
    assert API_TOKEN not in told.trouble


def test_a_redirect_is_not_followed(mine: Watch, vendor: Vendor) -> None:
    """A token goes to no other address than the one that was given."""
    vendor.says(GROUPS, RedirectResponse(f"{vendor.url}/elsewhere"))

    assert "saw 307" in asked(mine).trouble
    assert [what for what, _, _ in vendor.asked] == [GROUPS]
    assert vendor.headers[0]["authorization"] == f"Bearer {API_TOKEN}"


@pytest.mark.parametrize(
    "odd",
    [
        5,
        {},
        {**LISTED, "labels": 5, "fingerprint": "f1", "startsAt": "2026-11-24T03:00:00Z"},
        {**LISTED, "status": 7, "annotations": None, "fingerprint": "f2"},
        {**LISTED, "labels": {"alertname": 5, "service": "shop"}, "fingerprint": {}, "generatorURL": []},
    ],
)
def test_an_odd_entry_does_not_hide_the_others(odd: Any, mine: Watch, vendor: Vendor) -> None:
    """What is of another shape is left out or read leniently; the alerts beside it come."""
    vendor.says(GROUPS, [group(odd, LISTED), 7, group(LISTED, receiver="others"), {**group(), "receiver": None}])

    assert asked(mine).trouble == ""
    assert "8851cd2ef7f87255" in [one.fingerprint for one in mine.alerts()]


@pytest.mark.parametrize("name", ["startsAt", "annotations"])
def test_what_cannot_be_read_is_said(name: str, mine: Watch, vendor: Vendor) -> None:
    """A group that would not be taken as a delivery is left out with a note, and the next one comes."""
    odd = {**LISTED, name: "soon" if name == "startsAt" else {"summary": "\ud800"}}
    vendor.says(GROUPS, Response(json.dumps([group(odd), group({**LISTED, "fingerprint": "f1"})])))
    told = asked(mine)

    assert [one.fingerprint for one in mine.alerts()] == ["f1"]
    assert told.notes[1].startswith("something that alertmanager lists cannot be read: ")


def test_a_long_list_is_put_in_parts(mine: Watch, vendor: Vendor) -> None:
    """A group of more than 500 alerts becomes several deliveries, each short enough to be judged quickly."""
    vendor.says(GROUPS, [group(*({**LISTED, "fingerprint": f"{number:016x}"} for number in range(1100)))])

    assert asked(mine).new == 3
    assert [len(one["alerts"]) for one in mine.payloads()] == [500, 500, 100]
    assert len({one.fingerprint for one in mine.alerts()}) == 1100


def test_a_body_that_no_delivery_may_have_is_left_out(mine: Watch, vendor: Vendor) -> None:
    """What is longer than the receiver would take is not taken this way either."""
    vendor.says(GROUPS, [group({**LISTED, "annotations": {"summary": "x" * 5_300_000}})])

    assert asked(mine) == Told(
        "alertmanager", notes=("something that alertmanager lists cannot be read: it is longer than a delivery may be",)
    )


ISSUES = "GET /api/0/organizations/acme/issues/"


@pytest.mark.parametrize(
    ("link", "times"),
    [
        ('<https://sentry.io/?cursor=0:100:0>; rel="next"; results="true"', 20),  # goes on for ever
        ('<https://sentry.io/?cursor=0:100:0>; rel="next"; results="false"', 1),
        ('<http://[?cursor=1>; rel="next"; results="true"', 1),
        (f'<https://sentry.io/?cursor={"9" * 5000}>; rel="next"; results="true"', 1),
        ('<https://sentry.io/?page=2>; rel="next"', 1),
        ("next", 1),
    ],
)
def test_pages_have_an_end(link: str, times: int, watch: Watching, vendor: Vendor) -> None:
    """Whatever the header `Link` says, only our own address is asked, and twenty times at most."""
    mine = watch("sentry", {"url": vendor.url, "token": "env:API_TOKEN", "organization": "acme"})
    vendor.says(ISSUES, lambda _: JSONResponse([], headers={"Link": link}))
    (told,) = mine.round().told

    assert told.trouble == ""
    assert [what for what, _, _ in vendor.asked if what == ISSUES] == [ISSUES] * times


def test_webhooks_have_an_end(watch: Watching, vendor: Vendor) -> None:
    """A list of webhooks that never ends is read for five pages."""
    mine = watch("github", {"url": vendor.url, "token": "env:API_TOKEN", "repository": "acme/shop"})
    vendor.says("GET /repos/acme/shop/hooks", [{"id": 1}] * 100)

    assert "saw none among 500" in mine.round().told[0].trouble


def test_what_we_cannot_read_any_more_is_not_taken_for_over(mine: Watch, vendor: Vendor) -> None:
    """Alerts whose delivery is another sender's by now, was for others, or names them no more, stay as they are."""
    sent = {**LISTED, "status": "firing"}
    for name, receiver in (("d1", "crisis"), ("d2", "others"), ("d3", "crisis")):
        body = {"version": "4", "receiver": receiver, "alerts": [{**sent, "fingerprint": name}]}
        mine.context.inbox.put(name, "alertmanager", json.dumps(body).encode())
    mine.judge()
    with mine.context.journal.database.writing() as connection:
        for name, raw in (("d1", b"no JSON"), ("d3", b'{"version": "4", "alerts": []}')):
            connection.exec_driver_sql("UPDATE inbox SET raw = ? WHERE delivery = ?", (raw, name))
    vendor.says(GROUPS, [])
    vendor.says("GET /api/v2/status", {"uptime": "2026-01-01T00:00:00.000Z"})
    (told,) = mine.round(timedelta(minutes=20)).told

    assert (told.new, told.trouble) == (0, "")
    assert "GET /api/v2/status" in [what for what, _, _ in vendor.asked]


@pytest.fixture
def silence() -> Iterator[str]:
    """Listen at an address and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


def test_silence_is_given_up_on(watch: Watching, silence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing is tried again later."""
    monkeypatch.setattr(bounded, "_STEP", 0.2)

    assert "saw no answer in time; try again" in asked(mine_at(watch, silence)).trouble


def test_an_answer_that_trickles_is_given_up_on(mine: Watch, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that come one by one in time do not make an answer that comes in time."""
    monkeypatch.setattr(bounded, "_WHOLE", 0.0)
    vendor.says(GROUPS, _endless)

    assert "saw one that goes on after 0 s; try again" in asked(mine).trouble


def test_a_hanging_sender_holds_up_nobody(
    watch: Watching, vendor: Vendor, silence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round ends without the sender that does not answer, brings what the others say, and asks it no second time."""
    monkeypatch.setattr(catch_up, "_PATIENCE", 0.5)
    both = beside(mine_at(watch, vendor.url), deaf=silence)
    vendor.says(GROUPS, [group(LISTED)])
    began = time.monotonic()
    report = both.round()

    assert time.monotonic() - began < 4
    assert [(one.sender, one.new, one.trouble) for one in report.told] == [
        ("alertmanager", 1, ""),
        ("deaf", 0, "deaf: wanted what did not reach us, saw no answer yet; it is asked again"),
    ]
    assert [one.sender for one in both.round(timedelta(minutes=20)).told] == ["alertmanager"]


def beside(mine: Watch, **others: str) -> Watch:
    """Add senders that are asked at other addresses."""
    rules = mine.context.protocol.alerts
    for name, url in others.items():
        place = {"url": url, "receivers": ["crisis"]}
        rule = {**rules["alertmanager"].model_dump(), "kind": "alertmanager", "ask_back": place}
        rules[name] = AlertSender.model_validate(rule)
    return mine.again()


def test_one_that_fails_does_not_stop_the_others(watch: Watching, vendor: Vendor, nowhere: str) -> None:
    """What one sender says is kept, whatever becomes of the others; also of one whose secret is not there."""
    both = beside(mine_at(watch, vendor.url), away=nowhere)
    both.context.protocol.alerts["poor"] = both.rule.model_copy(
        update={"ask_back": both.rule.ask_back and both.rule.ask_back.model_copy(update={"token": "env:NOT_THERE"})}
    )
    vendor.says(GROUPS, [group(LISTED)])
    report = both.again().round()

    found = {one.sender: one for one in report.told}
    assert found["alertmanager"].new == 1
    assert "no connection" in found["away"].trouble
    assert (
        found["poor"].trouble
        == "env:NOT_THERE: wanted the variable NOT_THERE, saw none; set NOT_THERE where crisis runs"
    )


@pytest.fixture
def nowhere() -> str:
    """Name an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}"


def test_a_fault_of_ours_is_said_by_its_kind_alone(
    mine: Watch, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody thought of ends like any other; its text might hold a secret."""

    def breaks(*_: Any) -> None:
        raise ZeroDivisionError(API_TOKEN)

    monkeypatch.setattr(bounded, "read_address", breaks)
    vendor.says(GROUPS, [])

    assert (
        asked(mine).trouble
        == "alertmanager: wanted what did not reach us, saw it broke with ZeroDivisionError; it is asked again"
    )
