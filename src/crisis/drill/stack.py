"""Stack: a `crisis up` of its own, started and ended as a whole."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crisis.errors import UnprovenError
from crisis.sandbox.tether import command
from crisis.settings import UP_FILE, host_environment

__all__ = ["Stack"]

_START_SECONDS = 90
_STOP_SECONDS = 15
_NOT_INHERITED = ("CRISIS_", "PREFECT_")


class Stack:
    """Receiver, responder and Prefect on free ports. It is a process group, so that it can be killed as one."""

    def __init__(self, home: Path, environment: Mapping[str, str], project: Path) -> None:
        self.home, self.project = home, project
        self.port, self.prefect_port = _free_port(), _free_port()
        self.receiver = f"http://127.0.0.1:{self.port}"
        outside = environment.get("PREFECT_API_URL")
        self.prefect = outside.removesuffix("/api") if outside else f"http://127.0.0.1:{self.prefect_port}"
        host = host_environment().items()
        self._environment = {
            # Another stack's journal, address or Prefect must not become ours.
            **{name: value for name, value in host if not name.startswith(_NOT_INHERITED)},
            **environment,
            "CRISIS_HOME": str(home),
            "CRISIS_PROJECT": str(project),
            "CRISIS_PORT": str(self.port),
            "CRISIS_PREFECT_PORT": str(self.prefect_port),
            "CRISIS_SCHEDULES": "false",
            "CRISIS_DRILL": "true",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """What the stack says."""
        return self.home / "up.log"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that `crisis` commands need to reach this stack."""
        return dict(self._environment)

    def start(self) -> None:
        """Start the stack; it does not outlive this process."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / UP_FILE).unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command("crisis", "up"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.project,
                start_new_session=True,
            )

    def wait(self) -> dict[str, Any]:
        """Wait until playbooks can start; return where what is served."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if (self.home / UP_FILE).exists():
                return dict(json.loads((self.home / UP_FILE).read_text(encoding="utf-8")))
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.02)
        last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise UnprovenError("crisis up", wanted="a stack that serves", saw="".join(last) or "nothing")

    def kill(self) -> None:
        """Kill every process of the stack at once, as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # all of it has ended
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the stack in order; kill what is left of it, at once or after a while."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
