"""Clerk: works the inbox off. It judges what came, starts what is wanted, and looks again at what is held."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from crisis.domain.clock import utc_now
from crisis.domain.start import Start
from crisis.errors import JournalError, ProtocolError, TransientError
from crisis.journal.inbox import Delivery
from crisis.journal.store import AlreadyRecordedError
from crisis.receiver.context import Context
from crisis.receiver.dispatch import calm_down, handle_all, recall_storm

__all__ = ["ALIVE", "Clerk"]

_LOG = logging.getLogger("crisis.inbox")
_ROUND = 1.0
"""Seconds after which the inbox is looked at without a word from the receiver: a crash may have left something."""

_SLOW = 5.0
"""Seconds between two looks at what is held, at a storm, and at what is to be forgotten."""

ALIVE = "receiver"
"""The pulse that says when we were last at work: what came later may have been missed."""

_KEPT = timedelta(days=35)
"""How long deliveries and sightings are kept: a replay of an old one, signed and all, must be known for weeks."""

_FORGET = 3600.0


class Clerk:
    """Takes deliveries from the inbox, batch by batch, and has their runs started."""

    def __init__(self, context: Context, start: Callable[[Start], Awaitable[str]]) -> None:
        self.context, self.start = context, start
        self._slow_at = self._forget_at = 0.0

    async def work(self, woken: asyncio.Event) -> None:
        """Work until cancelled: woken by the receiver, and by itself each second."""
        await self._try(asyncio.to_thread(recall_storm, self.context))
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), timeout=_ROUND)
            woken.clear()
            self.context.beats["inbox"] = time.monotonic()
            await self._try(self.turn())

    async def turn(self) -> None:
        """Judge everything that is new, and what is due; start what is wanted. JournalError when the store is away."""
        context = self.context
        new = await asyncio.to_thread(context.inbox.new)
        if not new:
            await self._start_wanted()  # what Prefect could not take before, or a crash has left
        while new:
            await asyncio.to_thread(handle_all, context, new)
            context.beats["inbox"] = time.monotonic()
            await self._start_wanted()
            new = await asyncio.to_thread(context.inbox.new)
        if time.monotonic() >= self._slow_at:
            self._slow_at = time.monotonic() + _SLOW
            await self._look_again()

    async def _look_again(self) -> None:
        context = self.context
        await asyncio.to_thread(context.pulses.beat, ALIVE, utc_now())
        due = await asyncio.to_thread(context.inbox.due, utc_now())
        if due:
            await asyncio.to_thread(handle_all, context, due)
            await self._start_wanted()
        await asyncio.to_thread(calm_down, context)
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET
            await asyncio.to_thread(context.inbox.forget, utc_now() - _KEPT)
            await asyncio.to_thread(context.sightings.forget, utc_now() - _KEPT)

    async def _start_wanted(self) -> None:
        for delivery in await asyncio.to_thread(self.context.inbox.starting):
            await self._start(delivery)

    async def _start(self, delivery: Delivery) -> None:
        """Have the runs started that a delivery wants; while Prefect is away they stay wanted."""
        wishes = [Start.from_json(one) for one in json.loads(delivery.starts)]
        refused = list[str]()
        for wish in wishes:
            try:
                await self.start(wish)
            except TransientError as error:
                _LOG.warning("%s; the alert waits in the inbox", error)
                return
            except ProtocolError as error:
                _LOG.error("%s cannot be started for %s: %s", wish.playbook, wish.incident, error)
                await asyncio.to_thread(self._note, wish, error)
                refused.append(f"{wish.playbook} for {wish.incident} cannot be started: {error}")
        says = ", ".join(refused or [f"{wish.playbook} for {wish.incident}" for wish in wishes])
        await asyncio.to_thread(self.context.inbox.started, delivery.delivery, says)

    def _note(self, wish: Start, error: ProtocolError) -> None:
        with suppress(AlreadyRecordedError):
            says = f"{wish.playbook} cannot be started, a human must look: {error}"
            self.context.journal.append(
                wish.incident, "note", "responder", {"says": says}, key=f"not started:{wish.key}"
            )

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
        except JournalError as error:
            _LOG.warning("inbox: %s", error)
