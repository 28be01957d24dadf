"""Contain: stop at once who holds what leaked, so that it can be given back. An attacker acts within minutes."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import get_args

from crisis.domain.change import Change
from crisis.domain.clock import utc_now, write_time
from crisis.domain.credential import Credential, Inventory, Scope
from crisis.domain.leak import fingerprint_key, public_name
from crisis.domain.systems import Aws, Sessions, System, Vault
from crisis.engine.action import attempt, past
from crisis.engine.run import current_run
from crisis.engine.together import together
from tasks.checklist import open_task_for_key
from tasks.contain_aws import contain_aws_principal, disable_aws_keys, restore_aws_principal, revoke_aws_sessions
from tasks.contain_vault import disable_vault_entity, enable_vault_entity
from tasks.hunt_aws import look_at_baseline
from tasks.invalidate_sessions import close_sessions, take_canary_session

Contained = tuple[str, str]
"""A system and the holder there whom we stopped."""


def public_names(leaked: Iterable[str]) -> tuple[str, ...]:
    """Return the names of what leaked; a secret that somebody typed there becomes its fingerprint."""
    run = current_run()
    key = fingerprint_key(run.settings.signing_key(), run.incident)
    return tuple(dict.fromkeys(public_name(one, key) for one in leaked))


def contain_leaked(
    found: Inventory, leaked: Iterable[str], scope: Scope, contained: Iterable[Contained] = ()
) -> list[Contained]:
    """
    Deny the holders of what leaked everything, switch their keys off, and cut off the roles that they may take.

    A scope of one credential leaves the holder's other keys on, under the deny. Returns whom we stopped, after those
    whom we had `contained` before, and not whom somebody else had stopped. What cannot be contained stands in the
    journal and holds nothing up: the gate that follows ends it for good.
    """
    keys, before = matching(found, leaked), list(contained)
    held = [one for one in found.credentials if one.key in keys and one.alive]
    seen = dict.fromkeys((one.system, one.holder) for one in held)
    holders = [one for one in seen if one not in before and not _is_let_go(*one)]
    off = held if scope == "credential" else list(found.credentials)
    stop = [partial(_contain_holder, system, holder, off) for system, holder in holders]
    opened = write_time(current_run().state().opened_at or utc_now())
    roles = _roles_in_reach(found, held)
    cut = [partial(_cut_off, system, names, opened) for system, names in roles.items()]
    ours = together(*stop, *cut) if stop or cut else []
    stopped = [one for one, mine in zip(holders, ours, strict=False) if mine]
    return [*before, *stopped]


def contain_sessions() -> None:
    """Refuse the sessions of users that were issued before now, once one of ours is kept that can prove their end."""
    names = session_systems(current_run().protocol.systems)
    if names:
        together(*(partial(_close, name) for name in names))


def lift_containment(contained: Iterable[Contained]) -> None:
    """
    Allow them again what they were allowed before: what they hold now is new, and the hole is closed.

    A user whom the baseline does not know stays denied. What cannot be given back becomes a task.
    """
    systems, now = current_run().protocol.systems, write_time(utc_now())
    for system, holder in contained:
        given_back: Change | None = None
        if isinstance(systems[system], Aws):
            if is_stranger(system, holder):
                continue
            # Sessions that its old keys were lent live on at AWS: they are refused before the deny goes.
            if attempt(revoke_aws_sessions, system, (holder,), now) is not None:
                given_back = attempt(restore_aws_principal, system, holder)
        elif isinstance(systems[system], Vault):
            given_back = attempt(enable_vault_entity, system, holder)
        if given_back is None:
            because = "it was contained and could not be allowed again; the timeline says why"
            attempt(open_task_for_key, system, holder, first_decision_maker(), because)


def is_stranger(system: str, holder: str) -> bool:
    """Whether the baseline of an account does not know a user; without a baseline nobody is a stranger."""
    before = attempt(look_at_baseline, system)
    return before is not None and not before.knows(holder)


def first_decision_maker() -> str:
    """Return who has to see to what nobody else can."""
    run = current_run()
    return next(iter(run.protocol.levels[run.state().level].decision_makers))


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


def _close(system: str) -> None:
    attempt(take_canary_session, system)
    attempt(close_sessions, system)


def _roles_in_reach(found: Inventory, held: Iterable[Credential]) -> dict[str, tuple[str, ...]]:
    """Return by system the roles (`role/NAME`) whose sessions somebody with these credentials may have."""
    reach = {key for one in held for key in one.reach}
    roles = [one for one in found.credentials if one.kind == "role sessions" and one.key in reach and not one.ours]
    systems = dict.fromkeys(one.system for one in roles)
    return {name: tuple(sorted(one.holder for one in roles if one.system == name)) for name in systems}


def _contain_holder(name: str, holder: str, off: list[Credential]) -> bool:
    """Stop a holder, and switch off which of these keys it has; say whether it was we who stopped it."""
    system = current_run().protocol.systems[name]
    if isinstance(system, Aws) and holder:
        denied = attempt(contain_aws_principal, name, holder)
        keys = [one for one in off if (one.system, one.holder, one.kind) == (name, holder, "access key")]
        alive = tuple(sorted(user_key(one) for one in keys if one.alive and not one.ours))
        if alive:
            attempt(disable_aws_keys, name, alive)
        return _is_our_doing(denied, contain_aws_principal, name, holder)
    if isinstance(system, Vault) and holder:
        return _is_our_doing(attempt(disable_vault_entity, name, holder), disable_vault_entity, name, holder)
    return False


def _cut_off(system: str, roles: tuple[str, ...], until: str) -> bool:
    return attempt(revoke_aws_sessions, system, roles, until) is not None


def _is_let_go(system: str, holder: str) -> bool:
    """Whether an earlier try of this run came to its end with a holder: what it holds since is new, and not to stop."""
    run = current_run()
    calls = [*past(restore_aws_principal, system, holder), *past(enable_vault_entity, system, holder)]
    return any((entry.run, entry.kind) == (run.id, "done") for entry in calls)


def _is_our_doing(change: Change | None, act: Callable[..., Change], *arguments: str) -> bool:
    """Whether we stopped somebody, also in an earlier try that was cut short before it was on record."""
    if change is not None and change.state == "done":
        return True
    # Begun more than once: what this try found may be what an earlier one did before it was cut short.
    return sum(entry.kind == "intended" for entry in past(act, *arguments)) > 1
