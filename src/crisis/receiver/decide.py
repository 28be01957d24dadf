"""Decide: the page where people say yes or no. GET shows, POST decides, a one-time code or a passkey proves."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from crisis.domain.decision import Decision
from crisis.domain.passkey import works_at
from crisis.domain.person import without_codes
from crisis.domain.plan import CHANGE
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.votes import cast, known_answers
from crisis.receiver.access import welcome
from crisis.receiver.context import Context
from crisis.receiver.forgery import is_ours, remember, token_of
from crisis.receiver.forms import NO_CODE, code_in, fields_in, is_code, is_secure, posted
from crisis.receiver.pages import page
from crisis.receiver.question import Question, find_question

__all__ = ["REASON_LIMIT", "Problem", "answer_in", "decision_routes", "read_form", "why_not_taken"]

REASON_LIMIT = 2000
_FIELDS = ("person", "answer", "code", "passkey", "reason", "plan", "token", "parts", "glass")
_STEP = re.compile(r"step-[0-9]{1,3}-[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a form was not taken: the status to answer with, and the words."""

    status: HTTPStatus
    says: str


def decision_routes(context: Context) -> APIRouter:
    """Return the routes of the decision pages."""
    router = APIRouter()
    where = "/decide/{incident}/{run}/{gate}"

    @router.api_route(where, methods=["GET", "HEAD"])
    def show(request: Request, incident: str, run: str, gate: str) -> Response:
        """Show a question, or how it was decided. Changes nothing."""
        return _show(context, request, find_question(context, incident, run, gate))

    @router.post(where)
    async def decide(request: Request, incident: str, run: str, gate: str) -> Response:
        """Take an answer."""
        return await asyncio.to_thread(_take, context, request, (incident, run, gate), await posted(request))

    return router


def _take(context: Context, request: Request, where: tuple[str, str, str], body: bytes) -> Response:
    question = find_question(context, *where)
    fields = read_form(request, body)
    problem = why_not_taken(context, request, question, fields) or _unproved(fields)
    if problem is not None:
        return _show(context, request, question, problem, fields)
    said = answer_in(question, fields)
    result = cast(Booth.of(context.journal, context.protocol, context.settings), question.gate, said)
    after = find_question(context, *where)
    if isinstance(result, RefusedVote):
        if _stands_already(context, question, after, said):
            # Who only repeats an answer has proved nothing by it, and is let in nowhere.
            return page("accepted.html", question=after, decision=after.gate.decision, said=said)
        outdated = after.gate.plan.hash != question.gate.plan.hash or not after.open
        status = HTTPStatus.CONFLICT if outdated else HTTPStatus.FORBIDDEN
        return _show(context, request, after, Problem(status, result.because), fields)
    return _accepted(context, after, result, said)


def _stands_already(context: Context, shown: Question, now: Question, said: Answer) -> bool:
    """Say whether this very answer of the same person stands: a button was pressed twice."""
    if shown.gate.asked_as != now.gate.asked_as or not (now.open or now.gate.decision is not None):
        return False
    who = context.protocol.person(said.who) or said.who
    steps = None if said.steps is None else tuple(sorted(set(said.steps)))
    wanted = (who, said.answer, steps, said.glass, without_codes(said.reason))
    return any((one.who, one.answer, one.steps, one.glass, one.reason) == wanted for one in now.standing)


def read_form(request: Request, body: bytes) -> dict[str, str]:
    """Return the fields of a decision page's form; nothing when it is none."""
    found = fields_in(request, body)
    if "plan" not in found or "token" not in found:
        return {}
    steps = {name: value for name, value in found.items() if _STEP.fullmatch(name)}
    return {name: found.get(name, "") for name in _FIELDS} | steps


def why_not_taken(context: Context, request: Request, question: Question, fields: Mapping[str, str]) -> Problem | None:
    """Say what is wrong with a form before anything is proved or recorded, or None."""
    if not fields:
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the form is not complete; fill it in here")
    if not is_ours(request, fields["token"], context.settings.address):
        says = "this form was not sent from this page, or it was open too long; answer again here"
        return Problem(HTTPStatus.FORBIDDEN, says)
    if fields["plan"] != question.gate.plan.hash:
        return Problem(HTTPStatus.CONFLICT, "the plan has changed since you opened it; read it again")
    malformed = _malformed(question, fields)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, malformed) if malformed else None


def answer_in(question: Question, fields: Mapping[str, str]) -> Answer:
    """Return the answer that a form holds."""
    return Answer(
        who=fields["person"],
        answer=fields["answer"],
        code="" if fields["passkey"] else code_in(fields),
        reason=fields["reason"].strip(),
        how="page",
        steps=_steps(question, fields),
        glass=bool(fields["glass"]),
        passkey=fields["passkey"],
    )


def _steps(question: Question, fields: Mapping[str, str]) -> tuple[int, ...] | None:
    """
    Return the steps that are approved, or None for all of them.

    A box that is not ticked sends nothing: only a form whose button says that boxes were shown can leave steps out.
    """
    shown = bool(fields["parts"] or fields["glass"])
    for number, choice in enumerate(question.gate.plan.choices):
        if choice.name == fields["answer"] and choice.severable and shown:
            kept = tuple(step for step in range(len(choice.steps)) if fields.get(f"step-{number}-{step}"))
            return None if len(kept) == len(choice.steps) else kept
    return None


def _malformed(question: Question, fields: Mapping[str, str]) -> str | None:
    checks = (
        (not fields["person"], "say who you are"),
        (fields["answer"] not in known_answers(question.gate), "choose one of the answers"),
        (len(fields["reason"]) > REASON_LIMIT, f"the reason is longer than {REASON_LIMIT} characters"),
        (
            fields["answer"] == CHANGE and not fields["reason"].strip(),
            "say in the reason what should be different",
        ),
    )
    return next((says for fails, says in checks if fails), None)


def _unproved(fields: Mapping[str, str]) -> Problem | None:
    if fields["passkey"] or is_code(code_in(fields)):
        return None
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, NO_CODE)


def _show(
    context: Context,
    request: Request,
    question: Question,
    problem: Problem | None = None,
    fields: Mapping[str, str] | None = None,
) -> Response:
    token = token_of(request)
    # What proves who somebody is goes back to no page.
    kept = {name: value for name, value in (fields or {}).items() if name not in ("code", "passkey", "token", "plan")}
    kept["reason"] = kept.get("reason", "")[:REASON_LIMIT]
    status, says = (problem.status, problem.says) if problem else (HTTPStatus.OK, "")
    shown: dict[str, Any] = {"question": question, "problem": says, "kept": kept, "token": token, "limit": REASON_LIMIT}
    by_passkey = works_at(context.settings.address)
    response = page("decide.html", status, live=True, by_passkey=by_passkey, **shown)
    return remember(response, token, secure=is_secure(context, request))


def _accepted(context: Context, question: Question, decision: Decision | None, said: Answer) -> Response:
    return welcome(page("accepted.html", question=question, decision=decision, said=said), context, said.who)
