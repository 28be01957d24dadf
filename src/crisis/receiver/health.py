"""Health: does the process answer, and can it do its work. In the words of draft-inadarei-api-health-check."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.errors import JournalError
from crisis.journal.pulses import ALIVE
from crisis.logs import Seldom
from crisis.receiver.context import Context

__all__ = ["Readiness", "health_routes"]

PASS, WARN, FAIL = "pass", "warn", "fail"
_WORST = (FAIL, WARN, PASS)

_EVERY = 1.0
"""Seconds for which one look at the store serves everybody who asks."""

_PATIENCE = 2.0
_ROUND, _PREFECT, _OLD = 10.0, 30.0, 30.0
"""Seconds after which the inbox's loop counts as dead, Prefect as away, and a delivery as left lying."""

_LOG = logging.getLogger(__name__)
_KIND = "application/health+json"


@dataclass(frozen=True, slots=True)
class Check:
    """How one part is; `output` says in words what is not as it should be."""

    name: str
    part: str
    status: str = PASS
    output: str = ""
    value: float | None = None
    unit: str = "s"

    def as_json(self, now: str) -> dict[str, Any]:
        """Return it as the draft writes it."""
        said: dict[str, Any] = {"componentType": self.part, "status": self.status, "time": now}
        if self.value is not None:
            said |= {"observedValue": round(self.value, 3), "observedUnit": self.unit}
        return {**said, "output": self.output} if self.output else said


_Look = tuple[list[Check], str]
"""How the store is, and what of it is for the log alone."""


class Readiness:
    """
    Looks whether alerts can be kept and are worked on.

    The store is written to, in a thread, once a second at most however many ask; a store that hangs holds up that one
    thread and nobody who asks.
    """

    def __init__(
        self, context: Context, clock: Callable[[], float] = time.monotonic, patience: float = _PATIENCE
    ) -> None:
        self.context, self.clock, self.patience = context, clock, patience
        self._seldom = Seldom(_LOG, most=1, per=60.0)
        self._threads = ThreadPoolExecutor(1, "crisis-readiness")
        self._looking: asyncio.Future[_Look] | None = None
        self._seen: tuple[float, list[Check]] | None = None

    async def checks(self) -> list[Check]:
        """Return how every part is."""
        return [*await self._store(), self._inbox(), self._prefect()]

    async def _store(self) -> list[Check]:
        if self._looking is None and self._seen is not None and self.clock() - self._seen[0] < _EVERY:
            return self._seen[1]
        if self._looking is None:
            self._looking = asyncio.get_running_loop().run_in_executor(self._threads, self._look)
            self._looking.add_done_callback(self._keep)
        done, _ = await asyncio.wait({self._looking}, timeout=self.patience)
        return done.pop().result()[0] if done else [_store(FAIL, f"no answer within {self.patience:g} s")]

    def _keep(self, looked: asyncio.Future[_Look]) -> None:
        self._looking = None
        if looked.cancelled() or looked.exception() is not None:
            return
        checks, problem = looked.result()
        self._seen = (self.clock(), checks)
        if problem:
            self._seldom.warn(problem)

    def _look(self) -> _Look:
        began = time.perf_counter()
        try:
            self.context.pulses.beat(ALIVE, utc_now())
            self.context.journal.head("INBOX")
            took = time.perf_counter() - began
            oldest = self.context.inbox.oldest_new()
        except JournalError as error:
            # The message would name the store's address: it stays in our log.
            return [_store(FAIL, "it cannot be written; the log says why")], str(error)
        return [_store(PASS, value=took), _oldest(oldest)], ""

    def _inbox(self) -> Check:
        age = self._age("inbox")
        if age is None:
            return Check("inbox:round", "component", FAIL, "starting: nobody looks at deliveries yet")
        late = "deliveries are not judged; the log says why" if age > _ROUND else ""
        return Check("inbox:round", "component", FAIL if late else PASS, late, age)

    def _prefect(self) -> Check:
        age = self._age("prefect")
        if age is not None and age <= _PREFECT:
            return Check("prefect:answer", "component", PASS, value=age)
        late = "Prefect does not answer; alerts are kept, and runs start once it does"
        return Check("prefect:answer", "component", WARN, late if age is not None else f"starting: {late}", age)

    def _age(self, name: str) -> float | None:
        beat = self.context.beats.get(name)
        return None if beat is None else max(0.0, self.clock() - beat)


def health_routes(context: Context) -> APIRouter:
    """Return the routes that monitoring asks."""
    router, readiness = APIRouter(), Readiness(context)

    @router.get("/healthz")
    async def healthy() -> JSONResponse:
        """Say that the process answers, and nothing more."""
        return _answer(PASS)

    @router.get("/readyz")
    async def ready() -> JSONResponse:
        """Say whether alerts can be kept and are worked on."""
        checks, now = await readiness.checks(), write_time(utc_now())
        worst = next(status for status in _WORST if any(check.status == status for check in checks))
        return _answer(worst, {check.name: [check.as_json(now)] for check in checks})

    return router


def _answer(status: str, checks: dict[str, Any] | None = None) -> JSONResponse:
    code = HTTPStatus.SERVICE_UNAVAILABLE if status == FAIL else HTTPStatus.OK
    said = {"status": status, **({"checks": checks} if checks else {})}
    return JSONResponse(said, code, headers={"Cache-Control": "no-store"}, media_type=_KIND)


def _store(status: str, output: str = "", value: float | None = None) -> Check:
    return Check("journal:write", "datastore", status, output, value)


def _oldest(received: str | None) -> Check:
    try:
        age = max(0.0, (utc_now() - parse_time(received)).total_seconds()) if received else 0.0
    except ValueError:
        damaged = "the time of a delivery is damaged; see its page in the inbox"
        return Check("inbox:oldest-new", "component", WARN, damaged)
    late = "deliveries lie in the inbox and nobody looks at them" if age > _OLD else ""
    return Check("inbox:oldest-new", "component", WARN if late else PASS, late, age)
