"""Keeper: puts what arrives into the inbox, all that wait in one transaction, and says of each when it is safe."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from crisis.errors import CrisisError
from crisis.journal.inbox import Delivery
from crisis.logs import Seldom

__all__ = ["FullError", "Keeper", "LostError"]

_WAITING = 5000
_AT_ONCE = 500
_PAUSE = 0.01
"""
Seconds from the begin of one transaction to that of the next, while they follow each other.

Whoever comes alone is kept at once. In a stream, ten commits of ten rows cost a third of a hundred of one.
"""

_BYTES_AT_ONCE = 8 * 1024 * 1024
"""One huge transaction would keep all others waiting; one delivery may be larger."""

_PATIENCE = 8.0
"""Seconds after which a store that hangs counts as away: GitHub hangs up after ten, and others come again sooner."""

_LOG = logging.getLogger(__name__)
_Waits = tuple[asyncio.Future[bool], Delivery]


class FullError(Exception):
    """More deliveries wait to be kept than there is room for."""


class LostError(Exception):
    """A delivery was not kept: the store took none of its transaction. Why stands in the log, once for all of them."""


class Keeper:
    """
    Keeps deliveries by one writer, which takes all that wait when it comes round.

    The disk is waited for in a thread, and once for many: a commit costs the same for one row as for hundreds. The
    writer lives while something waits. `put` keeps all that it is given or nothing. What it keeps too late was refused,
    and has the same name when it comes again.
    """

    def __init__(
        self,
        put: Callable[[Sequence[Delivery]], object],
        room: int = _WAITING,
        at_once: int = _AT_ONCE,
        patience: float = _PATIENCE,
    ) -> None:
        self._put, self._room, self._at_once, self._patience = put, room, at_once, patience
        self._queue = OrderedDict[asyncio.Future[bool], Delivery]()
        self._writer: asyncio.Task[None] | None = None
        self._seldom, self._last = Seldom(_LOG), float("-inf")
        # A thread of its own: others may wait for Vault, or for AWS.
        self._threads = ThreadPoolExecutor(1, "crisis-keeper")

    @property
    def waiting(self) -> int:
        """How many wait for the next transaction."""
        return len(self._queue)

    async def keep(self, delivery: Delivery) -> None:
        """Return once a delivery is durable, and not before. Raises FullError or LostError when it is not kept."""
        if len(self._queue) >= self._room:
            raise FullError
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue[kept] = delivery
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="keeper")
        try:
            async with asyncio.timeout(self._patience):
                safe = await kept
        except TimeoutError:
            self._seldom.warn(f"deliveries were turned away, the store did not answer within {self._patience:g} s")
            raise LostError from None
        finally:
            self._queue.pop(kept, None)
        if not safe:
            raise LostError

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            await asyncio.sleep(max(0.0, self._last + _PAUSE - loop.time()))
            if not self._queue:
                return  # whoever waited has been told to come again
            self._last, batch = loop.time(), self._take()
            work = loop.run_in_executor(self._threads, self._put, [delivery for _, delivery in batch])
            await asyncio.wait({work})
            error = work.exception()
            if error is not None:
                self._seldom.warn(_says(error))
            for kept, _ in batch:
                if not kept.done():  # whoever sent it may be gone, or have been told to come again
                    kept.set_result(error is None)

    def _take(self) -> list[_Waits]:
        batch = [self._queue.popitem(last=False)]
        size = len(batch[0][1].raw)
        while self._queue and len(batch) < self._at_once:
            size += len(next(iter(self._queue.values())).raw)
            if size > _BYTES_AT_ONCE:
                break
            batch.append(self._queue.popitem(last=False))
        return batch


def _says(error: BaseException) -> str:
    # Of a fault of ours the type alone: a message could quote what was sent to us.
    says = str(error) if isinstance(error, CrisisError) else type(error).__name__
    return f"deliveries were turned away, they could not be kept: {says}"
