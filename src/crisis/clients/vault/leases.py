"""Leases: revoked by prefix, and done when none is left, never when the server says that it will."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from crisis.clients.vault.seam import Seam
from crisis.errors import TransientError

__all__ = ["Leases", "Left"]

_LOOK_AGAIN = 0.1
_SECONDS, _SYNC_SECONDS = 10.0, 60.0
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Left:
    """What a revoke has left: leases under its prefix, and irrevocable ones of the whole server."""

    leases: int
    irrevocable: int


@dataclass(frozen=True)
class Leases:
    """`sys/leases`."""

    seam: Seam

    def below(self, prefix: str) -> list[str]:
        """List the leases under a prefix, to the last folder."""
        found, folders = list[str](), [f"{prefix.strip('/')}/"]
        while folders and len(found) < _MOST:
            folder = folders.pop()
            for name in self._list(folder):
                (folders if name.endswith("/") else found).append(folder + name)
        return found

    def roots(self) -> list[str]:
        """List the first folders of all leases."""
        return self._list("")

    def irrevocable(self) -> int:
        """Count the leases that the server has given up on: what they stand for may live."""
        params = {"type": "irrevocable"}
        heard = self.seam.ask("GET", "sys/leases/count", operation="count irrevocable leases", params=params)
        return int(heard.data.get("lease_count") or 0)

    def revoke_prefix(self, prefix: str, *, sync: bool = False) -> None:
        """
        Have everything under a prefix revoked. 202 is a place in a queue; with `sync` the server waits.

        Raises TransientError when the server, waiting, cannot end one of them.
        """
        path = f"sys/leases/revoke-prefix/{prefix.strip('/')}"
        self.seam.ask(
            "PUT", path, operation="revoke leases", target=prefix, body={"sync": sync}, sudo=True,
            seconds=_SYNC_SECONDS if sync else _SECONDS,
        )  # fmt: skip

    def drain(self, prefix: str, patience: float, said: Callable[[int], object] = lambda _: None) -> Left:
        """
        Revoke a prefix and wait until the count of its leases is 0; return what is left when patience ends.

        A queue that does not drain in half the time is passed by: the server is asked once to do it while we wait.
        """
        self.revoke_prefix(prefix)
        if left := self._wait(prefix, patience / 2, said):
            with suppress(TransientError):  # one of them cannot be ended; how many are left says the count
                self.revoke_prefix(prefix, sync=True)
            left = self._wait(prefix, patience / 2, said)
        return Left(left, self.irrevocable())

    def _wait(self, prefix: str, patience: float, said: Callable[[int], object]) -> int:
        until = time.monotonic() + patience
        while left := len(self.below(prefix)):
            said(left)
            if time.monotonic() > until:
                break
            time.sleep(_LOOK_AGAIN)
        return left

    def _list(self, folder: str) -> list[str]:
        path = f"sys/leases/lookup/{folder}"
        return self.seam.ask("LIST", path, operation="list leases", ok=(200, 404), sudo=True).list()
