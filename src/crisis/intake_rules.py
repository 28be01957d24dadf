"""Intake rules: what must hold between intake, maintenance and the rest of protocol.yaml, beyond the shape of each."""

from collections.abc import Collection
from typing import Any

from crisis.domain.protocol import Protocol
from crisis.domain.start import CHECK_HEALTH, HAND_OVER
from crisis.errors import ProtocolError
from crisis.protocol_rules import Faults, Names, Pick, unknown

__all__ = ["refuse_without_people", "wrong_intake"]


def wrong_intake(root: dict[Any, Any], actions: Names, playbooks: Names, pick: Pick) -> Faults:
    """Find names that nothing has."""
    intake, services = _map(root.get("intake")), _map(root.get("services"))
    yield from unknown(("intake", "otherwise"), "playbook", intake.get("otherwise"), playbooks, pick)
    for at, name in _list(intake.get("apart")):
        yield from unknown(("intake", "apart", at), "playbook", name, playbooks, pick)
    for at, name in _list(_map(intake.get("cool_down")).get("after")):
        yield from unknown(("intake", "cool_down", "after", at), "action", name, actions, pick)
    for at, window in _list(root.get("maintenance")):
        yield from unknown(("maintenance", at, "service"), "service", _map(window).get("service"), services, pick)


def refuse_without_people(protocol: Protocol, playbooks: Collection[str]) -> None:
    """Raise ProtocolError where alerts come in, and the playbooks that any of them may start are not there."""
    lacking = [name for name in (HAND_OVER, CHECK_HEALTH) if name not in playbooks]
    if protocol.alerts and lacking:
        saw, then = f"no {' and no '.join(lacking)}", "put them back: any alert may start them"
        wanted = "the playbooks that tell people and prove health"
        raise ProtocolError("prefect.yaml", wanted=wanted, saw=saw, then=then)


def _map(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[tuple[int, Any]]:
    return list(enumerate(value)) if isinstance(value, list) else []
