"""Inbox page: every delivery that was answered 202, and why it did or did not start something. Needs access."""

import re
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request, Response

from crisis.domain.clock import parse_time, say_duration, utc_now
from crisis.domain.model import NAME
from crisis.domain.timeline import say_person
from crisis.journal.inbox import STATES, Delivery
from crisis.receiver.access import visitor
from crisis.receiver.context import Context
from crisis.receiver.delivery import DELIVERY_NAME, damage_in, read_delivery, short, why
from crisis.receiver.foreign import one_line
from crisis.receiver.outlook import say_span
from crisis.receiver.pages import PageError, page
from crisis.receiver.question import INCIDENT_NAME

__all__ = ["inbox_routes"]

_LISTED = 50
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
_FORMS = {
    "state": re.compile("|".join(STATES)),
    "sender": re.compile(NAME),
    "incident": INCIDENT_NAME,
    "before": _TIME,
    "last": DELIVERY_NAME,
}
_ABOVE_ALL = "9999-12-31T23:59:59.999999Z"
_WHY, _WHOLE_WHY = 240, 4000
"""How much of a reason the list shows; the page of the delivery has all of it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for, and after which delivery the list goes on."""

    state: str = ""
    sender: str = ""
    incident: str = ""
    before: str = ""
    last: str = ""

    @classmethod
    def of(cls, request: Request) -> "Filter":
        """Read it out of an address; PageError 400 for one that we did not write."""
        asked = {name: request.query_params.get(name, "") for name in _FORMS}
        wrong = next((name for name, text in asked.items() if text and not _FORMS[name].fullmatch(text)), "")
        if wrong:
            says = f"What the address says as `{wrong}` cannot be looked for. Go to `/inbox` and follow its links."
            raise PageError(HTTPStatus.BAD_REQUEST, "That is no filter of the inbox", says)
        return cls(**asked)

    def link(self, **more: str) -> str:
        """Return the address of this filter with something changed, from its newest delivery on."""
        chosen = {"state": self.state, "sender": self.sender, "incident": self.incident, **more}
        query = urlencode({name: text for name, text in chosen.items() if text})
        return f"/inbox?{query}" if query else "/inbox"


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery in the list; `damage` says what is wrong with what is stored of it."""

    short: str
    link: str
    sender: str
    state: str
    says: str
    incident: str
    received: datetime | None
    damage: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that looks for something, how many fit, and whether it is what is looked for now."""

    name: str
    link: str
    chosen: bool
    number: int | None = None


def inbox_routes(context: Context) -> APIRouter:
    """Return the routes of the inbox pages."""

    def who_looks(request: Request) -> str:
        return visitor(context, request)

    inside = APIRouter(prefix="/inbox", dependencies=[Depends(who_looks)])

    @inside.api_route("", methods=["GET", "HEAD"])
    def overview(request: Request, who: Annotated[str, Depends(who_looks)]) -> Response:
        """List what came in, newest first."""
        return page("inbox.html", who=say_person(who, context.protocol.people), **_list(context, Filter.of(request)))

    @inside.api_route("/{name}", methods=["GET", "HEAD"])
    def detail(name: str, who: Annotated[str, Depends(who_looks)]) -> Response:
        """Show one delivery."""
        found = context.inbox.get(name) if DELIVERY_NAME.fullmatch(name) else None
        if found is None:
            says = "It never came in, or was thrown away since: what is settled is kept for some weeks. See `/inbox`."
            raise PageError(HTTPStatus.NOT_FOUND, "No such delivery", says)
        shown = read_delivery(context, found, utc_now())
        return page(
            "delivery.html", who=say_person(who, context.protocol.people), row=_row(found, _WHOLE_WHY), shown=shown
        )

    return inside


def _list(context: Context, chosen: Filter) -> dict[str, Any]:
    now, inbox = utc_now(), context.inbox
    wanted = {"state": chosen.state, "sender": chosen.sender, "incident": chosen.incident}
    found = inbox.page(_LISTED + 1, **wanted, before=(chosen.before, chosen.last))
    waiting, counted = inbox.oldest_waiting(), inbox.count()
    states = [Choice("all", chosen.link(state=""), not chosen.state, sum(counted.values()))]
    states += [Choice(one, chosen.link(state=one), chosen.state == one, counted[one]) for one in STATES]
    names = dict.fromkeys([*context.protocol.alerts, *filter(None, [chosen.sender])])
    senders = [Choice("every sender", chosen.link(sender=""), not chosen.sender)]
    senders += [Choice(one, chosen.link(sender=one), chosen.sender == one) for one in names]
    return {
        "rows": [_row(one) for one in found[:_LISTED]],
        "states": states,
        "senders": senders,
        "chosen": chosen,
        "every_incident": chosen.link(incident=""),
        "newest": chosen.link() if chosen.before else "",
        "older": _older(chosen, found),
        "waiting": _row(waiting) if waiting else None,
        "waits": _waits(waiting, now),
        "storm": _storm(context, now),
        "example": next(iter(context.protocol.alerts), ""),
        "address": context.settings.address,
    }


def _row(one: Delivery, limit: int = _WHY) -> Row:
    damage = damage_in(one)
    return Row(
        short=short(one),
        link=f"/inbox/{quote(str(one.delivery), safe='')}" if DELIVERY_NAME.fullmatch(str(one.delivery)) else "",
        sender=one_line(one.sender, 60),
        state="" if damage else one.state,
        says=one_line(why(one), limit),
        incident=one.incident if INCIDENT_NAME.fullmatch(str(one.incident)) else "",
        received=None if damage else parse_time(one.received),
        damage=damage,
    )


def _older(chosen: Filter, found: list[Delivery]) -> str:
    if len(found) <= _LISTED:
        return ""
    # Damaged times stand above all others; whoever goes on gets to what is sound.
    sound = [one for one in found[:_LISTED] if not damage_in(one) and DELIVERY_NAME.fullmatch(one.delivery)]
    if not sound:
        return chosen.link(before=_ABOVE_ALL)
    return chosen.link(before=sound[-1].received, last=sound[-1].delivery)


def _waits(waiting: Delivery | None, now: datetime) -> str:
    if waiting is None or damage_in(waiting):
        return ""
    return say_duration(max(now - parse_time(waiting.received), now - now)).replace(".0 s", " s")


def _storm(context: Context, now: datetime) -> str:
    """Say that a storm is on, or nothing."""
    watch = getattr(context, "storm", None)
    if watch is None or watch.is_calm(now):
        return ""
    rule = context.protocol.intake.storm
    says = f"More than {rule.groups} groups of alerts came within {say_span(rule.per)}."
    return f"{says} No remedy starts by itself until it is calm for {say_span(rule.calm)}."
