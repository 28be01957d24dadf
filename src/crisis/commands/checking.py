"""Check whether the protocol is right, and whether everything it names would work tonight."""

from rich.console import Console

from crisis.engine.deployments import read_deployments
from crisis.law import library_of
from crisis.protocol_file import load_protocol
from crisis.readiness import check_readiness, render, system_probes, vendor_probes, worst_exit
from crisis.settings import Settings

__all__ = ["check_protocol"]


def check_protocol(settings: Settings, console: Console) -> int:
    """Print the table of what was tried and return the exit code; ProtocolError lists what is wrong in the file."""
    deployments = read_deployments(settings.project / "prefect.yaml")
    from crisis.engine.catalogue import known_actions  # noqa: PLC0415 - loads Prefect and every playbook

    playbooks = [one.name for one in deployments if "playbook" in one.tags]
    protocol = load_protocol(settings.protocol_file, actions=known_actions(settings, deployments), playbooks=playbooks)
    library_of(protocol, settings.protocol_file)  # a law, contract or role that cannot be read is told now
    with console.status("trying every reference, address and permission …"):
        findings = check_readiness(protocol, [*vendor_probes(protocol), *system_probes(protocol)])
    console.print(render(findings))
    return worst_exit(findings)
