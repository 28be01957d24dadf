"""Responder: keeps playbooks warm, starts them, watches them, and starts the dead ones again."""

import asyncio
import logging
import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Cancelled, Completed, Crashed, Failed, Scheduled

from crisis.domain.clock import utc_now
from crisis.domain.incident import RECOVERED, TOLD
from crisis.domain.protocol import Protocol
from crisis.domain.start import Start, incident_id
from crisis.engine.child import Order, drive, register
from crisis.engine.deployments import Deployment
from crisis.engine.parked import Parked
from crisis.engine.run import PARKED, RESPONDER
from crisis.errors import JournalError, ProtocolError, TransientError
from crisis.journal.lease import Lease, Leases
from crisis.journal.store import AlreadyRecordedError, Journal

__all__ = ["Responder"]

_LOG = logging.getLogger("crisis.responder")
_STARTS_AT_MOST = 20
_PASSING = (httpx.HTTPError, PrefectHTTPStatusError, ObjectNotFound, JournalError, OSError, EOFError)
"""What may go wrong around one run without ending the responder: API, store or fork server were away."""
_POLL_SECONDS = 1.0
_AGAIN = ("AwaitingRetry", "Resuming")
"""What Prefect's UI sets when a person wants a run to go on."""
_WISHES = (*_AGAIN, "Suspended", "Cancelling")
"""States that a person set and that are never overwritten with what happened before."""
_WATCH_SECONDS = 0.5
_SPARE_AFTER_SECONDS = 2.0
_SUSPENDED = "suspended in Prefect; Resume there goes on, open measures stay in force"


class Responder:
    """
    Drives runs in processes of their own, forked from one that has Prefect and the playbooks imported.

    A run is claimed by its lease in the journal, so that several responders never drive the same one.
    """

    def __init__(
        self,
        protocol: Protocol,
        journal: Journal,
        leases: Leases,
        client: PrefectClient,
        deployments: list[Deployment],
    ) -> None:
        self.protocol, self.journal, self.leases, self.client = protocol, journal, leases, client
        self.deployments = deployments
        self.ids: dict[str, str] = {}
        self._driven: dict[str, tuple[Lease | None, ForkServerProcess]] = {}
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._context = multiprocessing.get_context("forkserver")
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsettled: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._trouble: dict[str, str] = {}
        self.playbooks: set[str] = set()
        self._spares: list[tuple[ForkServerProcess, Connection]] = []
        self._lifelines: dict[str, Connection] = {}
        self._last_start = -_SPARE_AFTER_SECONDS
        self._parked = Parked(journal, leases)
        self.heard: Callable[[], object] = lambda: None
        """Called whenever the Prefect API has answered."""

    def warm(self, *also: str) -> None:
        """Start the fork server and let it import everything a run needs; `also` what others fork from it."""
        own = ["prefect.main", "prefect.flow_engine", "crisis.engine.child", *also]
        self._context.set_forkserver_preload(own + sorted({one.module for one in self.deployments}))
        first = self._context.Process(target=int)
        first.start()
        first.join()

    async def register(self) -> None:
        """Apply the deployments at the Prefect server; ProtocolError says which one is wrong."""
        ours, theirs = self._context.Pipe(duplex=False)
        plain = [one.model_dump() for one in self.deployments]
        process = self._context.Process(target=register, args=(plain, theirs))
        process.start()
        theirs.close()
        answer = await asyncio.to_thread(_received, ours)
        process.join()
        ours.close()
        if isinstance(answer, str):
            raise ProtocolError("prefect.yaml", wanted="deployments Prefect takes", saw=answer)
        self.ids, self.playbooks = answer

    async def start(self, wish: Start) -> str:
        """
        Create the run a wish asks for and drive it; return its id. The same wish twice is one run.

        Raises TransientError while the Prefect API is away.
        """
        if wish.playbook not in self.ids:
            known = ", ".join(sorted(self.ids))
            raise ProtocolError(f"playbook {wish.playbook!r}", wanted=f"one of: {known}", saw="an unknown one")
        parameters = {"service": wish.service, "summary": wish.summary, "level": int(wish.level)}
        parameters |= {"incident": wish.incident, "source": wish.source}
        try:
            flow_run = await self._create(wish, {**parameters, "requester": wish.requester or None})
        except (httpx.HTTPError, PrefectHTTPStatusError, ObjectNotFound) as error:
            says = type(error).__name__
            raise TransientError(wish.playbook, vendor="prefect", operation="create a run", saw=says) from error
        self._launch(flow_run)
        return str(flow_run.id)

    async def _create(self, wish: Start, parameters: dict[str, Any]) -> FlowRun:
        for again in (True, False):
            where = UUID(self.ids[wish.playbook])
            try:
                return await self.client.create_flow_run_from_deployment(
                    where, parameters=parameters, idempotency_key=wish.key
                )
            except PrefectHTTPStatusError as error:
                if not again or error.response.status_code != httpx.codes.NOT_FOUND:
                    raise
                await self.register()  # somebody deleted the deployment, or Prefect's database is a new one
        raise TransientError(wish.playbook, vendor="prefect", operation="create a run", saw="no deployment")

    async def work(self) -> None:
        """Start what is scheduled, stop what is cancelled, restart what died; until cancelled itself."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self._poll, _POLL_SECONDS))
            group.create_task(self._repeat(self._watch, _WATCH_SECONDS))
            group.create_task(self._repeat(self._keep_spare, _WATCH_SECONDS))

    def stop(self) -> None:
        """End every run of this process at once; the next start goes on with them."""
        for spare, orders in self._spares:
            orders.close()
            spare.kill()
            spare.join()
        for lease, process in self._driven.values():
            process.kill()
            process.join()
            if lease is not None:
                self.leases.give_up(lease)

    async def _repeat(self, what: Any, seconds: float) -> None:
        last = ""
        while True:
            says = ""
            try:
                await what()
            except _PASSING as error:
                says = f"{type(error).__name__}: {error}"
            if says and says != last:
                _LOG.warning("%s: %s", what.__name__.strip("_"), says)
            last = says
            await asyncio.sleep(seconds)

    async def _poll(self) -> None:
        waiting = await self._runs([StateType.SCHEDULED, StateType.CANCELLING, StateType.PAUSED])
        self.heard()
        for flow_run in waiting:
            with self._alone(str(flow_run.id)):
                await self._look_at(flow_run)

    async def _look_at(self, flow_run: FlowRun) -> None:
        now = datetime.now(UTC)
        if flow_run.state_type is StateType.CANCELLING:
            await self._cancel(flow_run)
        elif flow_run.state_type is StateType.PAUSED:
            self._suspend(flow_run)
        elif (flow_run.next_scheduled_start_time or now) <= now and str(flow_run.id) not in self._driven:
            self._launch(flow_run)

    @contextmanager
    def _alone(self, run: str) -> Iterator[None]:
        """Let trouble around one run not hold up the others."""
        try:
            yield
        except _PASSING as error:
            says = f"{type(error).__name__}: {error}"
            if self._trouble.get(run) != says:
                _LOG.warning("run %s: %s", run, says)
            self._trouble[run] = says

    async def _runs(self, states: Sequence[StateType]) -> list[FlowRun]:
        ids = [UUID(one) for one in self.ids.values()]
        wanted = FlowRunFilter.model_validate({"state": {"type": {"any_": [state.value for state in states]}}})
        if not ids:
            return []
        mine = DeploymentFilter(id=DeploymentFilterId(any_=ids))
        return await self.client.read_flow_runs(flow_run_filter=wanted, deployment_filter=mine, limit=100)

    def _launch(self, flow_run: FlowRun) -> None:
        run = str(flow_run.id)
        if run in self._driven or flow_run.state_type is not StateType.SCHEDULED:
            return
        one = next((item for item in self.deployments if self.ids[item.name] == str(flow_run.deployment_id)), None)
        if one is None:
            return
        if one.name not in self.playbooks:
            self._drive(run, one, None, flow_run)
            return
        incident = flow_run.parameters.get("incident") or incident_id(run, flow_run.created or utc_now())
        # Retry in Prefect's UI, or Resume after a Suspend there: somebody wants a run that has ended to go on.
        again = flow_run.state_name in _AGAIN and run not in self._unsettled
        lease = self.leases.take(run, incident, one.name, self._holder, os.getpid(), again=again)
        if lease is not None:
            self._drive(run, one, lease, flow_run)

    def _drive(self, run: str, one: Deployment, lease: Lease | None, created: FlowRun | None = None) -> None:
        process, orders = self._spares.pop() if self._spares else self._fork()
        try:
            orders.send(Order(one.entrypoint, run, lease, self.protocol, created))
        except OSError:  # the spare one died while it waited
            process, orders = self._fork()
            orders.send(Order(one.entrypoint, run, lease, self.protocol, created))
        self._lifelines[run] = orders  # open as long as we live: the run ends when it closes
        self._last_start = time.monotonic()
        self._driven[run] = (lease, process)
        self._keep(self._reap(run))

    def _fork(self) -> tuple[ForkServerProcess, Connection]:
        theirs, ours = self._context.Pipe(duplex=False)
        process = self._context.Process(target=drive, args=(theirs,))
        process.start()
        theirs.close()
        return process, ours

    async def _keep_spare(self) -> None:
        """Have one process waiting with a connection open; made when nothing has started for a moment."""
        if not self._spares and time.monotonic() > self._last_start + _SPARE_AFTER_SECONDS:
            self._spares.append(await asyncio.to_thread(self._fork))

    def _keep(self, work: Any) -> None:
        made = asyncio.get_running_loop().create_task(work)
        self._tasks.add(made)
        made.add_done_callback(self._tasks.discard)

    async def _reap(self, run: str) -> None:
        process = self._driven[run][1]
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(process.sentinel, over.set)
        await over.wait()
        loop.remove_reader(process.sentinel)
        process.join()
        mine = self._driven.pop(run)[0]
        self._lifelines.pop(run).close()
        self._unsettled.add(run)
        with self._alone(run):
            lease = self.leases.find(run)
            # Ours only: a run that another responder has taken over is theirs to let go of.
            if mine is None or lease is None or lease.epoch != mine.epoch or lease.ended is not None:
                return
            if self.journal.recorded(lease.incident, lease.end_key) is None:
                _LOG.warning("run %s ended without a word (exit %s): starting it again", run, process.exitcode)
                self.leases.give_up(lease)

    async def _watch(self) -> None:
        for lease in self.leases.silent():
            with self._alone(lease.run):
                await self._wake(lease)
        for lease in self._parked.due():
            with self._alone(lease.run):
                await self._restart(lease, again=True)
        for run in list(self._unsettled):
            with self._alone(run):
                await self._agree(run)
                self._unsettled.discard(run)

    async def _wake(self, lease: Lease) -> None:
        """Do what a silent run needs: its end on record, its frozen process killed, or another start."""
        end = self.journal.recorded(lease.incident, lease.end_key)
        if end is not None:
            self.leases.end(lease, str(end.body["outcome"]))
            self._unsettled.add(lease.run)
            return
        _, process = self._driven.get(lease.run, (None, None))
        if process is not None:
            process.kill()  # frozen: it must not wake up beside its successor
            return  # _reap gives the lease up, and the next round restarts it
        if time.monotonic() >= self._not_before.get(lease.run, 0.0):
            await self._restart(lease)

    async def _restart(self, lease: Lease, *, again: bool = False) -> None:
        try:
            flow_run = await self.client.read_flow_run(UUID(lease.run))
        except ObjectNotFound:
            self._close(lease, "lost", "Prefect no longer knows this run")
            return
        if flow_run.state_type in (StateType.CANCELLED, StateType.CANCELLING):
            await self._cancel(flow_run)
            return
        if flow_run.state_name == "Suspended":
            self._close(lease, "suspended", _SUSPENDED)
            return
        one = next((item for item in self.deployments if item.name == lease.playbook), None)
        if one is None:
            self._close(lease, "lost", "prefect.yaml no longer lists this playbook")
            return
        if not again and lease.starts - self._parked.times(lease) >= _STARTS_AT_MOST:
            self._close(lease, "crashed", f"its process died {lease.starts} times; a human must look")
            await self.client.set_flow_run_state(flow_run.id, Crashed(), force=True)
            return
        taken = self.leases.take(lease.run, lease.incident, lease.playbook, self._holder, 0, again=again)
        if taken is None:
            return
        if again:
            _LOG.info("run %s of %s goes on: start %d", lease.run, lease.incident, taken.starts)
        else:
            _LOG.warning("run %s of %s is dead: start %d", lease.run, lease.incident, taken.starts)
        await self.client.set_flow_run_state(flow_run.id, Scheduled(name="Restarting"), force=True)
        # A first death is an accident and costs no time; one that repeats is waited out, longer each time.
        deaths = taken.starts - self._parked.times(lease)
        wait = min(0.25 * 2 ** max(deaths - 3, 0), 30.0)
        self._not_before[lease.run] = time.monotonic() + wait
        self._drive(lease.run, one, taken)

    async def _cancel(self, flow_run: FlowRun) -> None:
        run = str(flow_run.id)
        _, process = self._driven.get(run, (None, None))
        if process is not None:
            process.kill()
        lease = self.leases.find(run)
        if lease is not None and lease.ended in (None, PARKED):
            self._close(lease, "cancelled", "cancelled in Prefect; open measures stay in force")
        await self.client.set_flow_run_state(flow_run.id, Cancelled(), force=True)

    def _suspend(self, flow_run: FlowRun) -> None:
        """Stop a run that somebody suspended in Prefect's UI; a gate's own wait is called Paused and goes on."""
        run = str(flow_run.id)
        if flow_run.state_name != "Suspended" or run not in self._driven:
            return
        lease, process = self._driven[run]
        process.kill()
        if lease is not None:
            self._close(lease, "suspended", _SUSPENDED)

    def _close(self, lease: Lease, outcome: str, says: str) -> None:
        body = {"run": lease.run, "playbook": lease.playbook, "outcome": outcome, "says": says}
        with suppress(AlreadyRecordedError):
            self.journal.append(lease.incident, "ended", RESPONDER, body, key=lease.end_key)
        self.leases.end(lease, outcome)

    async def _agree(self, run: str) -> None:
        """Let Prefect show how a run ended, when its API was away then or its process was killed."""
        lease = self.leases.find(run)
        if lease is not None and lease.ended in (None, PARKED):
            return  # it starts again
        try:
            flow_run = await self.client.read_flow_run(UUID(run))
        except ObjectNotFound:
            return  # deleted there; the journal has it
        if flow_run.state is not None and (flow_run.state.is_final() or flow_run.state_name in _WISHES):
            return
        state: State[Any] = Crashed() if lease is None else Failed(message=lease.ended)
        if lease is not None and lease.ended in (RECOVERED, TOLD):
            state = Completed()
        await self.client.set_flow_run_state(flow_run.id, state, force=True)


def _received(connection: Any) -> tuple[dict[str, str], set[str]] | str:
    try:
        answer: tuple[dict[str, str], set[str]] | str = connection.recv()
    except EOFError:
        return "the process that applies them died"
    return answer
