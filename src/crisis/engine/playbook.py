"""Playbook: a function that reads like the runbook, made a Prefect flow that can be killed and started again."""

import inspect
import os
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial, wraps
from types import TracebackType
from typing import Annotated, Any, Self, get_type_hints
from uuid import UUID

from prefect import Flow, flow, get_run_logger
from prefect.context import FlowRunContext
from prefect.exceptions import Pause
from pydantic import TypeAdapter, WithJsonSchema

from crisis.domain.change import Change
from crisis.domain.clock import utc_now, write_time
from crisis.domain.incident import RECOVERED
from crisis.domain.leak import fingerprint_key
from crisis.domain.level import Level
from crisis.domain.protocol import Protocol
from crisis.domain.redaction import Mask
from crisis.domain.report import write_report
from crisis.domain.start import incident_id
from crisis.domain.timeline import fold_timeline
from crisis.engine.action import attempt
from crisis.engine.masked import MaskedErrors, without_secrets
from crisis.engine.mirror import PrefectMirror
from crisis.engine.run import PARKED, RESPONDER, ParkedError, Run
from crisis.errors import CrisisError, FencedError, JournalError, ProtocolError
from crisis.journal.lease import Lease, Leases
from crisis.journal.store import AlreadyRecordedError, Journal
from crisis.masked_logs import mask_every_record
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["PLAYBOOKS", "ServiceName", "adopted_lease", "adopted_protocol", "playbook", "refuse"]

adopted_lease: ContextVar[Lease | None] = ContextVar("crisis_lease", default=None)
"""The lease that the responder took for the run it starts in this process."""

adopted_protocol: ContextVar[Protocol | None] = ContextVar("crisis_protocol", default=None)
"""The protocol that the responder serves by: receiver and runs go by one, whatever an editor saves meanwhile."""

_INCIDENT = re.compile(r"INC-[0-9A-Za-z-]{1,60}")

_PLAIN: TypeAdapter[Any] = TypeAdapter(Any)

PLAYBOOKS: dict[str, Flow[..., None]] = {}
"""Every playbook by its kebab-case name."""


def _names(of: str) -> dict[str, Any]:
    # The form offers the known names; without a readable protocol it is plain text and the run says what is wrong.
    try:
        known = list(getattr(load_protocol(Settings().protocol_file), of))
    except ProtocolError:
        return {"type": "string"}
    return {"type": "string", "enum": known}


ServiceName = Annotated[str, WithJsonSchema({**_names("services"), "title": "Service"})]
PersonName = Annotated[str, WithJsonSchema({**_names("people"), "title": "Person"})]

_COMMON: dict[str, tuple[Any, Any, str]] = {
    "summary": (str, "", "What do users see? Plain words; may stay empty."),
    "level": (Level, Level.CRITICAL, "Defcon 1: a primary journey fails. 2: slow or a feature broken. 3: minor."),
    "requester": (PersonName | None, None, "Who are you? You cannot approve your own run. May stay empty."),
    "incident": (str | None, None, "The incident it belongs to; empty opens a new one."),
    "source": (str, "Prefect", "What started it; leave as it is."),
}


def playbook(
    *, escalate: Callable[[str, str], Change], ends: tuple[str, str] = (RECOVERED, "every proof held")
) -> Callable[[Callable[..., None]], Flow[..., None]]:
    """
    Make a function of a service a playbook: a flow with a form, a journal and a lease.

    What else the function asks for has a default, and says in its annotation what it means. It stands in Prefect's form
    and in the journal, so it is never a secret.

    escalate   the action that calls people when the playbook gives up: the service, and what is wrong.
    ends       the outcome of a body that came to its end, and why in words: a body that proves nothing says so.
    """

    def make(body: Callable[..., None]) -> Flow[..., None]:
        name = body.__name__.replace("_", "-")

        signature = _signature(body)
        own = _own(body)

        @wraps(body)
        def run(*args: Any, **kwargs: Any) -> None:
            given = signature.bind(*args, **kwargs).arguments
            service = str(given.pop("service"))
            asked = {one: given[one] for one in own if one in given}
            try:
                with MaskedErrors(), _open(name, service, given, escalate) as opened:
                    _play(partial(body, **asked), service, opened, escalate, ends)
            except ParkedError as parked:
                raise Pause(str(parked)) from None  # to Prefect's engine: this process is done, the run is not

        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__doc__ = _form_text(body)
        made: Flow[..., None] = flow(
            name=name, flow_run_name=f"{name} {{service}}", persist_result=False, validate_parameters=True
        )(run)
        PLAYBOOKS[name] = made
        return made

    return make


def _play(
    body: Callable[..., None],
    service: str,
    opened: "_Opened",
    escalate: Callable[[str, str], Change],
    ends: tuple[str, str],
) -> None:
    try:
        body(service)
    except FencedError:
        raise
    except CrisisError as error:
        attempt(escalate, service, str(error))
        opened.end(type(error).__name__, str(error), error)
        raise
    opened.end(*ends)


def _own(body: Callable[..., None]) -> dict[str, str]:
    """Return what a playbook asks for besides the service, by name, and what each means."""
    hints = get_type_hints(body, include_extras=True)
    names = [name for name in inspect.signature(body).parameters if name != "service"]
    said = {name: [one for one in getattr(hints[name], "__metadata__", ()) if isinstance(one, str)] for name in names}
    return {name: " ".join(words) for name, words in said.items()}


def _signature(body: Callable[..., None]) -> inspect.Signature:
    own = list(inspect.signature(body).parameters.values())
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    common = [
        inspect.Parameter(name, kind, default=default, annotation=annotation)
        for name, (annotation, default, _) in _COMMON.items()
    ]
    return inspect.Signature([*own, *common])


def _form_text(body: Callable[..., None]) -> str:
    """Add what each field means to the docstring: that is where Prefect's form takes its words from."""
    fields = {"service": "Which service is in trouble?", **_own(body)}
    fields |= {name: one[2] for name, one in _COMMON.items()}
    says = "\n".join(f"    {name}: {text}" for name, text in fields.items())
    return f"{inspect.getdoc(body) or body.__name__}\n\nArgs:\n{says}\n"


def _open(name: str, service: str, given: dict[str, Any], escalate: Callable[[str, str], Change]) -> "_Opened":
    mask_every_record()  # also where Prefect starts a playbook in a process that is none of ours
    settings = Settings()
    protocol = adopted_protocol.get() or load_protocol(settings.protocol_file)
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise ProtocolError(name, wanted="to run as a Prefect flow", saw="a bare call", then=f"use `crisis run {name}`")
    flow_run = context.flow_run
    incident = given.get("incident") or incident_id(str(flow_run.id), flow_run.created or utc_now())
    journal = Journal.open(settings.journal)
    leases = Leases(journal.database, settings.lease)
    holder = f"{socket.gethostname()}:{os.getpid()}"
    lease = adopted_lease.get() or leases.take(str(flow_run.id), incident, name, holder, os.getpid())
    if lease is None:
        raise FencedError(f"run {flow_run.id}", wanted="a free lease", saw="one in use or ended", then="this one stops")
    # Their one name in the record, by whatever account they started it.
    requester = given["requester"] = protocol.person(given.get("requester") or "") or given.get("requester") or ""
    mirror = PrefectMirror(UUID(str(flow_run.id)), get_run_logger())
    plain = without_secrets(
        flow_run.parameters, ("service", *_COMMON), fingerprint_key(settings.signing_key(), incident)
    )
    if plain != flow_run.parameters:
        mirror.started_with(Mask()(flow_run.name), plain)
    # Who started it may have left the company since: a run that lasts for months goes on without them.
    began = journal.entries(incident)
    newcomer = not any(entry.kind == "started" and entry.run == str(flow_run.id) for entry in began)
    unknown = _unknown(protocol, service, requester if newcomer else "", incident)
    if unknown is not None:
        refuse(journal, leases, lease, unknown)
        mirror.close()
        raise unknown
    tries = sum(entry.kind == "ended" and entry.run == str(flow_run.id) for entry in journal.entries(incident))
    run = Run(str(flow_run.id), incident, name, journal, protocol, settings, lease, mirror, requester, tries)
    run.summary = given["summary"] = Mask()(str(given.get("summary") or ""))
    opened = _Opened(run, leases, lambda says: attempt(escalate, service, says))
    opened.begin(service, given)
    return opened


def refuse(journal: Journal, leases: Leases, lease: Lease, error: CrisisError) -> None:
    """End a run that cannot begin: another start would find the same."""
    # Only into a chain that this run has a part in: a wrong name must not close somebody else's incident.
    if any(entry.run == lease.run for entry in journal.entries(lease.incident)):
        body = {"run": lease.run, "playbook": lease.playbook, "outcome": type(error).__name__, "says": str(error)}
        with suppress(AlreadyRecordedError):
            journal.append(lease.incident, "ended", RESPONDER, body, key=lease.end_key)
    leases.end(lease, type(error).__name__)


def _unknown(protocol: Protocol, service: str, requester: str, incident: str) -> ProtocolError | None:
    if service not in protocol.services:
        known = ", ".join(protocol.services)
        return ProtocolError(f"service {service!r}", wanted=f"one of: {known}", saw="an unknown one")
    if requester and protocol.person(requester) is None:
        known = ", ".join(protocol.people)
        return ProtocolError(f"person {requester!r}", wanted=f"one of: {known}", saw="an unknown one")
    if not _INCIDENT.fullmatch(incident):
        return ProtocolError("incident", wanted="a name like INC-20261124-3f9a2c", saw=repr(incident[:40]))
    return None


class _Opened:
    """A run between its first and its last entry: the lease is kept alive, the views are brought up to date."""

    def __init__(self, run: Run, leases: Leases, call_people: Callable[[str], object]) -> None:
        self.run, self.leases, self._call_people = run, leases, call_people
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)

    def begin(self, service: str, given: dict[str, Any]) -> None:
        run = self.run
        if not self.leases.renew(run.lease):
            raise FencedError(f"run {run.id}", wanted="our lease", saw="another's", then="this one stops")
        requester = given.get("requester")
        opened = {"service": service, "summary": given.get("summary") or "no summary given", "playbook": run.playbook}
        opened |= {"source": given.get("source", ""), "requester": requester, "drill": run.settings.drill}
        level = Level(given.get("level", Level.CRITICAL))
        self._once("opened", opened, "opened", requester)
        self._once("level", {"level": int(level), "because": f"set when {run.playbook} began"}, "level:1", requester)
        asked = {name: value for name, value in given.items() if name not in _COMMON}
        # Whoever fills in a form in a hurry may paste a secret where its name is asked for.
        key = fingerprint_key(run.settings.signing_key(), run.incident)
        plain = without_secrets(_PLAIN.dump_python(asked, mode="json"), (), key)
        more = {"asked_for": plain} if asked else {}
        run.record("started", {"playbook": run.playbook, "start": run.lease.starts, **more})

    def _once(self, kind: str, body: dict[str, Any], key: str, requester: str | None) -> None:
        with suppress(AlreadyRecordedError):  # the receiver opened it, or this run did before it was killed
            self.run.record(kind, body, key=key, actor=requester or RESPONDER)

    def end(self, outcome: str, says: str, error: CrisisError | None = None) -> None:
        """Record the end once; a replay that ends again finds it recorded."""
        with suppress(AlreadyRecordedError):
            self.run.end(outcome, says, error)
        self._stop_heart()  # first: a beat that finds the lease ended would take it for another's, and end this process
        self.leases.end(self.run.lease, outcome)

    def __enter__(self) -> Self:
        self._heart.start()
        self.run.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, CrisisError):
            # A fault in a playbook would fail the same way again: say so instead of starting over.
            says = f"{type(error).__name__} in the playbook; its log has the traceback"
            self._call_people(says)
            self.end("fault", says)
        if isinstance(error, ParkedError):
            more = {"wakes_on": list(error.wakes_on)} if error.wakes_on else {}
            self.run.record("put aside", {"gate": error.gate, "until": write_time(error.until), **more})
            self.run.mirror.put_aside()
        if not isinstance(error, ParkedError):
            self._stop_heart()
        self.run.__exit__(kind, error, traceback)
        self._publish()
        self.run.mirror.close()
        if isinstance(error, ParkedError):
            # Last, and with a beating heart until then: from here on another process may drive the run.
            self._stop_heart()
            self.leases.end(self.run.lease, PARKED)
        self.run.journal.close()

    def _stop_heart(self) -> None:
        self._over.set()
        self._heart.join()

    def _publish(self) -> None:
        entries = self.run.entries()
        rows = [
            {"time": f"{row.time:%H:%M:%S}", "what": row.title, "how": row.detail} for row in fold_timeline(entries)
        ]
        key = self.run.incident.lower()
        self.run.mirror.show(f"timeline-{key}", "table", rows, "What happened, from the journal")
        self.run.mirror.show(f"report-{key}", "markdown", write_report(entries), "The report")
        self.run.mirror.show(f"links-{key}", "markdown", self._links(), "Where to look")

    def _links(self) -> str:
        where = f"{self.run.settings.address}/incidents/{self.run.incident}"
        # Bare: whoever reads Prefect's UI has proved nothing to us. The page says how to get a link of one's own.
        return f"- [Incident]({where})\n- [Timeline picture]({where}/timeline.svg)\n- [Report]({where}/report.md)\n"

    def _beat(self) -> None:
        while not self._over.wait(self.leases.seconds / 4):
            try:
                mine = self.leases.renew(self.run.lease)
            except JournalError:
                continue  # a full disk may have room again; the body itself stops at its next entry
            if not mine and not self._over.is_set():
                # Somebody else drives this run now. Nothing of ours may touch the world any more.
                os._exit(75)
