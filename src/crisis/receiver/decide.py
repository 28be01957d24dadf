"""Decide: the page where people say yes or no. GET shows, POST decides, the one-time code proves."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from crisis.domain.decision import Decision
from crisis.engine.votes import NO, Answer, RefusedVote, cast
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context
from crisis.receiver.forgery import is_ours, remember, token_of
from crisis.receiver.pages import PageError, page
from crisis.receiver.question import Question, find_question

__all__ = ["REASON_LIMIT", "decision_routes"]

REASON_LIMIT = 2000
_BODY_LIMIT = 64 * 1024
_FIELDS = ("person", "answer", "code", "reason", "plan", "token")
_CODE = re.compile(r"[0-9]{6,8}")


@dataclass(frozen=True, slots=True)
class _Problem:
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
        try:
            body = await read_body(request, _BODY_LIMIT)
        except BadBodyError as error:
            raise PageError(
                error.status, "That could not be read", f"{error.because}. Go back and try again."
            ) from None
        return await asyncio.to_thread(_take, context, request, (incident, run, gate), body)

    return router


def _take(context: Context, request: Request, where: tuple[str, str, str], body: bytes) -> Response:
    question = find_question(context, *where)
    fields = _fields(request, body)
    problem = _not_taken(context, request, question, fields)
    if problem is not None:
        return _show(context, request, question, problem, fields)
    said = Answer(fields["person"], fields["answer"], _code(fields), fields["reason"].strip(), "page")
    result = cast(context.journal, context.protocol, question.gate, said)
    after = find_question(context, *where)
    if isinstance(result, RefusedVote):
        outdated = after.gate.plan.hash != question.gate.plan.hash or not after.open
        status = HTTPStatus.CONFLICT if outdated else HTTPStatus.FORBIDDEN
        return _show(context, request, after, _Problem(status, result.because), fields)
    return _accepted(after, result, said)


def _not_taken(context: Context, request: Request, question: Question, fields: Mapping[str, str]) -> _Problem | None:
    if not fields:
        return _Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the form is not complete; fill it in here")
    if not is_ours(request, fields["token"], context.settings.address):
        says = "this form was not sent from this page, or it was open too long; answer again here"
        return _Problem(HTTPStatus.FORBIDDEN, says)
    if fields["plan"] != question.gate.plan.hash:
        return _Problem(HTTPStatus.CONFLICT, "the plan has changed since you opened it; read it again")
    malformed = _malformed(question, fields)
    return _Problem(HTTPStatus.UNPROCESSABLE_ENTITY, malformed) if malformed else None


def _malformed(question: Question, fields: Mapping[str, str]) -> str | None:
    if not fields["person"]:
        return "say who you are"
    if fields["answer"] != NO and question.gate.plan.choice(fields["answer"]) is None:
        return "choose one of the answers"
    if not _CODE.fullmatch(_code(fields)):
        return "type the code that your authenticator shows now: six digits"
    if len(fields["reason"]) > REASON_LIMIT:
        return f"the reason is longer than {REASON_LIMIT} characters"
    return None


def _fields(request: Request, body: bytes) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="replace")
    except ValueError:
        return {}
    found = {name: value.replace("\r\n", "\n").replace("\x00", "\N{REPLACEMENT CHARACTER}") for name, value in pairs}
    if len(found) != len(pairs) or "plan" not in found or "token" not in found:
        return {}
    return {name: found.get(name, "") for name in _FIELDS}


def _code(fields: Mapping[str, str]) -> str:
    # Authenticators show "123 456", and phones paste it so.
    return "".join(fields["code"].split())


def _show(
    context: Context,
    request: Request,
    question: Question,
    problem: _Problem | None = None,
    fields: Mapping[str, str] | None = None,
) -> Response:
    token = token_of(request)
    kept = {name: (fields or {}).get(name, "") for name in ("person", "answer", "reason")}
    kept["reason"] = kept["reason"][:REASON_LIMIT]
    status = problem.status if problem else HTTPStatus.OK
    says = problem.says if problem else ""
    response = page("decide.html", status, question=question, problem=says, kept=kept, token=token, limit=REASON_LIMIT)
    return remember(response, token, secure=_is_secure(context, request))


def _accepted(question: Question, decision: Decision | None, said: Answer) -> Response:
    return page("accepted.html", question=question, decision=decision, answer=said.answer)


def _is_secure(context: Context, request: Request) -> bool:
    return request.url.scheme == "https" or context.settings.address.startswith("https://")
