"""Keyring: the secrets of senders, at hand for a few seconds, so that a proof waits for neither disk nor Vault."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from crisis.errors import ProtocolError
from crisis.settings import read_reference

__all__ = ["Keyring", "Keys", "read_secret"]

_LASTS = 5.0
_SAY_EVERY = 60.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets by reference; one that could not be read is empty. `lacking` are those that might be read later."""

    values: Mapping[str, bytes] = field(repr=False)
    lacking: tuple[str, ...] = ()

    def __getitem__(self, reference: str) -> bytes:
        return self.values.get(reference, b"")


def read_secret(reference: str) -> bytes:
    """Return what a reference names; empty when it cannot be read, and the log says why."""
    value, problem = _look(reference)
    if problem:
        _LOG.error("%s", problem)
    return value


class Keyring:
    """
    Secrets as they were `lasts` seconds ago at most: a token that was changed counts, or does not, within that time.

    The environment is read at each look. Everything else is read in a thread, once for all who wait for it, and again
    before it is too old while it is in use, so that senders seldom wait.
    """

    def __init__(self, lasts: float = _LASTS, clock: Callable[[], float] = time.monotonic) -> None:
        self.lasts, self.clock = lasts, clock
        self._read: dict[str, tuple[float, bytes]] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(2, "crisis-keyring")

    async def keys(self, references: Iterable[str]) -> Keys:
        """Return the secrets that these references name."""
        wanted = dict.fromkeys(references)
        late = [self._fetch(one) for one in wanted if not self._at_hand(one)]
        if late:
            # Shielded: others wait for the same, and whoever asked first may hang up.
            await asyncio.gather(*(asyncio.shield(task) for task in late))
        values = {one: self._environment(one) if _quick(one) else self._read[one][1] for one in wanted}
        return Keys(values, tuple(one for one, value in values.items() if not value and not _quick(one)))

    def _at_hand(self, reference: str) -> bool:
        if _quick(reference):
            return True
        read = self._read.get(reference)
        age = self.clock() - read[0] if read is not None else self.lasts
        if self.lasts / 2 < age < self.lasts:
            self._fetch(reference)
        return age < self.lasts

    def _fetch(self, reference: str) -> asyncio.Task[None]:
        task = self._reading.get(reference)
        if task is None:
            task = self._reading[reference] = asyncio.create_task(self._refresh(reference), name="keyring")
            task.add_done_callback(lambda _: self._reading.pop(reference, None))
        return task

    async def _refresh(self, reference: str) -> None:
        began = self.clock()
        value, problem = await asyncio.get_running_loop().run_in_executor(self._threads, _look, reference)
        self._read[reference] = (began, value)
        self._say(reference, problem)

    def _environment(self, reference: str) -> bytes:
        value, problem = _look(reference)
        self._say(reference, problem)
        return value

    def _say(self, reference: str, problem: str) -> None:
        """Log what is wrong, now and then: strangers make us look as often as they like."""
        if problem and self.clock() >= self._said.get(reference, 0.0):
            self._said[reference] = self.clock() + _SAY_EVERY
            _LOG.error("%s", problem)


def _quick(reference: str) -> bool:
    return reference.startswith("env:")


def _look(reference: str) -> tuple[bytes, str]:
    try:
        return read_reference(reference).get_secret_value().encode(), ""
    except ProtocolError as error:
        return b"", str(error)
