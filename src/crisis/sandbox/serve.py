"""Serve: the one child process that is the drill ground; `python -m crisis.sandbox.serve --home DIR`."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from crisis.sandbox.alerts import Courier
from crisis.sandbox.artefacts import Artefacts
from crisis.sandbox.deployer import Deployer
from crisis.sandbox.edge import Edge
from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import Memory
from crisis.sandbox.origin import Origin
from crisis.sandbox.prober import Prober
from crisis.sandbox.shoppers import Crowd
from crisis.sandbox.vendors.app import build
from crisis.sandbox.vendors.control import Control

_STDIN = 0
_LOOK_AGAIN = 0.2


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it lives in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Ground:
    """Everything that lives in the child."""

    def __init__(self, home: Path, order: dict[str, Any]) -> None:
        self._home, self._order = home, order
        self._started = int(time.time())
        self._doors = {name: _door(order[f"{name}_port"]) for name in ("shop", "vendors")}
        self._urls = {name: f"http://127.0.0.1:{door.getsockname()[1]}" for name, door in self._doors.items()}
        self._keys = Keys(**order["keys"])
        self._memory = Memory()
        self._origin = Origin(home / "origin.git")
        self._artefacts = Artefacts(home, self._origin, self._keys)
        self._edge = Edge(self._memory, self._keys.bypass)
        self._deployer = Deployer(self._memory, self._artefacts, self._edge)
        courier = Courier(self._keys.alert, f"{self._urls['vendors']}/metrics", order.get("webhook"))
        self._prober = Prober(self._memory, courier, self._urls["shop"], self._keys.probe_password)

    async def live(self) -> None:
        """Open the doors, release the good history, and go on until cancelled."""
        control = Control(self._memory, self._origin, self._deployer, self._prober)
        vendors = build(self._memory, self._deployer, control, self._keys)
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(_serve(self._edge.app, self._doors["shop"]))
                work.create_task(_serve(vendors, self._doors["vendors"]))
                await self._begin(work)
        finally:
            await self._deployer.close()
            await self._artefacts.close()
            await self._edge.close()

    async def _begin(self, work: asyncio.TaskGroup) -> None:
        heads = await asyncio.to_thread(self._origin.create, self._started)
        await self._deployer.test_all(heads)
        work.create_task(self._prober.courier.run())
        for number, sha in enumerate(heads):
            await self._deployer.first(sha)
            if number == 0:
                work.create_task(self._prober.run())
            await self._prober.vouched[sha].wait()
        crowd = Crowd(self._memory, self._urls["shop"], self._keys.probe_password)
        for endless in (crowd.come(), self._prober.watch_maintenance(), self._deployer.watch()):
            work.create_task(endless)
        self._announce()

    def _announce(self) -> None:
        """Write down, for its owner's eyes only, how to reach this world: it is ready."""
        urls = {"shop_url": self._urls["shop"], "vendors_url": self._urls["vendors"]}
        body = {**urls, "pid": os.getpid(), "started": self._started, "keys": asdict(self._keys)}
        half = self._home / ".world.json"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(body, file)
        half.rename(self._home / "world.json")


def _door(port: int) -> socket.socket:
    # With the protocol named, asyncio sends small answers at once; without, each waits 40 ms for company.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    return door


async def _serve(app: Starlette, door: socket.socket) -> None:
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=60, timeout_graceful_shutdown=1
    )
    await _Server(config).serve(sockets=[door])


async def _until_the_starter_is_gone(starter: int) -> None:
    """Wait for the end of the pipe from the starter, for its death, or for a signal."""
    gone, loop = asyncio.Event(), asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(_STDIN, 1024):
            gone.set()

    loop.add_reader(_STDIN, heard)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gone.set)
    while not gone.is_set() and os.getppid() == starter:
        try:
            await asyncio.wait_for(gone.wait(), _LOOK_AGAIN)
        except TimeoutError:
            continue
    loop.remove_reader(_STDIN)


async def _run(home: Path, order: dict[str, Any]) -> None:
    life = asyncio.create_task(Ground(home, order).live())
    end = asyncio.create_task(_until_the_starter_is_gone(order["starter"]))
    await asyncio.wait({life, end}, return_when=asyncio.FIRST_COMPLETED)
    for task in (life, end):
        task.cancel()
    outcome, _ = await asyncio.gather(life, end, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        if not (more := os.read(_STDIN, 1)):
            raise SystemExit(1)  # the starter is gone already
        line += more
    return line


def main() -> None:
    """Read the order from the pipe, live, and clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--own-home", action="store_true", help="remove the home when the starter is gone")
    asked = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whatever the starter held back, we hear
    starter = os.getppid()
    try:
        asyncio.run(_run(asked.home, json.loads(_first_line())))
    finally:
        # A starter that lives reads the log first, and removes the home itself.
        if os.getppid() != starter:
            (asked.home / "world.json").unlink(missing_ok=True)
            if asked.own_home:
                shutil.rmtree(asked.home, ignore_errors=True)


if __name__ == "__main__":
    main()
