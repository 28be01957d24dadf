"""Live: a room that shows each change by itself, as server-sent events. One watcher per incident, however many look."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import Response
from starlette.types import Receive, Scope, Send

from crisis.domain.clock import utc_now, write_time
from crisis.errors import JournalError
from crisis.receiver.context import Context
from crisis.receiver.pages import SAFE_HEADERS, PageError
from crisis.receiver.room import Drawn, draw, head_of

__all__ = ["VIEWERS", "Live", "Pace", "Stream"]

VIEWERS = 300
"""How many streams there may be at once."""

_AGAIN = 300
"""Milliseconds after which a browser opens the next stream."""

_LOG = logging.getLogger(__name__)
_LINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Seconds between two looks at a head and between two signs of life, and how long a stream and one send may last.

    A stream ends after a while and the browser opens the next one: who has lost access by then is out.
    """

    look: float = 0.15
    beat: float = 15.0
    lasts: float = 60.0
    send: float = 10.0


@dataclass
class _Watch:
    """What is known of one incident, and who waits for news of it."""

    viewers: int = 0
    drawn: Drawn | None = None
    over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def tell(self) -> None:
        """Wake everybody who waits."""
        told, self.news = self.news, asyncio.Event()
        told.set()


class Live:
    """The rooms that are open, each watched once."""

    def __init__(self, context: Context, pace: Pace | None = None, limit: int = VIEWERS) -> None:
        self.context, self.pace, self.limit = context, pace or Pace(), limit
        self._watches: dict[str, _Watch] = {}

    @property
    def viewers(self) -> int:
        """How many streams are open."""
        return sum(watch.viewers for watch in self._watches.values())

    @property
    def watched(self) -> list[str]:
        """The incidents that somebody looks at."""
        return list(self._watches)

    @contextmanager
    def seat(self, incident: str) -> Iterator[Callable[[int], AsyncIterator[str]]]:
        """
        Count a viewer for as long as this lasts, and give what follows the incident for them.

        PageError 503 when there are too many. The watcher starts with the first viewer and ends with the last.
        """
        if self.viewers >= self.limit:
            says = f"{self.limit} people follow incidents here already. The page still shows how it stands: reload it."
            raise PageError(HTTPStatus.SERVICE_UNAVAILABLE, "Too many people are watching", says)
        watch = self._watches.get(incident)
        if watch is None or watch.over:
            watch = self._watches[incident] = _Watch()
            watch.task = asyncio.create_task(self._watch(incident, watch), name=f"watch {incident}")
        watch.viewers += 1
        try:
            yield lambda seen: self._follow(watch, seen)
        finally:
            watch.viewers -= 1
            if watch.viewers == 0:
                self._forget(incident, watch)

    def _forget(self, incident: str, watch: _Watch) -> None:
        if watch.task is not None:
            watch.task.cancel()
        if self._watches.get(incident) is watch:
            del self._watches[incident]

    async def _watch(self, incident: str, watch: _Watch) -> None:
        """Look at the head again and again; draw the room once for everybody when it has moved."""
        last: tuple[int, str] | None = None
        try:
            while not self.context.stopping.is_set():
                head = await asyncio.to_thread(head_of, self.context, incident)
                if head != last or watch.drawn is None:
                    watch.drawn = await asyncio.to_thread(draw, self.context, incident)
                    last = head
                    watch.tell()
                await asyncio.sleep(self.pace.look)
        except (JournalError, PageError) as error:
            # The streams end; the page says that it stands still and tries again.
            _LOG.warning("the room of %s is not live: %s", incident, error)
        except (LookupError, TypeError, ValueError) as error:
            # An entry that nobody foresaw. The type alone: a message could quote what stands in it.
            _LOG.error("the room of %s cannot be drawn: %s", incident, type(error).__name__)
        finally:
            watch.over = True
            watch.tell()

    async def _follow(self, watch: _Watch, seen: int) -> AsyncIterator[str]:
        """Yield an event whenever the room changes, and a sign of life when it does not; `seen` is shown already."""
        loop = asyncio.get_running_loop()
        until, shown = loop.time() + self.pace.lasts, None
        yield f"retry: {_AGAIN}\n\n{_beat()}"
        while not watch.over and loop.time() < until:
            news, drawn = watch.news, watch.drawn
            if drawn is not None and drawn is not shown:
                if shown is not None or drawn.seq != seen or drawn.damaged:
                    yield _event(drawn)
                shown = drawn
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self.pace.beat, max(until - loop.time(), 0))):
                    await news.wait()
                    continue
            yield _beat()


class Stream(Response):
    """An answer that goes on until the viewer is gone, the server stops, or its time is over."""

    media_type = "text/event-stream"

    def __init__(self, live: Live, incident: str, seen: int) -> None:
        self.live, self.incident, self.seen = live, incident, seen
        self.status_code, self.background = HTTPStatus.OK, None
        self.init_headers({**SAFE_HEADERS, "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream; a viewer too many gets the page of the error instead."""
        try:
            with self.live.seat(self.incident) as follow:
                await self._until_gone(receive, self._pump(follow(self.seen), send))
        except PageError as error:
            await error.as_page()(scope, receive, send)

    async def _pump(self, events: AsyncIterator[str], send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        # A viewer who takes nothing any more, such as a phone in a tunnel, must not keep a seat or the server's end.
        with suppress(TimeoutError):
            async for event in events:
                async with asyncio.timeout(self.live.pace.send):
                    await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_gone(self, receive: Receive, pump: Coroutine[None, None, None]) -> None:
        tasks = [asyncio.create_task(pump), asyncio.create_task(_gone(receive))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(drawn: Drawn) -> str:
    # The three line ends of the format, and no others, divide what a person or an alert wrote.
    data = "".join(f"data: {line}\n" for line in _LINE.split(drawn.html))
    return f"id: {drawn.seq}\nevent: room\n{data}\n"


def _beat() -> str:
    """Return a comment that keeps proxies from hanging up, and the time, by which the page knows that it is live."""
    return f": still here\n\nevent: beat\ndata: {write_time(utc_now())}\n\n"
