"""Inventory: every credential that protocol.yaml's systems can list, and what could not be listed."""

import re
from collections.abc import Callable, Iterable
from typing import get_args

from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory
from crisis.domain.systems import Aws, ByHand, JwtSessions, SessionSecret, System, ThirdParty, Vault
from crisis.domain.systems.third import order_of_ending
from crisis.engine.action import attempt
from crisis.engine.run import current_run
from tasks.inventory_aws import find_aws_holders, list_aws_credentials
from tasks.list_sessions import list_signing_keys
from tasks.list_vault import list_vault_credentials
from tasks.revoke_third import list_third_party_keys

_ACCESS_KEY = re.compile(r"AKIA[A-Z0-9]{16}")
"""As AWS spells the id of a user's key; that of a session, ASIA…, has no holder that can be asked for."""

_UNLISTED = ": could not be listed; the timeline says why"
_MEND = "the system could not be listed, the timeline says why: mend that and start another run, or end it there"


def take_inventory() -> Inventory:
    """List the credentials of every system; one that cannot be listed becomes a line of what is unseen."""
    systems = current_run().protocol.systems
    parts = [_listed(name, systems[name]) for name in in_order(systems)]
    return Inventory.of(parts, utc_now())


def find_holders(leaked: Iterable[str]) -> Inventory:
    """List what the holders of leaked access keys hold; what else leaked is found by the whole inventory."""
    names = (one.rpartition("/")[2] for one in leaked)
    keys = tuple(one for one in names if _ACCESS_KEY.fullmatch(one))
    systems = current_run().protocol.systems
    accounts = [name for name, one in systems.items() if isinstance(one, Aws)]
    # One by one: an account may refuse to speak of another's key, and says nothing then of its own.
    parts = [attempt(find_aws_holders, name, (key,)) for name in accounts for key in keys]
    return Inventory.of([part for part in parts if part is not None], utc_now())


def not_listed(found: Inventory) -> list[Credential]:
    """Return one for all that a system holds which could not be listed: a sealed Vault must not be forgotten."""
    gaps = [line.removesuffix(_UNLISTED) for line in found.unseen if line.endswith(_UNLISTED)]
    about = {"kind": "credential", "name": "all that it holds", "fate": "by hand", "note": _MEND}
    return [Credential.model_validate({"system": name, **about}) for name in gaps]


def in_order(systems: dict[str, System]) -> tuple[str, ...]:
    """Return the names of systems in the order in which their credentials end: source control first."""
    return order_of_ending({name: system.kind for name, system in systems.items()})


def _listed(name: str, system: System) -> Inventory:
    if isinstance(system, ByHand):
        keys = [Credential(system=name, kind="by hand", name=one, fate="by hand") for one in system.credentials]
        return Inventory(taken_at=utc_now(), credentials=tuple(keys))
    look = _look_of(system)
    if look is None:
        return Inventory(taken_at=utc_now())  # sessions that nothing signs: they end all at once, and are not listed
    found = attempt(look, name)
    return found or Inventory(taken_at=utc_now(), unseen=(f"{name}{_UNLISTED}",))


def _look_of(system: System) -> Callable[[str], Inventory] | None:
    if isinstance(system, Aws):
        return list_aws_credentials
    if isinstance(system, Vault):
        return list_vault_credentials
    if isinstance(system, SessionSecret | JwtSessions):
        return list_signing_keys
    return list_third_party_keys if isinstance(system, get_args(ThirdParty)) else None
