"""Slack: clicks come in, a dialogue asks for the code, and what it brings is a vote like any other."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.background import BackgroundTask

from crisis.clients import slack
from crisis.clients.slack import Click, Submission, Ticket
from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.incident import ended_runs
from crisis.domain.protocol import Slack as Place
from crisis.engine.booth import Answer
from crisis.engine.votes import known_answers
from crisis.errors import CrisisError
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context
from crisis.receiver.question import INCIDENT_NAME, link_to
from crisis.receiver.signatures import (
    cast_in_words,
    is_new,
    outcome_in_words,
    secrets_of,
    signed_by_slack,
)

__all__ = ["PATIENCE", "close_messages", "slack_routes"]

_LOG = logging.getLogger(__name__)
_BODY_LIMIT = 64 * 1024
PATIENCE = 2.5
"""Seconds after which an answer is due: Slack waits for three."""

_CHANGED = "the plan has changed since you were asked; read it again on the decision page"
_LATE = "this takes longer than usual and may still be recorded; look at the decision page before you answer again"


def slack_routes(context: Context) -> APIRouter:
    """Return the route that Slack sends clicks and dialogues to."""
    router = APIRouter()
    late: set[asyncio.Task[None]] = set()  # the loop itself would let go of them

    @router.post("/slack/actions")
    async def act(request: Request) -> Response:
        """Take a click, or an answer, that Slack signed."""
        try:
            body = await read_body(request, _BODY_LIMIT)
        except BadBodyError as error:
            return _no(error.status, error.because)
        work = asyncio.create_task(asyncio.to_thread(_take, context, request, body))
        # The thread goes on: what it records stands, whether Slack is still listening or not.
        done, _ = await asyncio.wait({work}, timeout=PATIENCE)
        if done:
            return work.result()
        left = asyncio.create_task(_finish(work))
        late.add(left)
        left.add_done_callback(lambda one: _let_go(late, one))
        return JSONResponse(slack.problem(_LATE))

    return router


async def _finish(work: asyncio.Task[Response]) -> None:
    """Do what comes after an answer that Slack no longer waits for."""
    response = await work
    if response.background is not None:
        await response.background()


def _let_go(late: set[asyncio.Task[None]], left: asyncio.Task[None]) -> None:
    late.discard(left)
    # Asyncio would log an error that nobody fetched, with its text.
    if not left.cancelled() and (error := left.exception()) is not None:
        _LOG.error("a late answer failed: %s", type(error).__name__)


def _take(context: Context, request: Request, body: bytes) -> Response:
    place = context.protocol.slack
    if place is None:
        return _no(HTTPStatus.NOT_FOUND, "there is no Slack here")
    offered = request.headers.getlist("x-slack-signature")
    stamps = request.headers.getlist("x-slack-request-timestamp")
    secrets = secrets_of(place.signing_secret, place.signing_secret_before)
    single = len(offered) == len(stamps) == 1
    if not single or not signed_by_slack(secrets, stamps[0], body, offered[0], utc_now()):
        return _no(HTTPStatus.UNAUTHORIZED, "this is not signed by Slack")
    seen = slack.read_interaction(body)
    if seen is None:
        return _no(HTTPStatus.BAD_REQUEST, "this is nothing that was offered")
    try:
        if not is_new(context, "Slack", hashlib.sha256(offered[0].encode()).hexdigest()):
            return _no(HTTPStatus.CONFLICT, "this was taken already")
        return _clicked(context, place, seen) if isinstance(seen, Click) else _submitted(context, place, seen)
    except CrisisError as error:
        _LOG.error("%s", error)
        return _no(HTTPStatus.SERVICE_UNAVAILABLE, "the record cannot be used right now")


def _no(status: HTTPStatus, because: str) -> Response:
    return PlainTextResponse(because, status)


def _clicked(context: Context, place: Place, click: Click) -> Response:
    gate = _gate_of(context, click.ticket)
    refusal = _stranger(context, place, click) or _closed(context, gate, click.ticket)
    if refusal or gate is None:
        _tell(place, lambda app: app.whisper(click.channel, click.member, refusal))
        return Response()
    opened = _tell(place, lambda app: app.open(click.trigger, slack.dialogue(gate, click.ticket.answer)))
    if not opened:
        page = context.settings.address + link_to(gate)
        says = f"The dialogue could not be opened. Click again, or decide here: {page}"
        _tell(place, lambda app: app.whisper(click.channel, click.member, says))
    return Response()


def _submitted(context: Context, place: Place, sent: Submission) -> Response:
    gate = _gate_of(context, sent.ticket)
    refusal = _stranger(context, place, sent)
    if refusal or gate is None:
        return JSONResponse(slack.problem(refusal or _CHANGED))
    if sent.ticket.answer not in known_answers(gate):
        return JSONResponse(slack.problem("this is no answer to the question any more"))
    # As it was shown: the one check behind all ways says what is wrong with an outdated one, and records it.
    shown = gate if _is_this(gate, sent.ticket) else replace(gate, asked_as=-1)
    code = "".join(sent.typed["code"].split())
    said = Answer(sent.member, sent.ticket.answer, code, sent.typed["reason"], "Slack")
    taken, says = cast_in_words(context, shown, said)
    if not taken:
        return JSONResponse(slack.problem(says))
    return JSONResponse(slack.result(says), background=BackgroundTask(close_messages, context, gate))


def _stranger(context: Context, place: Place, seen: Click | Submission) -> str:
    """Say why this sender cannot answer at all; empty when they are one of ours."""
    if place.team is not None and seen.team != place.team:
        return "Answers count from our own workspace alone."
    who = None if seen.bot else context.protocol.person(seen.member)
    if who is None or context.protocol.people[who].slack != seen.member:
        return "You are not one of those who decide here."
    return ""


def _gate_of(context: Context, ticket: Ticket) -> Gate | None:
    if not INCIDENT_NAME.fullmatch(ticket.incident):
        return None
    return fold_gates(context.journal.entries(ticket.incident)).get((ticket.run, ticket.gate))


def _is_this(gate: Gate, ticket: Ticket) -> bool:
    return gate.asked_as == ticket.asked_as and gate.plan.hash.startswith(ticket.plan) and ticket.plan != ""


def _closed(context: Context, gate: Gate | None, ticket: Ticket) -> str:
    """Say why a click on this button leads nowhere; empty when the question is open."""
    if gate is None:
        return "There is no such question."
    page = context.settings.address + link_to(gate)
    if not _is_this(gate, ticket) or ticket.answer not in known_answers(gate):
        return f"The plan has changed since this message: {page}"
    if gate.decision is not None:
        return f"{outcome_in_words(context, gate.decision)} {page}"
    over = gate.run in ended_runs(context.journal.entries(gate.incident)) or utc_now() > gate.deadline
    return f"The time to answer is over: {page}" if over else ""


def close_messages(context: Context, gate: Gate) -> None:
    """Take the buttons from everybody's message once the question is decided: a courtesy, nothing depends on it."""
    place = context.protocol.slack
    if place is None:
        return
    current = fold_gates(context.journal.entries(gate.incident))[gate.run, gate.name]
    if current.decision is None or current.asked_as != gate.asked_as:
        return
    marker = f"[{gate.incident} decide {gate.name} {gate.asked_as}]"
    content = slack.only_text(marker, gate.plan.title, outcome_in_words(context, current.decision))
    for who in current.people:
        member = context.protocol.people[who].slack if who in context.protocol.people else None
        if member is not None:
            _tell(place, _replacing(member, marker, content))


def _replacing(member: str, marker: str, content: dict[str, Any]) -> Callable[[slack.Slack], None]:
    def replace_message(app: slack.Slack) -> None:
        conversation = app.conversation(member)
        found = app.find(conversation, marker)
        if found is not None:
            app.update(conversation, found, content)

    return replace_message


def _tell(place: Place, say: Callable[[slack.Slack], None]) -> bool:
    """Say something at Slack; False when it did not work, which no vote depends on."""
    try:
        with slack.connect(place, timeout=2.0) as app:
            say(app)
    except CrisisError as error:
        _LOG.warning("%s", error)
        return False
    return True
