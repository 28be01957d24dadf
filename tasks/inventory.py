"""Inventory: every credential that protocol.yaml's systems can list, and what could not be listed."""

from collections.abc import Callable
from typing import get_args

from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory
from crisis.domain.systems import Aws, ByHand, System, ThirdParty, Vault
from crisis.domain.systems.third import order_of_ending
from crisis.engine.action import attempt
from crisis.engine.run import current_run
from tasks.inventory_aws import list_aws_credentials
from tasks.list_vault import list_vault_credentials
from tasks.revoke_third import list_third_party_keys


def take_inventory() -> Inventory:
    """List the credentials of every system; one that cannot be listed becomes a line of what is unseen."""
    systems = current_run().protocol.systems
    parts = [_listed(name, systems[name]) for name in in_order(systems)]
    return Inventory.of(parts, utc_now())


def in_order(systems: dict[str, System]) -> tuple[str, ...]:
    """Return the names of systems in the order in which their credentials end: source control first."""
    return order_of_ending({name: system.kind for name, system in systems.items()})


def _listed(name: str, system: System) -> Inventory:
    if isinstance(system, ByHand):
        keys = [Credential(system=name, kind="by hand", name=one, fate="by hand") for one in system.credentials]
        return Inventory(taken_at=utc_now(), credentials=tuple(keys))
    look = _look_of(system)
    if look is None:
        return Inventory(taken_at=utc_now())  # sessions: they end all at once, and are not listed
    found = attempt(look, name)
    return found or Inventory(taken_at=utc_now(), unseen=(f"{name}: could not be listed; the timeline says why",))


def _look_of(system: System) -> Callable[[str], Inventory] | None:
    if isinstance(system, Aws):
        return list_aws_credentials
    if isinstance(system, Vault):
        return list_vault_credentials
    return list_third_party_keys if isinstance(system, get_args(ThirdParty)) else None
