"""A real PostgreSQL server of our own, in a folder of its own, on a port of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

__all__ = ["PostgreSQL"]


class PostgreSQL:
    """A server for the length of a block; `fresh` makes a database."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="crisis-postgresql-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.numbers = count(1)

    @staticmethod
    def binaries_here() -> Path | None:
        """Return the folder of the newest server on this machine, or None."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
        if found:
            return found[-1].parent
        on_path = shutil.which("initdb")
        return Path(on_path).resolve().parent if on_path else None

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        data = str(self.folder / "data")
        self._run("initdb", "--pgdata", data, "--no-sync", "--auth", "trust", "--username", "crisis", "--encoding=UTF8")
        # No fsync: what these tests kill are writers, never this server.
        wish = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "start", "--pgdata", data, "--wait", "--log", str(self.folder / "log"), "--options", wish)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._run("pg_ctl", "stop", "--pgdata", str(self.folder / "data"), "--mode", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def fresh(self) -> str:
        """Make an empty database and return its URL."""
        name = f"journal_{next(self.numbers)}"
        where = f"host=127.0.0.1 port={self.port} user=crisis dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://crisis@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        # The server refuses to run as root.
        other = ["runuser", "-u", pwd.getpwnam("postgres").pw_name, "--"] if os.geteuid() == 0 else []
        command = [*other, str(self.binaries / program), *arguments]
        with (self.folder.parent / f"{self.folder.name}.out").open("w+b") as said:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", check=False)
            said.seek(0)
            words = said.read().decode(errors="replace")
            Path(said.name).unlink()
        assert done.returncode == 0, f"{program} ended {done.returncode}: {words}"
