"""Incidents: the list, and one page per incident with its picture and its report."""

from collections.abc import Iterator
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from crisis.domain.clock import utc_now
from crisis.domain.decision import fold_gates
from crisis.domain.entry import Entry
from crisis.domain.incident import RECOVERED, Incident, ended_runs, fold_incident
from crisis.domain.picture import draw_timeline
from crisis.domain.report import write_report
from crisis.domain.scorecard import fold_scorecard
from crisis.domain.timeline import LANES, fold_timeline, waiting
from crisis.receiver.context import Context
from crisis.receiver.pages import page, plain
from crisis.receiver.question import find_incident, link_to

__all__ = ["incident_routes"]

_LISTED = 50


def incident_routes(context: Context) -> APIRouter:
    """Return the routes of the incident pages."""
    router = APIRouter()
    router.add_api_route("/", _start)

    @router.api_route("/incidents", methods=["GET", "HEAD"])
    def overview() -> Response:
        """List the newest incidents."""
        return page("incidents.html", incidents=list(_newest(context)))

    @router.api_route("/incidents/{incident}", methods=["GET", "HEAD"])
    def one(incident: str) -> Response:
        """Show an incident."""
        return _one(context, find_incident(context, incident))

    @router.get("/incidents/{incident}/timeline.svg")
    def picture(incident: str) -> Response:
        """Draw an incident."""
        return _picture(find_incident(context, incident))

    @router.get("/incidents/{incident}/report.md")
    def report(incident: str) -> Response:
        """Write the report of an incident."""
        links = {"Live page": f"{context.settings.address}/incidents/{incident}"}
        text = write_report(find_incident(context, incident), context.protocol, links)
        return plain(text, "text/markdown; charset=utf-8")

    return router


def _start() -> Response:
    return RedirectResponse("/incidents")


def _picture(entries: list[Entry]) -> Response:
    found = fold_incident(entries[0].incident, entries)
    title = " · ".join(part for part in (found.id, found.service, found.summary) if part)
    until = None if found.ended_at else utc_now()
    return plain(draw_timeline(entries, title, until), "image/svg+xml")


def _newest(context: Context) -> Iterator[tuple[Incident, bool, str | None]]:
    names = [name for name in context.journal.incidents() if name.startswith("INC-")]
    for name in names[: -_LISTED - 1 : -1]:
        entries = context.journal.entries(name)
        incident = fold_incident(name, entries)
        yield incident, incident.outcome == RECOVERED, waiting(entries, utc_now(), context.protocol.people)


def _one(context: Context, entries: list[Entry]) -> Response:
    incident = fold_incident(entries[0].incident, entries)
    over = ended_runs(entries)
    gates = [gate for gate in fold_gates(entries).values() if gate.decision is None and gate.run not in over]
    runs = dict.fromkeys(entry.run for entry in entries if entry.kind == "started")
    prefect = context.prefect_ui.rstrip("/")
    return page(
        "incident.html",
        incident=incident,
        recovered=incident.outcome == RECOVERED,
        rows=fold_timeline(entries),
        lanes=LANES,
        score=fold_scorecard(entries).lines(),
        waits=waiting(entries, utc_now(), context.protocol.people),
        links=[(gate.plan.title, link_to(gate)) for gate in gates],
        runs=[(run, f"{prefect}/runs/flow-run/{quote(run, safe='')}") for run in runs] if prefect else [],
        last=entries[-1],
    )
