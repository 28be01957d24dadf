"""Clerk: works the inbox off. It judges what came, starts what is wanted, and looks again at what is held."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from crisis.domain.clock import utc_now
from crisis.domain.start import HAND_OVER, Start
from crisis.errors import JournalError, ProtocolError, TransientError
from crisis.journal.inbox import Delivery
from crisis.journal.pulses import ALIVE
from crisis.journal.store import AlreadyRecordedError
from crisis.receiver.context import Context
from crisis.receiver.worker import Here, Works

__all__ = ["Clerk"]

_LOG = logging.getLogger("crisis.inbox")
_ROUND = 1.0
"""Seconds after which the inbox is looked at without a word from the receiver: a crash may have left something."""

_REST = 0.5
"""Seconds of rest between two batches, at most."""

_AGAIN = 5.0
"""Seconds between two looks at what is held, and at whether a storm is over."""

_KEPT = timedelta(days=35)
"""How long deliveries and sightings are kept: a replay of an old one, signed and all, must be known for weeks."""

_FORGET = 3600.0


class Clerk:
    """Takes deliveries from the inbox, batch by batch, and has their runs started."""

    def __init__(self, context: Context, start: Callable[[Start], Awaitable[str]], worker: Works | None = None) -> None:
        self.context, self.start = context, start
        self.worker = worker or Here(context)
        self._again_at = self._forget_at = self._away_until = 0.0
        self._failed = set[str]()

    async def work(self, woken: asyncio.Event) -> None:
        """Work until cancelled: woken by the receiver, and by itself each second."""
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), timeout=_ROUND)
                woken.clear()
                await self._try(self.turn(woken))
        finally:
            self.worker.close()

    async def turn(self, woken: asyncio.Event | None = None) -> None:
        """
        Judge everything that is new, and what is due; start what is wanted. JournalError when the store is away.

        While more keeps coming, as `woken` says, it rests between batches: whoever sends an alert waits for an answer,
        and for the same processors and the same store. Being nice instead would leave the store locked for longer.
        """
        judged = 1
        while judged:
            began = time.monotonic()
            again = time.monotonic() >= self._again_at  # in a flood as well
            if again:
                self._again_at = time.monotonic() + _AGAIN
                await asyncio.to_thread(self._keep_house)
            try:
                turn = await self.worker.turn(again=again)
            except JournalError:
                await self._start_wanted()  # what is wanted already waits for no trouble of the judging
                raise
            self.context.beats["inbox"] = time.monotonic()  # only now: a round that came to nothing is none
            self.context.cut_off.update(turn.cut_off)
            # The first runs wait for no flood to end; with nothing new, here are those that Prefect could not take.
            await self._start_wanted()
            judged = turn.judged
            if judged and woken is not None and woken.is_set():
                woken.clear()
                await asyncio.sleep(min(time.monotonic() - began, _REST))

    def _keep_house(self) -> None:
        now = utc_now()
        self.context.pulses.beat(ALIVE, now)
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET
            self.context.inbox.forget(now - _KEPT)
            self.context.sightings.forget(now - _KEPT)

    async def _start_wanted(self) -> None:
        if time.monotonic() < self._away_until:
            return
        failed, wanted = False, await asyncio.to_thread(self.context.inbox.starting)
        # What failed the last time comes last: two of those in a row must not keep all others waiting for ever.
        self._failed &= {one.delivery for one in wanted}
        for delivery in sorted(wanted, key=lambda one: one.delivery in self._failed):
            try:
                await self._start(delivery)
            except TransientError as error:
                _LOG.warning("%s; what is wanted waits in the inbox", error)
                self._failed.add(delivery.delivery)
                self._away_until = time.monotonic() + _ROUND
                if failed:
                    return  # two in a row: Prefect is away, and not only at odds with one of them
                failed = True
            else:
                failed = False

    async def _start(self, delivery: Delivery) -> None:
        """Have the runs started that a delivery wants. TransientError while Prefect is away: they stay wanted."""
        says, trouble = list[str](), list[TransientError]()
        for wish in _wishes(delivery):
            try:
                await self.start(wish)
                says.append(f"{wish.playbook} for {wish.incident}")
            except TransientError as error:
                if trouble:
                    raise
                trouble.append(error)  # it may be about this run alone
            except ProtocolError as error:
                _LOG.error("%s cannot be started for %s: %s", wish.playbook, wish.incident, error)
                says.append(f"{wish.playbook} for {wish.incident} cannot be started: {error}")
                await asyncio.to_thread(self._not_started, wish, error)
                await self._tell(wish, error)
        if trouble:
            raise trouble[0]
        told = ", ".join(says) or "what it wanted cannot be read any more"
        await asyncio.to_thread(self.context.inbox.started, delivery.delivery, told)

    def _not_started(self, wish: Start, error: ProtocolError) -> None:
        """Note it, and end an incident that has no run: it must not take alerts in as if somebody worked on it."""
        says = f"{wish.playbook} cannot be started, a human must look: {error}"
        journal, key = self.context.journal, wish.key
        with suppress(AlreadyRecordedError):
            journal.append(wish.incident, "note", "responder", {"says": says}, key=f"not started:{key}")
        if any(entry.kind == "started" for entry in journal.entries(wish.incident)):
            return
        ended = {"playbook": wish.playbook, "outcome": "not started", "says": says}
        with suppress(AlreadyRecordedError):
            journal.append(wish.incident, "ended", "responder", ended, key=f"not begun:{key}")

    async def _tell(self, wish: Start, error: ProtocolError) -> None:
        if wish.playbook == HAND_OVER:
            return  # then nobody can be told by a playbook; the log and the note are what is left
        says = f"{wish.playbook} cannot be started: {error}; {wish.summary}"[:300]
        with suppress(ProtocolError):
            await self.start(replace(wish, playbook=HAND_OVER, summary=says, part=f"refused-{wish.playbook}"))

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
        except JournalError as error:
            _LOG.warning("inbox: %s", error)


def _wishes(delivery: Delivery) -> list[Start]:
    try:
        return [Start.from_json(one) for one in json.loads(delivery.starts)]
    except (LookupError, TypeError, ValueError) as error:
        says = "the runs that it wants cannot be read; see its page in the inbox, and start them by hand"
        _LOG.error("delivery %s: %s (%s)", delivery.delivery, says, type(error).__name__)
        return []
