"""Kill steps: how each kind of credential ends, in the order of systems and of what must come before what."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crisis.domain.clock import utc_now, write_time
from crisis.domain.credential import Credential, Inventory
from crisis.domain.plan import Step
from crisis.domain.systems import Aws, System, Vault
from crisis.domain.systems.third import KINDS, GitHubKeys
from crisis.domain.systems.vault import Place
from crisis.engine.action import attempt, step
from crisis.engine.run import current_run
from tasks.checklist import open_task, open_task_for_key
from tasks.contain import first_decision_maker, session_systems, user_key
from tasks.contain_aws import close_aws_console, contain_aws_principal, disable_aws_keys, revoke_aws_sessions
from tasks.hunt_aws import look_at_baseline
from tasks.invalidate_sessions import end_sessions
from tasks.inventory import in_order
from tasks.isolate_aws import sign_out_aws_pool
from tasks.revoke_third import end_third_party_key, revoke_leaked_tokens
from tasks.revoke_vault import revoke_vault_leases, revoke_vault_token
from tasks.rotate_aws import rotate_aws_keys
from tasks.rotate_rds import rotate_rds_master
from tasks.rotate_secrets import rotate_aws_secret
from tasks.rotate_vault import destroy_vault_versions, rotate_vault_key, rotate_vault_root, rotate_vault_secret_id

_FIRST = ("access key", "login", "role sessions", "secret-id", "token", "leases", "transit key", "database root")
"""In a Vault, secret ids are replaced before what they have logged in is ended: their users come right back."""

_AT_ONCE = frozenset({"access key", "role sessions"})
"""Kinds of which one step ends all that an account has."""

_Steps = Iterator[Step]


@dataclass(frozen=True)
class Work:
    """What is to be ended, what there is in all, and whether it is the first turn or the one after the hole."""

    covered: Sequence[Credential]
    known: Inventory
    turn: int

    def of(self, system: str) -> "Work":
        """Return what of it is in one system."""
        return replace(self, covered=[one for one in self.covered if one.system == system])


def steps_of(work: Work) -> _Steps:
    """Yield what is done, in the order in which it is done."""
    systems = current_run().protocol.systems
    here = {one.system for one in work.covered}
    for name in in_order(systems):
        if name in here or getattr(systems[name], "leaked", None):
            yield from _of_system(name, systems[name], work.of(name))
    for one in work.covered:
        if one.system not in systems:
            yield _by_hand(one)
    for name in session_systems(systems):
        about = {"system": name, **({"turn": work.turn} if work.turn > 1 else {})}
        yield step(end_sessions, now="sessions of users are valid", wanted="every one is refused", **about)


def _of_system(name: str, system: System, work: Work) -> _Steps:
    if isinstance(system, GitHubKeys) and system.leaked is not None:
        yield step(revoke_leaked_tokens, now="they leaked", wanted="GitHub refuses each", system=name)
    done = set[str]()
    for one in sorted(work.covered, key=lambda one: _FIRST.index(one.kind) if one.kind in _FIRST else len(_FIRST)):
        if _changes_with_another(one, system) or (one.kind in _AT_ONCE and one.fate != "by hand" and one.kind in done):
            continue
        make = _MAKERS.get(one.kind)
        if one.fate == "by hand" or make is None:
            yield _by_hand(one)
            continue
        done.add(one.kind)
        for made in make(one, work):
            digest = f"{made.action} {made.arguments}"
            if digest not in done:  # one step ends all secret ids of a role
                done.add(digest)
                yield made
    if isinstance(system, Aws):
        yield from _sessions(name, work)


def _changes_with_another(one: Credential, system: System) -> bool:
    """Whether it changes with another one: a secret that only keeps one, a key that is renewed when sessions end."""
    if one.kind == "signing key":
        return one.fate == "rotate"
    if one.kind == "secret" and isinstance(system, Aws):
        return one.holder.startswith((f"{system.keys_at}/", f"{system.masters_at}/", "rds!"))  # RDS has its own
    if one.kind == "secret" and isinstance(system, Vault):
        return one.holder in {f"{role.kept_in}/{role.kept_at}" for role in system.approles}
    return False


def _by_hand(one: Credential) -> Step:
    if one.kind == "by hand":
        about = {"system": one.system, "credential": one.name}
        return step(open_task, now="valid", wanted="a person shows that it is refused", **about)
    because = f"{one.kind} that nothing here can end{': ' + one.note if one.note else ''}"
    about = {"system": one.system, "key": one.name, "owner": first_decision_maker(), "because": because}
    return step(open_task_for_key, now="valid", wanted="a person shows that it is refused", **about)


def _access_keys(one: Credential, work: Work) -> _Steps:
    """Replace keys; those of users whom the baseline does not know are switched off, and nobody gets a new one."""
    every = [each for each in work.covered if each.kind == "access key" and each.fate != "by hand"]
    before = attempt(look_at_baseline, one.system)  # without a baseline nobody is a stranger
    strange = {each.holder for each in every if before and not before.knows(each.holder)}
    known = tuple(sorted(each.name for each in work.known.credentials if _is_key_of(each, one.system)))
    lost = tuple(sorted(user_key(each) for each in every if each.holder in strange))
    names = tuple(sorted(user_key(each) for each in every if each.holder not in strange))
    for holder in sorted(strange):
        yield step(contain_aws_principal, now="a stranger", wanted="denied all", system=one.system, principal=holder)
    if lost:
        now, wanted = f"{len(lost)} keys of strangers valid", "refused, and not replaced"
        yield step(disable_aws_keys, now=now, wanted=wanted, system=one.system, keys=lost)
    if names:
        now, wanted = f"{len(names)} keys valid", "refused, and replaced"
        yield step(rotate_aws_keys, now=now, wanted=wanted, system=one.system, keys=names, known=known)


def _is_key_of(one: Credential, system: str) -> bool:
    return (one.system, one.kind) == (system, "access key")


def _login(one: Credential, _work: Work) -> _Steps:
    about = {"system": one.system, "user": _user(one)}
    yield step(close_aws_console, now="a console password", wanted="none", **about)


def _sessions(system: str, work: Work) -> _Steps:
    """End the sessions of roles, of whoever may log in, and those that keys were lent, which outlive the keys."""
    roles = {each.holder for each in work.covered if each.kind == "role sessions"}
    users = {f"user/{_user(each)}" for each in work.covered if each.kind in ("login", "access key")}
    if roles or users:
        about = {"system": system, "principals": tuple(sorted(roles | users)), "until": write_time(utc_now())}
        yield step(revoke_aws_sessions, now="sessions valid", wanted="those issued until now refused", **about)


def _user(one: Credential) -> str:
    return one.holder.removeprefix("user/") or one.name


def _token(one: Credential, _work: Work) -> _Steps:
    yield step(revoke_vault_token, now="valid", wanted="refused", system=one.system, accessor=one.name)


def _leases(one: Credential, _work: Work) -> _Steps:
    yield step(revoke_vault_leases, now=one.note or "lent", wanted="none lent", system=one.system, prefix=one.name)


def _secret_id(one: Credential, work: Work) -> _Steps:
    place = Place.parse(one.name)
    about: dict[str, Any] = {"system": one.system, "name": f"{place.mount}:{place.path}"}
    about |= {"turn": work.turn} if work.turn > 1 else {}
    yield step(rotate_vault_secret_id, now="its secret ids log in", wanted="a new one alone does", **about)


def _transit_key(one: Credential, _work: Work) -> _Steps:
    if one.fate == "rotate":
        yield step(rotate_vault_key, now="encrypts", wanted="a newer version does", system=one.system, name=one.name)


def _root(one: Credential, _work: Work) -> _Steps:
    yield step(rotate_vault_root, now="valid", wanted="refused, and replaced", system=one.system, name=one.name)


def _master(one: Credential, _work: Work) -> _Steps:
    yield step(rotate_rds_master, now="opens it", wanted="refused, and replaced", system=one.system, name=one.name)


def _secret(one: Credential, _work: Work) -> _Steps:
    if one.name.startswith("arn:"):
        about = {"system": one.system, "name": one.name}
        yield step(rotate_aws_secret, now="current", wanted="a newer value, the old one taken away", **about)
        return
    if one.fate == "revoke":
        yield step(destroy_vault_versions, now="readable", wanted="destroyed", system=one.system, name=one.name)
    else:  # only its owner knows what to write there
        yield _by_hand(one)


def _pool(one: Credential, _work: Work) -> _Steps:
    region, _, pool = one.name.partition(":")
    about = {"system": one.system, "region": region, "pool": pool}
    yield step(sign_out_aws_pool, now="tokens of its users valid", wanted="refresh tokens refused", **about)


def _third(one: Credential, _work: Work) -> _Steps:
    yield step(end_third_party_key, now="valid", wanted="refused", system=one.system, key=one.name)


_Maker = Callable[[Credential, Work], _Steps]

_MAKERS: dict[str, _Maker] = {
    "access key": _access_keys,
    "login": _login,
    "role sessions": lambda _one, _work: iter(()),  # in one step for all of an account, when all else is done
    "user pool sessions": _pool,
    "token": _token,
    "leases": _leases,
    "secret-id": _secret_id,
    "transit key": _transit_key,
    "database root": _root,
    "database master": _master,
    "secret": _secret,
    **dict.fromkeys(KINDS, _third),
}
