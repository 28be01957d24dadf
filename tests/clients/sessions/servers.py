"""A real Redis of our own, in a folder of its own, behind a socket of its own."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import redis

__all__ = ["RedisServer"]


class RedisServer:
    """A server for the length of a block, reached by its UNIX socket; a cluster needs a port."""

    def __init__(self, *options: str, port: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crisis-redis-"))
        self.port, self.options = port, options
        self.url = f"redis://127.0.0.1:{port}" if port else f"unix://{self.folder / 'redis.sock'}"
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Return the server's program on this machine, or None."""
        return shutil.which("redis-server") or shutil.which("valkey-server")

    @staticmethod
    def free_port() -> int:
        """Find a port that a cluster may use: its bus takes the one 10,000 above."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            found = int(probe.getsockname()[1])
        return found if found < 50_000 else found - 25_000

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        wish = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        if not self.port:
            wish += ["--unixsocket", str(self.folder / "redis.sock")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([str(self.program()), *wish, *self.options], stdout=log, stderr=log)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                self.client().ping()
            except redis.RedisError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text(errors="replace"))

    def stop(self) -> None:
        """End it at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def client(self, **options: Any) -> redis.Redis:
        """Open it as the application does."""
        return redis.Redis.from_url(self.url, **options)

    def tell(self, *words: object) -> Any:
        """Send a command as it is written."""
        return self.client().execute_command(*words)  # type: ignore[no-untyped-call]
