"""What fuzzing has found in the readers and proofs of senders, each in the smallest form."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from crisis.domain.clock import utc_now
from crisis.journal.inbox import IGNORED, Inbox
from crisis.journal.store import Journal
from crisis.receiver.authenticity import is_signed
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle_all
from crisis.receiver.senders.alert import Message, Reading
from crisis.receiver.senders.proof import Offer, fits
from crisis.receiver.senders.reading import MOST_ALERTS, parse, parse_form
from crisis.receiver.senders.registry import delivery_key, kind_named, read_as
from crisis.settings import Settings
from tests.fuzz.worst import SIZE, WORST
from tests.journal.postgres import PostgreSQL
from tests.receiver.payloads import alert, delivery
from tests.receiver.senders.conftest import Receive, rule_of
from tests.receiver.senders.notary import SECRET, TOPIC, Cloud

_SECONDS = 2.0
_BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.mark.parametrize("name", WORST)
def test_worst_body_is_soon_done_with(name: str, receive: Receive) -> None:
    """Five megabytes of the worst are proved, read and named, or refused, in two seconds: they took up to seventy."""
    kind, headers, made = WORST[name]
    raw, protocol = made(), receive(kind).context.protocol
    began = time.process_time()
    if kind_named(kind).proves:
        is_signed(protocol, kind, [], raw)
    reading = Reading()
    try:
        reading = read_as(kind, protocol.alerts[kind], raw, headers)
        delivery_key(kind, protocol.alerts[kind], Message(raw, headers, protocol.alerts[kind]), reading, utc_now())
    except ValueError as error:
        assert len(str(error)) < 100  # noqa: PT017 - either will do

    assert time.process_time() - began < _SECONDS
    assert len(raw) <= SIZE
    assert len(reading.alerts) <= MOST_ALERTS


def test_batch_of_events_is_read_up_to_a_bound() -> None:
    """Ten thousand events of a batch are read, and a note says how many were not."""
    event = b'{"specversion":"1.0","data":{"status":"down"}}'
    reading = read_as("cloudevents", rule_of("cloudevents"), b"[" + b",".join([event] * 10_003) + b"]", _BATCH)

    assert len(reading.alerts) == 10_000
    assert "3 events of the batch were not read: send fewer at once" in reading.notes


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Start a PostgreSQL of our own, where it is installed."""
    binaries = PostgreSQL.binaries_here()
    if binaries is None:
        pytest.skip("postgresql is not installed: initdb was not found")
    with PostgreSQL(binaries) as server:
        yield server.fresh()


def test_zero_in_a_label_holds_nobody_up(postgresql: str, context: Context, tmp_path: Path) -> None:
    """PostgreSQL takes no zero in a text: one such name in an alert kept all deliveries from being settled."""
    settings = Settings(home=tmp_path, public_url="http://receiver.test")
    with closing(Journal.open(postgresql)) as journal:
        here = Context(journal, Inbox(journal.database), context.protocol, settings, context.wake, "")
        here.inbox.put("zero", "alertmanager", delivery(alert(alertname="a\x00b", service="\x00")))
        here.inbox.put("other", "alertmanager", delivery(alert()))
        started = handle_all(here, here.inbox.new())

        assert [one.playbook for one in started] == ["bad-deploy"]
        assert [one.state for one in here.inbox.latest() if one.delivery == "zero"] == [IGNORED]


def test_zeros_are_replaced_and_what_looks_like_one_is_not() -> None:
    """A zero becomes another sign; a stroke before `u0000` is left alone; what was signed is read as it is."""
    raw = rb'{"a": "x\u0000\\u0000\\\u0000", "\u0000": 1}'

    assert parse(raw) == {"a": "x\ufffd\\u0000\\\ufffd", "\ufffd": 1}
    assert parse(raw, exact=True) == {"a": "x\x00\\u0000\\\x00", "\x00": 1}
    assert parse_form(b"a=x%00y").data == {"a": "x\ufffdy"}


@pytest.mark.parametrize("raw", [rb'{"a": "\ud83d\ude00"}', '{"a": "\U0001f600"}'.encode("utf-16")])
def test_whole_pairs_are_read(raw: bytes) -> None:
    """A sign beyond the first 65,536, written as a pair or in UTF-16, is one sign."""
    assert parse(raw) == {"a": "\U0001f600"}


@pytest.mark.parametrize("raw", [rb'{"a": "\uD800"}', rb'{"a": "\udc00\ud83d"}', b'{"a": "\xed\xa0\x80"}'])
def test_half_a_pair_is_refused(raw: bytes) -> None:
    """What no UTF-8 can hold is no JSON to us, in whatever way it is written."""
    with pytest.raises(ValueError, match="the body is no JSON"):
        parse(raw)


def test_many_signatures_cost_no_more_than_one() -> None:
    """A stranger who offers sixteen signatures made us sign a body of 5 MB sixteen times for each secret."""
    signed: list[bytes] = []

    def sign(secret: bytes) -> str:
        signed.append(secret)
        return secret.hex()

    assert fits(["x"] * 15 + ["6f6e65"], [b"one", b"two"], sign)
    assert not fits(["x"] * 20 + ["6f6e65"], [b"one", b"two"], sign)
    assert signed == [b"one", b"two"] * 2


def test_long_form_of_a_stranger_is_not_searched_for_a_token() -> None:
    """A form that is longer than any of StatusCake's proves nobody, even with the token in it."""
    proves = kind_named("statuscake").proves
    assert proves is not None
    short, long = (urlencode({"Token": SECRET, "Name": "x" * length}).encode() for length in (1000, 100_000))

    assert proves(Offer([], short, [SECRET.encode()], utc_now()))
    assert not proves(Offer([], long, [SECRET.encode()], utc_now()))


@pytest.mark.parametrize(("length", "status"), [(256 * 1024, 202), (2 * 1024 * 1024, 401)])
def test_long_message_of_sns_is_refused_unread(length: int, status: int, receive: Receive, cloud: Cloud) -> None:
    """SNS sends 256 KB at most: what is much longer is not parsed to see who signed it."""
    message = {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "x" * length}
    browser = receive("aws-sns", window=timedelta(days=1))

    assert browser.send("POST", "/alerts/aws-sns", content=cloud.sign(message)).status_code == status
