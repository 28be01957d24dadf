"""Worker: judges in a process of its own, so that in a flood it takes no time from those who wait for an answer."""

import asyncio
import logging
import multiprocessing
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import TYPE_CHECKING, Any
from typing import Protocol as Shape

from crisis.domain.clock import utc_now
from crisis.domain.protocol import Protocol
from crisis.errors import JournalError
from crisis.journal.inbox import Inbox
from crisis.journal.store import Journal
from crisis.logs import set_up_logs
from crisis.receiver.afterwards import Afterwards
from crisis.receiver.context import Context
from crisis.receiver.dispatch import calm_down, handle_all, look_afterwards, recall_storm
from crisis.settings import Settings

__all__ = ["Here", "Turn", "Worker", "Works"]

_LOG = logging.getLogger("crisis.inbox")
_BATCH = 100
"""Deliveries in one transaction: while it lasts nobody else can write, and those who send alerts wait."""

_STOP_SECONDS = 5.0


if TYPE_CHECKING:
    _Line = Connection[Any, Any]
else:
    _Line = Connection


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to: deliveries judged, senders whose lists were cut off, and when there was last a storm."""

    judged: int
    cut_off: frozenset[str] = frozenset()
    last_excess: datetime | None = None
    trouble: str = ""


class Works(Shape):
    """Whoever judges what stands in the inbox."""

    async def turn(self, *, again: bool) -> Turn:
        """
        Judge a batch of what is new, and with `again` what is held and due.

        JournalError when it came to nothing: the store is away, or whoever judges died.
        """

    def close(self) -> None:
        """Stop."""


class Here:
    """Judges in a thread of this process."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._recalled = False
        self._afterwards = Afterwards(context)

    async def turn(self, *, again: bool) -> Turn:
        """Judge; see Works."""
        return await asyncio.to_thread(self.judge, again=again)

    def close(self) -> None:
        """Do nothing: there is nothing to stop."""

    def judge(self, *, again: bool) -> Turn:
        """Judge, in this very thread."""
        if not self._recalled:
            recall_storm(self.context)
            self._recalled = True
        turn = _turn(self.context, again=again)
        if again:
            look_afterwards(self.context, self._afterwards)
        return turn


class Worker:
    """Judges in a process of its own. When that dies another takes its place: each batch is one transaction."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._process: ForkServerProcess | None = None
        self._line: _Line | None = None

    async def turn(self, *, again: bool) -> Turn:
        """Judge; see Works."""
        try:
            line = self._line if self._line is not None else await asyncio.to_thread(self._start)
            line.send(again)
            turn = await _received(line)
        except (OSError, EOFError):
            self.close()
            saw, then = "that the process which judges died", "another one takes its place"
            raise JournalError("inbox", wanted="to judge what stands there", saw=saw, then=then) from None
        self.context.storm.last_excess = turn.last_excess
        if turn.trouble:
            raise JournalError("inbox", wanted="to judge what stands there", saw=turn.trouble)
        return turn

    def close(self) -> None:
        """Hang up: the process ends at the end of its batch."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.join(_STOP_SECONDS)
            self._process.kill()
        self._line = self._process = None

    def _start(self) -> _Line:
        context = multiprocessing.get_context("forkserver")  # the responder's, where there is one: all is imported
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self.context.protocol, self.context.settings), name="worker", daemon=True
        )
        self._process.start()
        theirs.close()
        self._line = ours
        return ours


async def _received(line: _Line) -> Turn:
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(line.fileno(), there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(line.fileno())
    found: Turn = line.recv()
    return found


def _serve(line: _Line, protocol: Protocol, settings: Settings) -> None:
    """Judge whenever we are told to, until the receiver hangs up or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the receiver, which then hangs up
    set_up_logs(settings.log, settings.log_level)
    journal = Journal.open(settings.journal)
    context = Context(journal, Inbox(journal.database), protocol, settings, lambda: None, "")
    here = Here(context)
    with suppress(EOFError, OSError):
        while True:
            again = bool(line.recv())
            try:
                turn = here.judge(again=again)
            except JournalError as error:
                turn = Turn(0, trouble=str(error))
            line.send(turn)


def _turn(context: Context, *, again: bool) -> Turn:
    new = context.inbox.new(_BATCH)
    if new:
        handle_all(context, new)
    if again:
        due = context.inbox.due(utc_now())
        if due:
            handle_all(context, due)
        calm_down(context)
    cut_off = frozenset(context.cut_off)
    context.cut_off.difference_update(cut_off)
    return Turn(len(new), cut_off, context.storm.last_excess)
