"""Up: one process that serves everything: receiver, warm responder, and Prefect where none is given."""

import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import IO

from prefect.client.orchestration import get_client

from crisis.domain.clock import utc_now
from crisis.engine.deployments import Deployment, read_deployments
from crisis.engine.responder import Responder
from crisis.engine.server import PrefectServer, answers
from crisis.errors import JournalError, ProtocolError
from crisis.intake_rules import refuse_without_people
from crisis.journal.inbox import Inbox
from crisis.journal.lease import Leases
from crisis.journal.pulses import ALIVE
from crisis.journal.store import Journal
from crisis.law import library_of
from crisis.protocol_file import load_protocol
from crisis.receiver.catch_up import CatchUp
from crisis.receiver.clerk import Clerk
from crisis.receiver.context import Context
from crisis.receiver.serving import server_for
from crisis.receiver.worker import Worker
from crisis.settings import UP_FILE, Settings

__all__ = ["serve"]

_LOG = logging.getLogger("crisis.up")


async def serve(settings: Settings, *, said: Callable[[str], None]) -> None:
    """
    Serve until SIGINT or SIGTERM. `said` gets a line for people whenever a part is ready.

    Raises ProtocolError when something is wrong before anything was started.
    """
    deployments = read_deployments(settings.project / "prefect.yaml")
    playbooks = [one.name for one in deployments if "playbook" in one.tags]
    protocol = load_protocol(settings.protocol_file, playbooks=playbooks)
    refuse_without_people(protocol, playbooks)
    library_of(protocol, settings.protocol_file)  # refused now, and not when a room asks for it
    if not settings.schedules:
        deployments = [one.model_copy(update={"schedules": []}) for one in deployments]
    _refuse_taken_port(settings.host, settings.port)
    alone = _alone(settings)
    (settings.home / UP_FILE).unlink(missing_ok=True)  # one that a killed process left
    journal = Journal.open(settings.journal)
    inbox, woken, stopped = Inbox(journal.database), asyncio.Event(), asyncio.Event()
    _stop_on_signals(stopped)
    async with _prefect(settings) as ui:
        context = Context(journal, inbox, protocol, settings, woken.set, ui)
        catching = CatchUp(context, context.pulses.last(ALIVE))  # before anything says that we live again
        async with _receiver(context):
            said(f"receiver  {settings.address}")
            async with _responder(context, deployments) as responder:
                _write_up_file(settings)
                said(f"Prefect   {ui}")
                await _until_stopped(stopped, context, responder, catching, woken)
    (settings.home / UP_FILE).unlink(missing_ok=True)
    journal.close()
    alone.close()


@asynccontextmanager
async def _prefect(settings: Settings) -> AsyncIterator[str]:
    """Give the address of the Prefect in use, started here unless the environment names one."""
    if settings.outside_prefect is not None:
        yield settings.prefect_api.removesuffix("/api")
        return
    _refuse_taken_port("127.0.0.1", settings.prefect_port)
    server = PrefectServer(settings.prefect_port, settings.environment(), settings.home / "prefect-server.log")
    server.start()
    keeper = asyncio.create_task(server.keep_alive())
    try:
        yield server.address
    finally:
        keeper.cancel()
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def _receiver(context: Context) -> AsyncIterator[None]:
    server = server_for(context)
    # `serve` would take over the signals: ours stop the parts in order, the receiver last.
    serving = asyncio.create_task(server._serve())  # noqa: SLF001
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        context.stopping.set()  # open rooms would hold the server up
        server.should_exit = True
        await serving


@asynccontextmanager
async def _responder(context: Context, deployments: list[Deployment]) -> AsyncIterator[Responder]:
    settings, journal = context.settings, context.journal
    leases = Leases(journal.database, settings.lease)
    async with get_client() as client:
        responder = Responder(context.protocol, journal, leases, client, deployments)
        responder.heard = lambda: context.beats.update(prefect=time.monotonic())
        await asyncio.to_thread(responder.warm, "crisis.receiver.worker")
        await answers(settings.prefect_api, settings.home / "prefect-server.log")
        await responder.register()
        try:
            yield responder
        finally:
            responder.stop()


async def _until_stopped(
    stopped: asyncio.Event, context: Context, responder: Responder, catching: CatchUp, woken: asyncio.Event
) -> None:
    loops = [
        asyncio.create_task(responder.work()),
        asyncio.create_task(Clerk(context, responder.start, Worker(context)).work(woken)),
        asyncio.create_task(_catch_up(context, catching, woken)),
    ]
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait({*loops, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in loops:
        if task.done():
            task.result()  # a fault in our own loops: let it be seen
        task.cancel()
    stop.cancel()


async def _catch_up(context: Context, catching: CatchUp, woken: asyncio.Event) -> None:
    """Ask senders for what did not reach us: after the start, now and then, and soon where a list was cut off."""
    while True:
        while context.cut_off:
            catching.hurry(context.cut_off.pop())
        if catching.is_due(utc_now()):
            try:
                if (await asyncio.to_thread(catching.round, utc_now())).new:
                    woken.set()
            except JournalError as error:
                _LOG.warning("catch-up: %s", error)
        await asyncio.sleep(1.0)


def _stop_on_signals(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)


def _alone(settings: Settings) -> IO[str]:
    """Keep a second `crisis up` away from the same home: it would serve the same Prefect database."""
    lock = (settings.home / "up.lock").open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        then = "use another CRISIS_HOME, or stop the first"
        raise ProtocolError(
            str(settings.home), wanted="a home of its own", saw="another crisis up", then=then
        ) from None
    return lock


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            then = "stop what listens there, or set CRISIS_PORT and CRISIS_PREFECT_PORT"
            raise ProtocolError(f"{host}:{port}", wanted="a free port", saw=error.strerror or "", then=then) from None


def _write_up_file(settings: Settings) -> None:
    says = {"pid": os.getpid(), "prefect_api": settings.prefect_api, "receiver": settings.address}
    file = settings.home / UP_FILE
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(says), encoding="utf-8")
    draft.replace(file)
