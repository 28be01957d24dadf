"""Incidents: the list, and one room per incident with its stream, its picture and its report. All need access."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import RedirectResponse

from crisis.domain.clock import utc_now
from crisis.domain.entry import Entry
from crisis.domain.incident import RECOVERED, TOLD, Incident, fold_incident
from crisis.domain.picture import draw_timeline
from crisis.domain.report import write_report
from crisis.domain.timeline import say_person, waiting
from crisis.errors import JournalError
from crisis.receiver.access import visitor
from crisis.receiver.context import Context
from crisis.receiver.live import Live, Stream
from crisis.receiver.pages import PageError, page, plain
from crisis.receiver.question import INCIDENT_NAME, find_incident
from crisis.receiver.room import head_of, proved, room_of

__all__ = ["incident_routes"]

_LISTED = 50


def incident_routes(context: Context, live: Live) -> APIRouter:
    """Return the routes of the incident pages."""
    router = APIRouter()
    router.add_api_route("/", _start)

    def who_looks(request: Request) -> str:
        return visitor(context, request)

    inside = APIRouter(prefix="/incidents", dependencies=[Depends(who_looks)])

    @inside.api_route("", methods=["GET", "HEAD"])
    def overview() -> Response:
        """List the newest incidents."""
        return page("incidents.html", incidents=list(_newest(context)))

    @inside.api_route("/{incident}", methods=["GET", "HEAD"])
    def room(incident: str, who: Annotated[str, Depends(who_looks)]) -> Response:
        """Show an incident."""
        shown = room_of(context, incident)
        return page("incident.html", live=True, room=shown, who=say_person(who, context.protocol.people))

    @inside.get("/{incident}/live")
    def stream(incident: str, after: str = "", last_event_id: Annotated[str, Header()] = "") -> Response:
        """Follow an incident; the browser says after which entry, itself or by the page's script."""
        if not INCIDENT_NAME.fullmatch(incident) or head_of(context, incident) is None:
            find_incident(context, incident)
        return Stream(live, incident, _number(last_event_id or after))

    @inside.get("/{incident}/timeline.svg")
    def picture(incident: str) -> Response:
        """Draw an incident."""
        return _picture(proved(context, incident))

    @inside.get("/{incident}/report.md")
    def report(incident: str) -> Response:
        """Write the report of an incident."""
        links = {"Live page": f"{context.settings.address}/incidents/{incident}"}
        text = write_report(proved(context, incident), context.protocol, links)
        return plain(text, "text/markdown; charset=utf-8")

    router.include_router(inside)
    return router


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004


def _start() -> Response:
    return RedirectResponse("/incidents")


def _picture(entries: list[Entry]) -> Response:
    found = fold_incident(entries[0].incident, entries)
    title = " · ".join(part for part in (found.id, found.service, found.summary) if part)
    until = None if found.ended_at else utc_now()
    return plain(draw_timeline(entries, title, until), "image/svg+xml")


def _newest(context: Context) -> Iterator[tuple[str, Incident | None, bool, str | None]]:
    names = [name for name in context.journal.incidents() if name.startswith("INC-")]
    for name in names[: -_LISTED - 1 : -1]:
        try:
            entries = proved(context, name)
        except (JournalError, PageError):
            yield name, None, False, None  # one that is damaged must not hide the others
            continue
        incident = fold_incident(name, entries)
        yield (
            name,
            incident,
            incident.outcome in (RECOVERED, TOLD),
            waiting(entries, utc_now(), context.protocol.people),
        )
