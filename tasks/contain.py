"""Contain: stop at once who holds what leaked, so that it can be given back. An attacker acts within minutes."""

from collections.abc import Iterable
from typing import get_args

from crisis.domain.credential import Credential, Inventory
from crisis.domain.systems import Aws, Sessions, System, Vault
from crisis.engine.action import attempt
from crisis.engine.run import current_run
from tasks.contain_aws import contain_aws_principal, disable_aws_keys, restore_aws_principal, revoke_aws_sessions
from tasks.contain_vault import disable_vault_entity, enable_vault_entity
from tasks.invalidate_sessions import close_sessions, take_canary_session


def contain_leaked(found: Inventory, leaked: Iterable[str]) -> None:
    """
    Deny the holders of what leaked everything, switch their keys off, and refuse sessions issued before now.

    What cannot be contained stands in the journal and holds nothing up: the gate that follows ends it for good.
    """
    systems = current_run().protocol.systems
    for system, holder in _holders(found, leaked):
        _contain_holder(system, systems[system], holder, found)
    for name in session_systems(systems):
        attempt(take_canary_session, name)
        attempt(close_sessions, name)


def lift_containment(found: Inventory, leaked: Iterable[str]) -> None:
    """Allow the holders again what they were allowed before: what they hold now is new, and the hole is closed."""
    systems = current_run().protocol.systems
    for system, holder in _holders(found, leaked):
        if isinstance(systems[system], Aws) and holder:
            # Sessions that its old keys were lent live on at AWS: they are refused before the deny goes.
            cut_off = attempt(revoke_aws_sessions, system, holder)
            if cut_off is not None:
                attempt(restore_aws_principal, system, holder)
        if isinstance(systems[system], Vault) and holder:
            attempt(enable_vault_entity, system, holder)


def _holders(found: Inventory, leaked: Iterable[str]) -> list[tuple[str, str]]:
    """Return system and holder of each living credential that leaked, each once."""
    names = matching(found, leaked)
    held = [one for one in found.credentials if one.key in names and one.alive]
    return list(dict.fromkeys((one.system, one.holder) for one in held))


def matching(found: Inventory, leaked: Iterable[str]) -> set[str]:
    """Return the keys (`system/kind/name`) of the credentials that somebody names, by key or by public name."""
    wanted = set(leaked)
    return {one.key for one in found.credentials if wanted & {one.key, one.name}}


def session_systems(systems: dict[str, System]) -> tuple[str, ...]:
    """Return the names of the systems that hold sessions of users."""
    return tuple(name for name, system in systems.items() if isinstance(system, get_args(Sessions)))


def user_key(one: Credential) -> str:
    """Name an access key as the actions at AWS do: `user/ID`."""
    return f"{one.holder.removeprefix('user/')}/{one.name}"


def _contain_holder(name: str, system: System, holder: str, found: Inventory) -> None:
    if isinstance(system, Aws) and holder:
        attempt(contain_aws_principal, name, holder)
        keys = [one for one in found.credentials if (one.system, one.holder, one.kind) == (name, holder, "access key")]
        alive = tuple(sorted(user_key(one) for one in keys if one.alive))
        if alive:
            attempt(disable_aws_keys, name, alive)
    if isinstance(system, Vault) and holder:
        attempt(disable_vault_entity, name, holder)
