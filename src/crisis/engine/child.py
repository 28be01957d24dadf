"""Child: the process of one run, forked from a parent that has everything imported already."""

import ctypes
import importlib
import logging
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.worker import EventsWorker
from prefect.exceptions import ParameterBindError, ParameterTypeError, Pause, SignatureMismatchError
from prefect.flow_engine import run_flow
from prefect.logging.handlers import APILogWorker

from crisis.domain.protocol import Protocol
from crisis.engine.playbook import PLAYBOOKS, adopted_lease, adopted_protocol, refuse
from crisis.errors import CrisisError, ProtocolError
from crisis.journal.lease import Lease, Leases
from crisis.journal.store import Journal
from crisis.logs import set_up_logs
from crisis.settings import Settings

__all__ = ["Order", "drive", "load_flow", "register"]

_PR_SET_PDEATHSIG = 1
_NO_RESPONDER = 76
_WRONG_PARAMETERS = (ParameterTypeError, ParameterBindError, SignatureMismatchError)


def load_flow(entrypoint: str) -> Flow[..., Any]:
    """Load `flows/bad_deploy.py:bad_deploy`, from the project that stands on the path."""
    where, _, name = entrypoint.partition(":")
    module = importlib.import_module(".".join(Path(where).with_suffix("").parts))
    found = getattr(module, name)
    if not isinstance(found, Flow):
        msg = f"{entrypoint} is no flow"
        raise TypeError(msg)
    return found


@dataclass(frozen=True)
class Order:
    """Which run to drive: its playbook's entry point, its id, its lease, and the run as just created, if it was."""

    entrypoint: str
    run: str
    lease: Lease | None
    protocol: Protocol
    created: FlowRun | None = None


def drive(orders: Connection) -> None:
    """Wait for an order, ready to go, and drive that run; ends when the flow does, or with the parent."""
    _die_with_parent()
    settings = Settings()
    set_up_logs(settings.log, settings.log_level)
    with get_client(sync_client=True) as client:
        with suppress(httpx.HTTPError):
            client.hello()  # the connection is open before it is needed
        # So are those of Prefect's two background senders: each loads the certificate store, which holds the
        # interpreter up for a tenth of a second, and would do so just before containment.
        APILogWorker.instance()
        EventsWorker.instance()
        try:
            order: Order = orders.recv()
            threading.Thread(target=_die_with_responder, args=(orders,), name="lifeline", daemon=True).start()
        except EOFError:
            return  # never needed
        known = order.created or client.read_flow_run(UUID(order.run))
    adopted_lease.set(order.lease)
    adopted_protocol.set(order.protocol)
    # With a deployment's id, Prefect waits for a websocket before it calls the flow, to notice a Suspend in its UI.
    # The responder watches for that; a crisis does not wait for it.
    known = known.model_copy(update={"deployment_id": None})
    # Its failure is in the state and in the journal; raising it here would only print it twice.
    try:
        state = run_flow(load_flow(order.entrypoint), flow_run=known, parameters=known.parameters, return_type="state")
    except Pause:
        return  # put aside: its lease says so
    ended = state.result(raise_on_failure=False) if isinstance(state, State) else None
    if order.lease is not None and isinstance(ended, _WRONG_PARAMETERS):
        _refuse_parameters(order.lease)


def _refuse_parameters(lease: Lease) -> None:
    settings = Settings()
    journal = Journal.open(settings.journal)
    then = "start it again with the fields that its form shows"
    error = ProtocolError(lease.playbook, wanted="parameters that fit", saw="others", then=then)
    refuse(journal, Leases(journal.database, settings.lease), lease, error)
    journal.close()


def register(deployments: list[dict[str, Any]], answer: Connection) -> None:
    """Apply deployments as prefect.yaml lists them; answer with their ids by name, or with what is wrong."""
    logging.getLogger("prefect").setLevel(logging.WARNING)
    from prefect.deployments.runner import RunnerDeployment  # noqa: PLC0415
    from prefect.schedules import Cron  # noqa: PLC0415

    ids: dict[str, str] = {}
    try:
        for one in deployments:
            schedules = [Cron(plan.pop("cron"), **plan) for plan in map(dict, one.get("schedules", []))]
            made = RunnerDeployment.from_flow(
                load_flow(one["entrypoint"]),
                name=one["name"],
                schedules=schedules,
                parameters=one.get("parameters", {}),
                description=one.get("description"),
                tags=one.get("tags", []),
            )
            ids[one["name"]] = str(made.apply())
    except (CrisisError, ImportError, AttributeError, TypeError, ValueError) as error:
        answer.send(f"{one['name']}: {type(error).__name__}: {error}")
    else:
        answer.send((ids, {name for name in ids if name in PLAYBOOKS}))
    answer.close()


def _die_with_responder(orders: Connection) -> None:
    """End with the responder: without it a run cannot be cancelled or watched, and the next one goes on with it."""
    with suppress(EOFError, OSError):
        orders.recv()  # nothing more is ever sent: this ends when the other side does
    os._exit(_NO_RESPONDER)


def _die_with_parent() -> None:
    """End with the fork server."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The fork server ignores SIGINT for itself; a run is stopped by whoever started it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
