"""
A flood of alerts: the receiver with a real SQLite journal, beside a plain FastAPI endpoint that only answers 202.

Both are processes of their own with the same server settings, and take the same load, in turns, from a third one over
50 kept-alive connections: one alert after the other while nothing else happens, 10,000 in 10 s, and as many as there
can be. At the end every alert that was answered 202 must stand in the inbox.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from crisis.journal.inbox import Inbox
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.context import Context
from crisis.receiver.serving import server_for
from crisis.sandbox.tether import command
from crisis.settings import Settings, host_environment

PROJECT = Path(__file__).resolve().parents[1]
LOAD = Path(__file__).with_name("_load.py")
PATIENCE = 90
TESTS = {
    "idle": {"rate": 20, "seconds": 10, "connections": 1},
    "flood": {"rate": 1000, "seconds": 10},
    "full": {"rate": 0, "seconds": 8},
}


@dataclass
class Site:
    """A server that alerts can be posted to, and what was measured there."""

    kind: str
    port: int
    process: subprocess.Popen[str]
    journal: Path
    measured: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    peak: float = 0.0

    def load(self, test: str, token: str) -> None:
        """Let the load have its turn here."""
        words = [f"--{name}={value}" for name, value in TESTS[test].items()]
        words += [f"--port={self.port}", "--path=/alerts/alertmanager", f"--token={token}"]
        told = [sys.executable, str(LOAD), *words, f"--series={secrets.token_hex(3)}"]
        before = _worked(self.process.pid)
        done = subprocess.run(told, capture_output=True, text=True, timeout=PATIENCE, check=True)
        result = json.loads(done.stdout)
        result["work"] = (_worked(self.process.pid) - before) * 1000 / sum(result["answers"].values())
        self.measured.setdefault(test, []).append(result)
        if test == "flood":
            self.peak = max(self.peak, _peak(self.process.pid))
        answers = ", ".join(f"{number} x {answer}" for answer, number in result["answers"].items())
        times = " ".join(f"{name} {result[name]:7.1f} ms" for name in ("p50", "p99", "max"))
        pace = result["answers"].get("202", 0) / result["seconds"]
        print(
            f"{test:5} {self.kind:5} {times} {pace:6.0f}/s {result['work']:5.2f} ms of CPU each  {answers}", flush=True
        )

    def of(self, test: str, what: str) -> float:
        """Return the median of the rounds, or the worst of them for what must never be."""
        values = [one[what] for one in self.measured[test]]
        return max(values) if what == "max" else statistics.median(values)

    def pace(self) -> float:
        """Return alerts a second at full speed."""
        return statistics.median(one["answers"].get("202", 0) / one["seconds"] for one in self.measured["full"])

    def accepted(self) -> int:
        """Return how many alerts were answered 202."""
        return sum(one["answers"].get("202", 0) for rounds in self.measured.values() for one in rounds)

    def kept(self) -> int:
        """Return how many deliveries stand in the inbox."""
        journal = Journal.open(f"sqlite:///{self.journal}")
        number = sum(Inbox(journal.database).count().values())
        journal.close()
        return number


def main() -> int:
    """Let both have their turns; print the numbers, the ratios and what was aimed at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=2)
    parser.add_argument("--serve", choices=["ours", "plain"], help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, default=Path(), help=argparse.SUPPRESS)
    parser.add_argument("--loop", default="", help="asyncio or uvloop (install it first), for comparison")
    parser.add_argument("--http", default="", help="h11 or httptools, for comparison; by default as it is served")
    parser.add_argument("--alone", action="store_true", help="only take alerts in, without judging them meanwhile")
    asked = parser.parse_args()
    if asked.serve:
        return _serve(asked)
    token = secrets.token_urlsafe(24)
    with ExitStack() as stack:
        ours, plain = (stack.enter_context(_site(kind, token, asked)) for kind in ("ours", "plain"))
        for number in range(asked.rounds):
            for test in TESTS:
                for site in (ours, plain) if number % 2 == 0 else (plain, ours):
                    site.load(test, token)
        accepted, kept = ours.accepted(), ours.kept()
    return _report(ours, plain, accepted, kept)


def _report(ours: Site, plain: Site, accepted: int, kept: int) -> int:
    print()
    for test, what in (("idle", "p50"), ("idle", "p99"), ("flood", "p50"), ("flood", "p99"), ("flood", "max")):
        mine, theirs = ours.of(test, what), plain.of(test, what)
        print(f"{test:5} {what}   ours {mine:8.1f} ms   plain {theirs:8.1f} ms   {mine / theirs:5.1f} times as long")
    mine, theirs = ours.of("full", "work"), plain.of("full", "work")
    print(f"CPU each    ours {mine:8.2f} ms   plain {theirs:8.2f} ms   {mine / theirs:5.1f} times as much")
    mine, theirs = ours.pace(), plain.pace()
    print(f"full speed  ours {mine:7.0f}/s    plain {theirs:7.0f}/s    {mine / theirs:5.2f} of it")
    print(f"peak memory ours {ours.peak:7.0f} MB    plain {plain.peak:7.0f} MB")
    print(f"kept        {kept} of {accepted} answered 202")
    aims = {
        "idle p99 under 50 ms": ours.of("idle", "p99") < 50,
        "flood: no answer later than 1 s": ours.of("flood", "max") < 1000,
        "flood: all answered 202": all(set(one["answers"]) == {"202"} for one in ours.measured["flood"]),
        "flood: memory under 300 MB": ours.peak < 300,
        "1,000 a second or more": ours.pace() >= 1000,
        "none lost": kept >= accepted,
    }
    for aim, reached in aims.items():
        print(f"{'reached' if reached else 'MISSED '} {aim}")
    return 0 if aims["none lost"] else 1


@contextmanager
def _site(kind: str, token: str, asked: argparse.Namespace) -> Iterator[Site]:
    """Serve in a process of its own; it ends with this."""
    with tempfile.TemporaryDirectory(prefix="crisis-bench-") as home:
        words = ["--serve", kind, "--home", home, f"--loop={asked.loop}", f"--http={asked.http}"]
        words += ["--alone"] if asked.alone else []
        process = subprocess.Popen(
            command("benchmarks.flood", *words),
            cwd=PROJECT,
            env=host_environment(CRISIS_SANDBOX_ALERT_TOKEN=token),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield Site(kind, int(process.stdout.readline()), process, Path(home) / "journal.db")
        finally:
            process.terminate()
            process.wait(PATIENCE)
            process.stdout.close()


def _serve(asked: argparse.Namespace) -> int:
    if asked.loop == "uvloop":
        import uvloop  # noqa: PLC0415

        uvloop.run(_serving(asked))
    else:
        asyncio.run(_serving(asked))
    return 0


async def _serving(asked: argparse.Namespace) -> None:
    woken = asyncio.Event()
    context = _context(asked.home, woken)
    server = server_for(context, **({"http": asked.http} if asked.http else {}))
    if asked.serve == "plain":
        server.config.app = _plain()
    work = asyncio.create_task(_work_off(context, woken)) if asked.serve == "ours" and not asked.alone else None
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving
    if work is not None:
        work.cancel()
    context.journal.close()


async def _work_off(context: Context, woken: asyncio.Event) -> None:
    """Judge what came, as `crisis up` does; nothing is really started."""
    from crisis.receiver.clerk import Clerk  # noqa: PLC0415
    from crisis.receiver.worker import Worker  # noqa: PLC0415

    async def start(_wish: object) -> str:
        return "run"

    await Clerk(context, start, Worker(context)).work(woken)


def _context(home: Path, woken: asyncio.Event) -> Context:
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    protocol = load_protocol(PROJECT / "protocol.yaml")
    return Context(journal, Inbox(journal.database), protocol, Settings(home=home, port=0), woken.set, "")


def _plain() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.post("/alerts/{sender}")
    async def take(request: Request, sender: str) -> JSONResponse:
        """Answer."""
        await request.body()
        return JSONResponse({"delivery": sender}, 202)

    return app


def _worked(pid: int) -> float:
    """Return how many seconds of CPU a process has had: unlike times, the same however busy the machine is."""
    parts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _peak(pid: int) -> float:
    """Return the most memory that a process ever had, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    sys.exit(main())
