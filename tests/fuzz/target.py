"""Target: all that happens to a delivery of a kind, from its proof to the journal. A surprise is a Finding."""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from crisis.domain.alerting import AlertSender
from crisis.domain.clock import utc_now, write_time
from crisis.domain.entry import canonical
from crisis.domain.protocol import Protocol
from crisis.domain.start import Start
from crisis.errors import TransientError
from crisis.journal.inbox import HELD, NEW, Delivery, Inbox
from crisis.journal.store import Journal
from crisis.receiver.authenticity import is_authentic, is_signed
from crisis.receiver.context import Context
from crisis.receiver.delivery import read_delivery
from crisis.receiver.dispatch import handle_all
from crisis.receiver.judging import group_of
from crisis.receiver.routing import fingerprint_of, name_of, route
from crisis.receiver.senders import aws_sns
from crisis.receiver.senders.alert import Alert, Message
from crisis.receiver.senders.certificate import Certificates
from crisis.receiver.senders.registry import delivery_key, kept_headers, kind_named, read_as
from crisis.settings import Settings
from tests.fuzz.seeds import seeds_of
from tests.fuzz.wire import Headers, parted
from tests.receiver.conftest import ROOT
from tests.receiver.senders.conftest import SIGNING, WHSEC, rule_of
from tests.receiver.senders.notary import SECRET, Cloud

__all__ = ["Finding", "Target", "ground"]

_PER_64_KB = 1.0
_BATCH = 20
_HEX = re.compile(r"[0-9a-f]{64}")
_HOST = "sns.eu-west-1.amazonaws.com"
_FAR = timedelta(days=365_000)


class Finding(AssertionError):  # noqa: N818 - what fuzzing is for
    """Something that must not happen."""


class Target:
    """Takes inputs of one kind; `every` so many of them, those that were read go through the inbox together."""

    def __init__(
        self,
        kind: str,
        context: Context,
        every: int = 1000,
        slowly: float = _PER_64_KB,
        cloud: Cloud | None = None,
    ) -> None:
        self.kind, self.context, self.every, self.slowly = kind, context, every, slowly
        self.rule, self.message = context.protocol.alerts[kind], kind_named(kind)
        self.shown = context.protocol.model_copy(update={"alerts": {kind: _shown(kind)}})
        self.now, self.runs = datetime.now(UTC), 0
        self.cloud = cloud or Cloud()
        aws_sns.CERTIFICATES = Certificates(self.cloud)
        self.seeds = seeds_of(kind, self.cloud)
        self.genuine = {body for _, body in map(parted, self.seeds)}
        self._waiting = dict[str, Delivery]()

    def __call__(self, data: bytes) -> None:
        """Do to an input what intake does, and now and then what the inbox does."""
        headers, raw = parted(data)
        self.runs += 1
        with self._in_time(len(raw)):
            self._prove(headers, raw)
        with self._in_time(len(raw)):
            self._read(headers, raw)
        if self.runs % self.every == 0:
            self.settle()

    def settle(self) -> None:
        """Put what was read through the inbox, and look at its page."""
        waiting, self._waiting = list(self._waiting.values()), {}
        if not waiting:
            return
        with self._in_time(sum(len(one.raw) for one in waiting)):
            self.context.inbox.put_all(waiting)
            handle_all(self.context, waiting)
        for one in waiting:
            self._look(one)

    def _prove(self, headers: Headers, raw: bytes) -> None:
        secret = (WHSEC if self.kind == "standard-webhooks" else SECRET).encode()
        try:
            proved = is_signed(self.context.protocol, self.kind, headers, raw, self.now, lambda _: secret)
        except TransientError:
            proved = False
        if proved and self.kind in SIGNING and raw not in self.genuine:
            raise Finding("a body that nobody signed was believed")
        if any(host != _HOST for host, *_ in self.cloud.asked):
            raise Finding("a foreign host was asked for a certificate")
        self.cloud.asked.clear()
        in_address = headers[0][1] if headers else ""
        if is_authentic(self.shown, self.kind, headers, in_address, lambda _: b"nobody knows this"):
            raise Finding("a secret that nobody showed was believed")

    def _read(self, headers: Headers, raw: bytes) -> None:
        kept = kept_headers(self.message, headers)
        try:
            reading = read_as(self.kind, self.rule, raw, kept)
        except ValueError as error:
            _check_text(str(error), 200)
            return
        key = delivery_key(self.kind, self.rule, Message(raw, kept, self.rule), reading, self.now)
        if not _HEX.fullmatch(key):
            raise Finding("a delivery has no proper name")
        for alert in reading.alerts:
            self._check(alert)
        for note in reading.notes:
            _check_text(note, 400)
        if len(self._waiting) < _BATCH:
            self._waiting[key] = Delivery(key, self.kind, write_time(utc_now()), raw, headers=kept)

    def _check(self, alert: Alert) -> None:
        if alert.status not in ("firing", "resolved"):
            raise Finding("an alert neither fires nor is resolved")
        if alert.starts_at is not None and not abs(self.now - alert.starts_at) < _FAR * 30:
            raise Finding("an alert began at no time")
        canonical([dict(alert.labels), dict(alert.annotations), alert.summary, alert.severity]).encode()
        wish = route(self.context.protocol, self.kind, alert)
        said = wish.summary if isinstance(wish, Start) else wish.because
        for text in (said, name_of(alert), fingerprint_of(alert), alert.service, alert.url):
            _check_text(text)
        group_of(self.kind, alert).encode()

    def _look(self, one: Delivery) -> None:
        found = self.context.inbox.get(one.delivery)
        if found is None or found.state == NEW:
            raise Finding("a delivery was not settled")
        if found.state == HELD and "cannot be judged" in found.says:
            raise Finding(f"a delivery is stuck: {found.says}")
        _check_text(found.says)
        read_delivery(self.context, found, utc_now())

    @contextmanager
    def _in_time(self, size: int) -> Iterator[None]:
        began = time.process_time()
        yield
        took = time.process_time() - began
        if took > self.slowly * max(1.0, size / 65536):
            raise Finding(f"{size} bytes took {took:.1f} s")


@cache
def _told() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((ROOT / "protocol.yaml").read_text(encoding="utf-8"))
    return found


@contextmanager
def ground(kind: str, migrated: Path | None = None) -> Iterator[Context]:
    """
    Put up a receiver with one sender, whose alerts all start something, over a journal that is thrown away.

    An empty journal can be given, to be copied.
    """
    routes = [
        {"when": {"alertname": "JourneyFailing"}, "start": "critical-down", "service": "shop", "level": 1},
        {"when": {"severity": "warning"}, "start": "degraded", "level": 2},
        {"when": {}, "start": "bad-deploy", "service": "shop", "level": 2},
    ]
    rule = rule_of(kind, routes=routes).model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    protocol = Protocol.model_validate({**_told(), "alerts": {kind: rule}})
    with tempfile.TemporaryDirectory(prefix="crisis-fuzz-") as home:
        if migrated is not None:
            shutil.copyfile(migrated, Path(home) / "journal.db")
        journal = Journal.open(f"sqlite:///{home}/journal.db")
        settings = Settings(home=Path(home), public_url="http://receiver.test")
        yield Context(journal, Inbox(journal.database), protocol, settings, lambda: None, "http://prefect.test")
        journal.close()


def _shown(kind: str) -> AlertSender:
    ways: dict[str, Any] = {"bearer": ["env:X"], "url_secret": "env:X", "basic": {"user": "x", "password": "env:X"}}
    return AlertSender.model_validate({"kind": kind, **ways, "header": {"name": "X-Crisis-Token", "value": "env:X"}})


def _check_text(text: str, longest: int = 1_000_000) -> None:
    """Check that PostgreSQL can hold a text, and that it is short enough."""
    text.encode()
    if "\x00" in text:
        raise Finding("a text has a zero in it, which PostgreSQL refuses")
    if len(text) > longest:
        raise Finding(f"a text has {len(text)} signs")
