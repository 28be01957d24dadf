"""Server: the embedded Prefect server, kept alive beside `crisis up`."""

import asyncio
import ctypes
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from crisis.errors import ProtocolError

__all__ = ["PrefectServer", "answers"]

_LOG = logging.getLogger("crisis.prefect")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class PrefectServer:
    """A child process that serves Prefect's API and UI on a SQLite database of ours."""

    def __init__(self, port: int, environment: Mapping[str, str], log: Path) -> None:
        self.port, self.environment, self.log = port, environment, log
        self.address = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server; it ends with this process, even when that is killed."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environment),
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no lock is taken
            )

    async def keep_alive(self) -> None:
        """Start the server again whenever it dies; until cancelled."""
        while True:
            if self._process is not None and self._process.poll() is not None:
                _LOG.warning("the Prefect server ended (exit %s): starting it again", self._process.returncode)
                self.start()
            await asyncio.sleep(0.5)

    @property
    def pid(self) -> int | None:
        """The server's process id while there is one."""
        return self._process.pid if self._process is not None else None

    def stop(self) -> None:
        """End the server."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def answers(api: str, log: Path, seconds: float = 90) -> None:
    """Wait until a Prefect API answers; ProtocolError says where to read on when it does not."""
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                if (await client.get(f"{api}/health", timeout=2)).is_success:
                    return
            await asyncio.sleep(0.1)
    raise ProtocolError(f"Prefect at {api}", wanted="its API", saw="no answer", then=f"read {log}")


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
