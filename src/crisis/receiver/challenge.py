"""Challenge: what a passkey is asked to sign: the answer in the form, and nothing else. Keeps and records nothing."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from crisis.domain.clock import utc_now
from crisis.engine.booth import Booth
from crisis.engine.passkeys import request_options
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context
from crisis.receiver.decide import answer_in, read_form, why_not_taken
from crisis.receiver.pages import SAFE_HEADERS
from crisis.receiver.question import Question, find_question

__all__ = ["challenge_routes"]

_BODY_LIMIT = 64 * 1024
_LONGEST_NAME = 60
_TEXTS = ("person", "answer", "reason", "plan", "token")


def challenge_routes(context: Context) -> APIRouter:
    """Return the route that a decision page asks before it asks a passkey."""
    router = APIRouter()

    @router.post("/decide/{incident}/{run}/{gate}/challenge")
    async def challenge(request: Request, incident: str, run: str, gate: str) -> Response:
        """Return the options for the browser, as JSON."""
        try:
            body = await read_body(request, _BODY_LIMIT)
        except BadBodyError as error:
            return _json({"error": error.because}, error.status)
        return await asyncio.to_thread(_challenge, context, request, (incident, run, gate), body)

    return router


def _challenge(context: Context, request: Request, where: tuple[str, str, str], body: bytes) -> Response:
    question = find_question(context, *where)
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    fields = _from_json(question, body) if is_json else read_form(request, body)
    problem = why_not_taken(context, request, question, fields)
    if problem is not None:
        return _json({"error": problem.says}, problem.status)
    said = answer_in(question, fields)
    said = replace(said, who=context.protocol.person(said.who) or said.who[:_LONGEST_NAME])
    booth = Booth.of(context.journal, context.protocol, context.settings)
    return _json(request_options(booth, question.gate, said, context.settings.address, utc_now()))


def _from_json(question: Question, body: bytes) -> dict[str, str]:
    """Return a JSON body as the form would have sent it: `steps` as numbers from 0, `glass` as true or false."""
    said: Any = None
    with suppress(ValueError, RecursionError):
        said = json.loads(body)
    if not isinstance(said, dict) or "plan" not in said or "token" not in said:
        return {}
    texts = {name: said.get(name) or "" for name in _TEXTS}
    if not all(isinstance(text, str) for text in texts.values()):
        return {}
    fields = {name: text.encode("utf-8", "replace").decode() for name, text in texts.items()}
    fields |= {"code": "", "passkey": "", "parts": "", "glass": "yes" if said.get("glass") is True else ""}
    steps = said.get("steps")
    if steps is None:
        return fields if not fields["glass"] else fields | _every_step(question)
    ticked = _ticked(question, fields["answer"], steps) if isinstance(steps, list) else None
    return {} if ticked is None else fields | ticked | {"parts": "shown"}


def _every_step(question: Question) -> dict[str, str]:
    choices = enumerate(question.gate.plan.choices)
    return {f"step-{number}-{step}": "on" for number, choice in choices for step in range(len(choice.steps))}


def _ticked(question: Question, answer: str, steps: list[Any]) -> dict[str, str] | None:
    every = _every_step(question)
    numbers = [number for number, choice in enumerate(question.gate.plan.choices) if choice.name == answer]
    ticked = {f"step-{number}-{step}": "on" for number in numbers for step in steps if type(step) is int}
    return ticked if len(ticked) == len(numbers) * len(set(map(str, steps))) and ticked.keys() <= every.keys() else None


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(dict(body), status, headers=SAFE_HEADERS)
