"""Task page: where a person closes a task with evidence. GET shows, POST closes, a one-time code proves who it is."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from crisis.domain.checklist import LONGEST
from crisis.domain.entry import Entry
from crisis.domain.incident import fold_incident
from crisis.domain.timeline import say_person
from crisis.engine.booth import Booth, RefusedVote
from crisis.engine.closing import SHORTEST, Claim, close_task
from crisis.receiver.access import visitor
from crisis.receiver.context import Context
from crisis.receiver.decide import Problem
from crisis.receiver.forgery import is_ours, remember, token_of
from crisis.receiver.forms import NO_CODE, code_in, fields_in, is_code, is_secure, posted
from crisis.receiver.pages import SAFE_HEADERS, PageError, page
from crisis.receiver.room import Todo, proved, todos

__all__ = ["task_routes"]

_FIELDS = {"person", "evidence", "code", "token"}


def task_routes(context: Context) -> APIRouter:
    """Return the routes of the pages that close a task; they need access, as the rooms do."""

    def who_looks(request: Request) -> str:
        return visitor(context, request)

    router = APIRouter(prefix="/incidents/{incident}/task")
    who_is_in = Annotated[str, Depends(who_looks)]

    @router.api_route("", methods=["GET", "HEAD"])
    def show(request: Request, incident: str, who: who_is_in, name: str = "") -> Response:
        """Show a task. Changes nothing."""
        return _Desk(context, request, who, incident, name).show()

    @router.post("")
    async def close(request: Request, incident: str, who: who_is_in, name: str = "") -> Response:
        """Close a task."""
        body = await posted(request)
        return await asyncio.to_thread(
            lambda: _Desk(context, request, who, incident, name).take(fields_in(request, body))
        )

    return router


@dataclass(frozen=True)
class _Desk:
    """One request about one task; `visitor` is who is in, which proves nothing here."""

    context: Context
    request: Request
    visitor: str
    incident: str
    name: str

    def take(self, fields: Mapping[str, str]) -> Response:
        problem = self._not_taken(fields)
        if problem is not None:
            return self.show(problem, fields)
        self._find()
        booth = Booth.of(self.context.journal, self.context.protocol, self.context.settings)
        claim = Claim(fields["person"], fields["evidence"], code_in(fields), "page")
        closed = close_task(booth, self.incident, self.name, claim)
        if isinstance(closed, RefusedVote):
            return self.show(Problem(HTTPStatus.FORBIDDEN, closed.because), fields)
        _, todo = self._find()
        if closed is None and todo.task.closed_by != fields["person"]:  # who pressed twice is told the same twice
            return self.show(Problem(HTTPStatus.CONFLICT, "somebody else closed it meanwhile"))
        where = f"/incidents/{quote(self.incident, safe='')}#tasks"
        return RedirectResponse(where, HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)

    def show(self, problem: Problem | None = None, fields: Mapping[str, str] | None = None) -> Response:
        """Show the task; the code goes back to no page."""
        entries, todo = self._find()
        people, token = self.context.protocol.people, token_of(self.request)
        kept = {name: (fields or {})[name][:LONGEST] for name in ("person", "evidence") if name in (fields or {})}
        response = page(
            "task.html",
            problem.status if problem else HTTPStatus.OK,
            incident=fold_incident(self.incident, entries),
            todo=todo,
            people=[(who, say_person(who, people)) for who, one in people.items() if one.proof and one.proof.totp],
            visitor=self.visitor,
            problem=problem.says if problem else "",
            kept=kept,
            token=token,
            shortest=SHORTEST,
            limit=LONGEST,
        )
        return remember(response, token, secure=is_secure(self.context, self.request), path="/incidents")

    def _find(self) -> tuple[list[Entry], Todo]:
        entries = proved(self.context, self.incident)
        found = next((one for one in todos(self.context, self.incident, entries) if one.task.name == self.name), None)
        if found is None:
            says = f"Open the page of {self.incident} to see which tasks there are."
            raise PageError(HTTPStatus.NOT_FOUND, "There is no such task", says)
        return entries, found

    def _not_taken(self, fields: Mapping[str, str]) -> Problem | None:
        """Say what is wrong with a form before anything is proved or recorded, or None."""
        if not fields.keys() >= _FIELDS:
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the form is not complete; fill it in here")
        if not is_ours(self.request, fields["token"], self.context.settings.address):
            says = "this form was not sent from this page, or it was open too long; close it again here"
            return Problem(HTTPStatus.FORBIDDEN, says)
        length = len(" ".join(fields["evidence"].split()))
        checks = (
            (not fields["person"], "say who you are"),
            (length < SHORTEST, "say what you saw and when, or give a link"),
            (length > LONGEST, f"the evidence is longer than {LONGEST} characters"),
            (not is_code(code_in(fields)), NO_CODE),
        )
        wrong = next((says for fails, says in checks if fails), None)
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, wrong) if wrong else None
