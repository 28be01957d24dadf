"""Check: is the protocol right, and would everything it names work tonight?"""

from rich.console import Console

from crisis.engine.deployments import read_deployments
from crisis.errors import ProtocolError
from crisis.protocol_file import load_protocol
from crisis.readiness import check_readiness, readiness_probes, render, worst_exit
from crisis.settings import Settings

__all__ = ["check_protocol"]


def check_protocol(settings: Settings, console: Console) -> int:
    """Print every problem of protocol.yaml, or the table of what was tried; return the exit code."""
    deployments = read_deployments(settings.project / "prefect.yaml")
    from crisis.engine.catalogue import known_actions  # noqa: PLC0415 - loads Prefect and every playbook

    playbooks = [one.name for one in deployments if "playbook" in one.tags]
    protocol = load_protocol(settings.protocol_file, actions=known_actions(settings, deployments), playbooks=playbooks)
    findings = check_readiness(protocol, readiness_probes(protocol))
    console.print(render(findings))
    return worst_exit(findings)
