"""Telephone: text messages and keys come in by Twilio, and each is a vote like any other."""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.background import BackgroundTask

from crisis.clients import twilio
from crisis.clients.twilio import CallTicket
from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.entry import Entry
from crisis.domain.incident import ended_runs, fold_incident
from crisis.domain.plan import CHANGE, NO
from crisis.domain.protocol import spelling
from crisis.engine.booth import Answer
from crisis.engine.votes import known_answers
from crisis.errors import CrisisError, JournalError
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context, Finished
from crisis.receiver.question import INCIDENT_NAME
from crisis.receiver.signatures import (
    cast_in_words,
    is_new,
    note_stranger,
    secrets_of,
    signed_by_twilio,
)
from crisis.receiver.slack import close_messages

__all__ = ["telephone_routes"]

_LOG = logging.getLogger(__name__)
_BODY_LIMIT = 64 * 1024
_TRIES = 3
_MOST_WAYS = 8  # the key after the last way to go says no, and a key is one digit
_FIELDS = {"From", "To", "Body", "MessageSid", "CallSid", "Digits"}
_LATELY = timedelta(hours=1)
_STOP = "stop"
_TITLE, _ON_NO = 300, 600  # a longer text would push the keys out of what is said
_REPEATED = "This came before and may have been counted. Look at the page behind the link before you answer again."
_SID = re.compile(r"[A-Z]{2}[0-9A-Za-z]{1,64}")
_NUMBER = re.compile(r"\s*q\s*#?\s*([0-9]{1,9})(?![0-9])", re.IGNORECASE)
_KEYS = re.compile(r"([1-9])([0-9]{6,8})")
_SPOKEN = re.compile(
    r"\s*(?:q\s*#?\s*(?P<number>[0-9]{1,9})(?![0-9])[\s:,.;]*)?"
    r"(?P<answer>\S.{0,59}?)[\s:,.;]+"
    r"(?P<code>[0-9]{3}[\s-]?[0-9]{3}|[0-9]{7,8})(?![0-9])[\s:,.;]*(?P<reason>.*)",
    re.IGNORECASE | re.DOTALL,
)

Form = dict[str, str]
Take = Callable[[Context, Form, str], Response]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What a person is asked: the open questions, the newest first, and the numbers of all of the last hour."""

    gates: list[Gate]
    numbers: list[int]


def telephone_routes(context: Context) -> APIRouter:
    """Return the routes that Twilio posts to."""
    router = APIRouter()

    @router.post("/twilio/sms")
    async def text(request: Request) -> Response:
        """Take a text message."""
        return await _receive(context, request, "/twilio/sms", _take_text)

    @router.post("/twilio/voice")
    async def voice(request: Request) -> Response:
        """Say what is asked to somebody who has picked up."""
        return await _receive(context, request, "/twilio/voice", _read_out)

    @router.post("/twilio/keys")
    async def keys(request: Request) -> Response:
        """Take the keys that were pressed."""
        return await _receive(context, request, "/twilio/keys", _take_keys)

    return router


async def _receive(context: Context, request: Request, path: str, take: Take) -> Response:
    try:
        body = await read_body(request, _BODY_LIMIT)
        return await asyncio.to_thread(_authentic, context, request, path, body, take)
    except BadBodyError as error:
        return PlainTextResponse(error.because, error.status)
    except CrisisError as error:
        _LOG.error("%s", error)
        return PlainTextResponse("the record cannot be used right now", HTTPStatus.SERVICE_UNAVAILABLE)


def _authentic(context: Context, request: Request, path: str, body: bytes, take: Take) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        pairs = twilio.read_form(body) if kind == "application/x-www-form-urlencoded" else []
    except ValueError:
        pairs = []
    query = request.scope["query_string"].decode("latin-1")
    # The address as Twilio was given it: what the request itself says about host and scheme, a proxy may have changed.
    url = f"{context.settings.address}{path}" + (f"?{query}" if query else "")
    offered = request.headers.getlist("x-twilio-signature")
    secrets = secrets_of(context.protocol.messages.token, context.protocol.messages.token_before)
    if len(offered) != 1 or not signed_by_twilio(secrets, url, pairs, offered[0]) or not pairs:
        raise BadBodyError(HTTPStatus.FORBIDDEN, "this is not signed by Twilio")
    read = [name for name, _ in pairs if name in _FIELDS]
    if len(set(read)) != len(read):
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "this says something twice")
    return take(context, dict(pairs), query)


def _is_new(context: Context, way: str, name: str, sid: str) -> bool:
    """
    Say whether this comes for the first time.

    What was seen may have been lost before it was counted: whoever sent it must be told to look, not left alone.
    """
    if not _SID.fullmatch(sid):
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "this has no name of its own")
    return is_new(context, way, f"{name}{sid}")


def _xml(content: bytes, after: BackgroundTask | None = None) -> Response:
    return Response(content, media_type="text/xml", background=after)


def _take_text(context: Context, form: Form, _query: str) -> Response:
    number = form.get("From", "")
    who = context.protocol.person(number)
    if who is None or context.protocol.people[who].sms != number:
        # No word to a stranger: an answer would tell which numbers are known here.
        note_stranger(context, "SMS", utc_now())
        return _xml(twilio.text_back())
    if not _is_new(context, "SMS", "", form.get("MessageSid", "")):
        return _xml(twilio.text_back(_REPEATED))
    gate, says = _answer_text(context, who, form.get("Body", ""))
    return _xml(twilio.text_back(says), _afterwards(context, gate))


def _answer_text(context: Context, who: str, text: str) -> tuple[Gate | None, str]:
    waiting = _waiting_for(context, who, utc_now())
    if not waiting.gates:
        return None, "Nothing waits for your answer."
    gate = _meant(waiting, _NUMBER.match(text))
    if gate is None:
        return None, _which(waiting)
    spoken = _SPOKEN.fullmatch(text)
    answer = _answer_of(gate, spoken["answer"]) if spoken else None
    if spoken is None or answer is None:
        # What was typed is not repeated, nor recorded: it may hold a code in the wrong place.
        return None, f"Not understood, nothing was counted. {_how(gate)}"
    said = Answer(who, answer, re.sub(r"[\s-]", "", spoken["code"]), spoken["reason"], "SMS")
    taken, says = cast_in_words(context, gate, said)
    return (gate, says) if taken else (None, f"Not counted: {says}.")


def _waiting_for(context: Context, who: str, now: datetime) -> _Waiting:
    found = _Waiting([], [])
    for incident in reversed(context.journal.incidents()):
        if not INCIDENT_NAME.fullmatch(incident):
            continue
        try:
            _add(found, _entries_of(context, incident, now), who, now)
        except JournalError as error:
            _LOG.warning("%s", error)  # one that is damaged must not hide the others
    return found


def _entries_of(context: Context, incident: str, now: datetime) -> list[Entry]:
    """Return the entries of an incident; none of one that was over long ago and that nobody has added to since."""
    head = context.journal.head(incident)  # before the entries: what comes in between makes it old
    known = context.over.get(incident)
    if known is not None and known.head == head and known.ended_at < now - _LATELY:
        return []
    entries = context.journal.entries(incident)
    with suppress(LookupError, TypeError, ValueError):  # an entry that says less than ours do: nothing to remember
        found = fold_incident(incident, entries)
        context.over.pop(incident, None)
        if found.ended_at is not None:
            context.over[incident] = Finished(head, found.service, found.playbook, found.outcome, found.ended_at)
    return entries


def _add(found: _Waiting, entries: list[Entry], who: str, now: datetime) -> None:
    over = ended_runs(entries)
    mine = [gate for gate in fold_gates(entries).values() if who in gate.people]
    still = [gate for gate in mine if gate.decision is None and gate.run not in over and now <= gate.deadline]
    asked = {gate.asked_as for gate in mine}
    asked |= {one.seq for one in entries if one.kind == "asked" and who in one.body.get("people", ())}
    lately = {one.seq for one in entries if one.time > now - _LATELY} | {gate.asked_as for gate in still}
    found.gates.extend(still)
    found.numbers.extend(asked & lately)


def _meant(waiting: _Waiting, number: re.Match[str] | None) -> Gate | None:
    """
    Return the one question that an answer can only mean, or None.

    A question of the last hour that is no longer open counts too: an answer that was on its way to it must not
    become one to a plan that its sender has not read.
    """
    if number is None:
        return waiting.gates[0] if len(waiting.gates) == len(waiting.numbers) == 1 else None
    if waiting.numbers.count(int(number[1])) != 1:
        return None
    return next((gate for gate in waiting.gates if gate.asked_as == int(number[1])), None)


def _answer_of(gate: Gate, typed: str) -> str | None:
    found = next((one for one in known_answers(gate) if spelling(one) == spelling(typed)), None)
    # The page calls a no a stop; a message that is nothing but the word never comes here: Twilio unsubscribes by it.
    return NO if found is None and spelling(typed) == _STOP else found


def _how(gate: Gate) -> str:
    answers = known_answers(gate)
    others = ", ".join(answers[1:])
    return f"Reply: Q{gate.asked_as} {answers[0]} CODE. Or {others} in its place; a reason may follow the code."


def _which(waiting: _Waiting) -> str:
    clear = [gate for gate in waiting.gates if waiting.numbers.count(gate.asked_as) == 1]
    if not clear:
        return "Nothing was counted: two questions have the same number. Decide by the link in the message."
    listed = "; ".join(f"Q{gate.asked_as} {gate.plan.title[:80]}" for gate in clear[:5])
    return f"Nothing was counted. Begin with the number of the question that waits: {listed}. {_how(clear[0])}"


def _read_out(context: Context, form: Form, query: str) -> Response:
    ticket, gate = _called(context, form, query)
    if not _is_new(context, "phone", "voice:", form.get("CallSid", "")):
        return _xml(twilio.say(f"{_REPEATED} Goodbye."))
    if gate is None:
        return _xml(twilio.say("This question needs no answer any more. Goodbye."))
    title = f"Crisis at {context.protocol.company}. {_sentence(gate.plan.title[:_TITLE])}"
    return _xml(_ask(context, ticket, gate, f"{title} {_terms(gate, utc_now())}"))


def _terms(gate: Gate, now: datetime) -> str:
    """Say until when an answer counts, what silence means, and what a no does."""
    minutes = int((gate.deadline - now).total_seconds() // 60)
    within = f"within {minutes} minutes" if minutes > 1 else "now"
    silence = f"{gate.plan.choices[0].name} goes ahead" if gate.silence == "proceed" else "nothing is done"
    several = f"{gate.needed} people must agree. " if gate.needed > 1 else ""
    answer = f"Answer {within}, before {gate.deadline:%H:%M} UTC. {several}If nobody answers, {silence}."
    return f"{answer} If you say no: {_sentence(gate.plan.on_no[:_ON_NO])}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _take_keys(context: Context, form: Form, query: str) -> Response:
    ticket, gate = _called(context, form, query)
    if not _is_new(context, "phone", f"keys:{ticket.tries}:", form.get("CallSid", "")):
        return _xml(twilio.say(f"{_REPEATED} Goodbye."))
    if gate is None:
        return _xml(twilio.say("This question needs no answer any more. Goodbye."))
    pressed = _KEYS.fullmatch(form.get("Digits", ""))
    answer = dict(_keys_of(gate)).get(int(pressed[1])) if pressed else None
    if pressed is None or answer is None:
        return _once_more(context, ticket, gate, "Those keys make no answer.")
    taken, says = cast_in_words(context, gate, Answer(ticket.who, answer, pressed[2], "", "phone"))
    if taken:
        return _xml(twilio.say(f"{says} Goodbye."), _afterwards(context, gate))
    return _once_more(context, ticket, gate, f"That was not counted: {says}.")


def _once_more(context: Context, ticket: CallTicket, gate: Gate, says: str) -> Response:
    if ticket.tries >= _TRIES:
        return _xml(twilio.say(f"{says} Please use the link in the message. Goodbye."))
    return _xml(_ask(context, replace(ticket, tries=ticket.tries + 1), gate, says))


def _called(context: Context, form: Form, query: str) -> tuple[CallTicket, Gate | None]:
    """Return what a call is about, and the question while it is open; refused where it is no call of ours."""
    ticket = CallTicket.read(query, context.settings.signing_key())
    person = context.protocol.people.get(ticket.who) if ticket else None
    if ticket is None or person is None or person.call is None or form.get("To") != person.call:
        raise BadBodyError(HTTPStatus.FORBIDDEN, "this is no call of ours")
    entries = context.journal.entries(ticket.incident)
    gate = fold_gates(entries).get((ticket.run, ticket.gate))
    if gate is None or gate.asked_as != ticket.question or gate.decision is not None:
        return ticket, None
    return ticket, None if ticket.run in ended_runs(entries) or utc_now() > gate.deadline else gate


def _ask(context: Context, ticket: CallTicket, gate: Gate, before: str) -> bytes:
    ways = ", ".join(f"press {key} to say {answer}" for key, answer in _keys_of(gate))
    says = f"{before} To answer, {ways}, then your six digit code, then hash."
    address = ticket.address(f"{context.settings.address}/twilio/keys", context.settings.signing_key())
    return twilio.ask_for_keys(says, address)


def _keys_of(gate: Gate) -> list[tuple[int, str]]:
    """Return which key stands for which answer; a change needs words, and so another way."""
    answers = [answer for answer in known_answers(gate) if answer not in (CHANGE, NO)][:_MOST_WAYS]
    return list(enumerate([*answers, NO], 1))


def _afterwards(context: Context, gate: Gate | None) -> BackgroundTask | None:
    return BackgroundTask(close_messages, context, gate) if gate is not None else None
