"""Drill: rehearse a playbook for real in the sandbox, away from everything else."""

import subprocess
from typing import Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from crisis.errors import UnprovenError
from crisis.sandbox.tether import command

SECONDS = 900


@flow(name="drill", flow_run_name="drill {scenario}", log_prints=False)
def drill(scenario: Literal["bad-deploy", "security-breach"] = "bad-deploy") -> None:
    """
    Run a whole drill in a process of its own, with its own Prefect, journal and shop.

    Starts  the schedule in prefect.yaml, or a person
    Asks    simulated people only
    Proves  the drill's own run ended in a recovery
    """
    tethered = command("crisis", "drill", scenario, "--who", "simulated", "--hold", "0")
    done = subprocess.run(tethered, capture_output=True, text=True, timeout=SECONDS, check=False)
    for line in done.stdout.splitlines():
        get_run_logger().info(line)
    create_markdown_artifact(f"```\n{done.stdout}\n```", key=f"drill-{scenario}", description="Scorecard")
    if done.returncode != 0:
        saw = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise UnprovenError(f"drill {scenario}", wanted="a recovery", saw=saw, then="read this run's log")
