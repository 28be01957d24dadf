"""Child: the process of one run, forked from a parent that has everything imported already."""

import ctypes
import importlib
import logging
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow

from crisis.engine.playbook import PLAYBOOKS, adopted_lease
from crisis.errors import CrisisError
from crisis.journal.lease import Lease

__all__ = ["drive", "load_flow", "register"]

_PR_SET_PDEATHSIG = 1


def load_flow(entrypoint: str) -> Flow[..., Any]:
    """Load `flows/bad_deploy.py:bad_deploy`, from the project that stands on the path."""
    where, _, name = entrypoint.partition(":")
    module = importlib.import_module(".".join(Path(where).with_suffix("").parts))
    found = getattr(module, name)
    if not isinstance(found, Flow):
        msg = f"{entrypoint} is no flow"
        raise TypeError(msg)
    return found


def drive(entrypoint: str, flow_run: str, lease: Lease | None) -> None:
    """Run a playbook under a flow run that exists; ends when the flow does, or with the parent."""
    _die_with_parent()
    playbook = load_flow(entrypoint)
    with get_client(sync_client=True) as client:
        known: FlowRun = client.read_flow_run(UUID(flow_run))
    adopted_lease.set(lease)
    # Its failure is in the state and in the journal; raising it here would only print it twice.
    run_flow(playbook, flow_run=known, parameters=known.parameters, return_type="state")


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


def _die_with_parent() -> None:
    # The fork server ends with `crisis up`. A run that outlived it could not be cancelled; a new start resumes it.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The fork server ignores SIGINT for itself; a run is stopped by whoever started it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
