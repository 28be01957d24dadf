"""Readiness: try every reference, address, permission and person that the protocol names, and change nothing."""

from collections.abc import Iterable

from crisis.domain.protocol import Protocol
from crisis.readiness.own import own_probes
from crisis.readiness.systems import system_probes
from crisis.readiness.trying import LIMIT, Check, Finding, Probe, render, try_all, worst_exit
from crisis.readiness.vendors import vendor_probes

__all__ = [
    "Check",
    "Finding",
    "Probe",
    "check_readiness",
    "own_probes",
    "render",
    "system_probes",
    "vendor_probes",
    "worst_exit",
]


def check_readiness(protocol: Protocol, probes: Iterable[Check], *, limit: float = LIMIT) -> list[Finding]:
    """
    Try what the protocol names, and these probes; failures first.

    `probes` is usually what `vendor_probes` and `system_probes` list.
    """
    return try_all([*own_probes(protocol), *probes], limit)
