"""Artefacts: the kept files of each commit, its test suite, and a process that serves it."""

import asyncio
import re
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import crisis
from crisis.sandbox import tether
from crisis.sandbox.keys import Keys
from crisis.sandbox.origin import Origin

_SUMMARY = re.compile(r"^(\d+ \w+.*) in [\d.]+s", re.MULTILINE)
_SUITE_TAKES = 60
_START_TAKES = 10
_STOP_TAKES = 3


@dataclass(frozen=True)
class Running:
    """A release that answers."""

    sha: str
    url: str
    process: Process


@dataclass(frozen=True)
class Artefacts:
    """Everything that is done with the files of a commit."""

    home: Path
    origin: Origin
    keys: Keys
    _started: set[Process] = field(default_factory=set)

    def path(self, sha: str) -> Path:
        """Say where the files of a commit are kept."""
        return self.home / "releases" / sha

    def kept(self) -> set[str]:
        """Name the commits whose files are kept."""
        return {path.name for path in (self.home / "releases").iterdir() if not path.name.startswith(".")}

    async def keep(self, sha: str) -> None:
        """Unpack the files of a commit, once."""
        if not self.path(sha).exists():
            await asyncio.to_thread(self._unpack, sha)

    def _unpack(self, sha: str) -> None:
        half = self.path(f".{sha}")
        self.origin.archive(sha, half)
        half.rename(self.path(sha))

    async def test(self, sha: str) -> tuple[bool, str, str]:
        """Run the suite of a commit; say whether it passed, in short, and in full."""
        command = tether.command("pytest", "-q")
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.path(sha), env=self._env(sha), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        self._started.add(process)
        try:
            out, _ = await asyncio.wait_for(process.communicate(), _SUITE_TAKES)
        except TimeoutError:
            await self.stop(process)
            return False, f"stopped after {_SUITE_TAKES} s", ""
        self._started.discard(process)
        text = out.decode(errors="replace")
        short = _SUMMARY.findall(text)
        return process.returncode == 0, short[-1] if short else "no tests ran", text

    async def start(self, sha: str) -> Running | None:
        """Serve a commit on a free port; None when it does not become healthy."""
        with socket.create_server(("127.0.0.1", 0)) as door, self._log(sha).open("ab") as log:
            url = f"http://127.0.0.1:{door.getsockname()[1]}"
            fd = door.fileno()
            command = tether.command("crisis.sandbox.release", str(fd))
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.path(sha), env=self._env(sha), stdin=DEVNULL, stdout=log, stderr=log, pass_fds=(fd,)
            )
        self._started.add(process)
        if await _healthy(url, sha):
            return Running(sha, url, process)
        await self.stop(process)
        return None

    async def stop(self, process: Process) -> None:
        """End a process, by force when it does not listen."""
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_TAKES)
            except TimeoutError:
                process.kill()
                await process.wait()
        self._started.discard(process)

    async def close(self) -> None:
        """End everything that was started."""
        await asyncio.gather(*(self.stop(process) for process in list(self._started)))

    def _log(self, sha: str) -> Path:
        return self.home / "logs" / f"{sha}.log"

    def _env(self, sha: str) -> dict[str, str]:
        return {
            "PYTHONPATH": str(Path(crisis.__file__).parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "RELEASE_ID": sha,
            "SHOP_PROBE_PASSWORD": self.keys.probe_password,
            "SHOP_SESSION_KEY": self.keys.session,
        }


async def _healthy(url: str, sha: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=_START_TAKES) as client:
        try:
            answer = await client.get(f"{url}/healthz")
        except httpx.HTTPError:
            return False
    return answer.status_code == httpx.codes.OK and answer.json().get("releaseId") == sha
