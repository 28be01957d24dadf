"""Metrics: what Prometheus may know of us. Names of ours alone become labels: a stranger cannot make up new ones."""

import hmac
import math
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crisis.domain.clock import parse_time, utc_now
from crisis.domain.incident import fold_incident
from crisis.errors import JournalError
from crisis.receiver.context import Context

__all__ = ["UNKNOWN", "Metrics", "metrics_routes"]

UNKNOWN = "unknown"
"""What a sender is called that the protocol does not know."""

_ANSWERS = ("202", "400", "401", "413", "415", "500", "503")
_SHORT_OF = ("memory", "proof", "queue", "store")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_READ_AT_ONCE = 500
"""How many incidents one scrape reads at most: after a start the newest come first, the others with the next ones."""

_FORWARDING = ("forwarded", "via", "x-real-ip")
_CLOSED = (
    "metrics are for this machine alone: set CRISIS_METRICS_TOKEN and show it as a bearer token, "
    "or ask http://127.0.0.1 from here, without a proxy\n"
)


class Metrics:
    """Counts what the intake answers; all else is read when somebody asks."""

    def __init__(self, context: Context) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "crisis_deliveries",
            "Deliveries of alerts, by sender and answer",
            ["sender", "answer"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "crisis_delivery_seconds",
            "How long a delivery waited for its answer",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._away = Counter(
            "crisis_deliveries_turned_away", "Deliveries answered 503, by what we were short of", ["short_of"],
            registry=self.registry,
        )  # fmt: skip
        self._waiting = Gauge("crisis_deliveries_waiting", "Deliveries that wait to be kept", registry=self.registry)
        for sender in (*context.protocol.alerts, UNKNOWN):
            for answer in _ANSWERS:
                self._answers.labels(sender, answer)
        for what in _SHORT_OF:
            self._away.labels(what)
        Info("crisis_build", "Which crisis this is", registry=self.registry).info({"version": _version()})
        ProcessCollector(registry=self.registry)
        self.registry.register(_Kept(context))
        self.registry.register(_Alive(context))

    def answered(self, sender: str, status: HTTPStatus, seconds: float, short_of: str = "") -> None:
        """Count an answer; the sender must be one of the protocol, or UNKNOWN."""
        self._answers.labels(sender, str(int(status))).inc()
        self._seconds.observe(seconds)
        if short_of:
            self._away.labels(short_of).inc()

    def watch_waiting(self, waiting: Callable[[], int]) -> None:
        """Show how many deliveries wait to be kept."""
        self._waiting.set_function(waiting)


def metrics_routes(context: Context, metrics: Metrics) -> APIRouter:
    """Return the route that Prometheus scrapes."""
    router = APIRouter()

    @router.get("/metrics")
    def scrape(request: Request) -> Response:
        """Write every metric, for whoever may read them."""
        refused = _refusal(context, request)
        if refused is not None:
            return refused
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"Content-Type": kind, "Cache-Control": "no-store"})

    return router


def _refusal(context: Context, request: Request) -> Response | None:
    token = context.settings.metrics_token
    if token is None:
        return None if _is_local(request) else PlainTextResponse(_CLOSED, HTTPStatus.FORBIDDEN)
    offered = request.headers.getlist("authorization")
    scheme, _, value = (offered[0] if len(offered) == 1 else "").partition(" ")
    shown = value.strip().encode("utf-8", "surrogateescape")
    if hmac.compare_digest(shown, token.get_secret_value().encode()) and scheme.lower() == "bearer":
        return None
    says = "show the token of CRISIS_METRICS_TOKEN: Authorization: Bearer …\n"
    return PlainTextResponse(says, HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})


def _is_local(request: Request) -> bool:
    """Whether a program on this machine asks for itself: a proxy would hand us what anybody asks it."""
    named = (name.lower() for name in request.headers)
    if any(name in _FORWARDING or name.startswith("x-forwarded-") for name in named):
        return False
    # A proxy that says nothing of itself may still pass on the name that it was asked by; so does a browser whom
    # somebody's name server leads here.
    return _is_loopback(request.client.host if request.client else "") and _is_loopback(_name_asked(request))


def _name_asked(request: Request) -> str:
    host = request.headers.get("host", "")
    if not host.startswith("["):
        return host.partition(":")[0]
    inside, closed, _ = host[1:].partition("]")
    return inside if closed else ""


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


class _Alive(Collector):
    """How long ago each loop of ours came round, and whether alerts are a storm."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def collect(self) -> Iterable[Metric]:
        beats = GaugeMetricFamily(
            "crisis_loop_age_seconds", "How long ago a loop of ours last came round", labels=["loop"]
        )
        for name, moment in self.context.beats.copy().items():
            beats.add_metric([name], time.monotonic() - moment)
        yield beats
        storm = not self.context.storm.is_calm(utc_now())
        yield GaugeMetricFamily("crisis_storm", "1 while so many alerts come that no remedy starts", storm)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of an incident when its chain had this head; without a level it is over, or cannot be read."""

    head: str
    level: str = ""
    playbook: str = ""


class _Kept(Collector):
    """What stands in the store: deliveries by state, the oldest new one, and incidents that are open."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        readable = 0
        # Said below; what does not depend on the store is worth a scrape.
        with suppress(JournalError), self._lock:
            found = [*self._inbox(), self._incidents()]
            readable = 1
            yield from found
        yield GaugeMetricFamily("crisis_store_readable", "1 while the journal can be read", readable)

    def _inbox(self) -> Iterator[Metric]:
        inbox, oldest = self.context.inbox, self.context.inbox.oldest_new()
        states = GaugeMetricFamily("crisis_inbox", "Deliveries in the inbox, by state", labels=["state"])
        for state, number in inbox.count().items():
            states.add_metric([state], number)
        try:
            age = max(0.0, (utc_now() - parse_time(oldest)).total_seconds()) if oldest else 0.0
        except ValueError:
            age = math.nan  # damaged in the store: what else is known is worth a scrape
        yield states
        yield GaugeMetricFamily("crisis_inbox_oldest_new_seconds", "Age of the oldest delivery not looked at yet", age)

    def _incidents(self) -> Metric:
        heads = {name: head for name, head in self.context.journal.heads().items() if name.startswith("INC-")}
        moved = [name for name, head in heads.items() if name not in self._known or self._known[name].head != head]
        for name in sorted(moved, reverse=True)[:_READ_AT_ONCE]:
            self._known[name] = self._look(name, heads[name])
        found = GaugeMetricFamily("crisis_incidents_open", "Incidents that are open", labels=["level", "playbook"])
        known = [self._known[name] for name in heads if name in self._known]
        for (level, playbook), number in Tally((one.level, one.playbook) for one in known if one.level).items():
            found.add_metric([level, playbook], number)
        return found

    def _look(self, name: str, head: str) -> _Known:
        try:
            incident = fold_incident(name, self.context.journal.entries(name))
            level = str(int(incident.level)) if incident.ended_at is None else ""
        except (JournalError, LookupError, TypeError, ValueError):
            return _Known(head)  # one that is damaged must not hide the others; `crisis verify` names it
        return _Known(head, level, incident.playbook)


def _version() -> str:
    try:
        return version("crisis-protocols")
    except PackageNotFoundError:
        return UNKNOWN
