"""Kill: the plan of every credential that ends, in the order in which they end, and once more after the hole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from crisis.clients.aws import baseline
from crisis.domain.change import Change
from crisis.domain.credential import Credential, Inventory, Scope
from crisis.domain.plan import Choice, Plan, Step
from crisis.domain.systems import Aws, System, Vault
from crisis.domain.systems.third import KINDS, GitHubKeys
from crisis.domain.systems.vault import Place
from crisis.engine.action import step
from crisis.engine.gate import carry_out
from crisis.engine.run import current_run
from crisis.errors import ProtocolError
from tasks.checklist import open_task, open_task_for_key
from tasks.contain import matching, session_systems, user_key
from tasks.contain_aws import close_aws_console, contain_aws_principal, disable_aws_keys, revoke_aws_sessions
from tasks.hunt import Findings, successors
from tasks.invalidate_sessions import end_sessions
from tasks.inventory import in_order, take_inventory
from tasks.isolate_aws import sign_out_aws_pool
from tasks.notify import ask_decision_maker
from tasks.revoke_third import end_third_party_key, revoke_leaked_tokens
from tasks.revoke_vault import revoke_vault_leases, revoke_vault_token
from tasks.rotate_aws import rotate_aws_keys
from tasks.rotate_rds import rotate_rds_master
from tasks.rotate_secrets import rotate_aws_secret
from tasks.rotate_vault import destroy_vault_versions, rotate_vault_key, rotate_vault_root, rotate_vault_secret_id

_EACH = timedelta(seconds=2)
_SHOWN = 8
_FIRST = ("access key", "login", "role sessions", "secret-id", "token", "leases", "transit key", "database root")
"""In a Vault, secret ids are replaced before what they have logged in is ended: their users come right back."""

_Steps = Iterator[Step]
_UNKNOWN = "it is in no list: find out whose it is and end it there"
_ON_NO = "what leaked stays contained, all else stays valid, and people are called to take over"


def plan_kill(found: Inventory, leaked: Iterable[str], scope: Scope) -> Plan:
    """
    Plan the end of every credential that the breach covers, and of all sessions of users.

    What leaked and stands in no list becomes a task: nobody here can end it, and it must not be forgotten. Raises
    ProtocolError where the scope starts from what leaked, and nothing is said to have leaked.
    """
    names = tuple(leaked)
    if scope != "everything" and not names:
        then = "say what leaked, or start it with the scope everything"
        raise ProtocolError(f"scope {scope}", wanted="a leaked credential to start from", saw="none", then=then)
    unknown = [name for name in names if not matching(found, [name])]
    lost = [Credential(system="unlisted", kind="leaked", name=name, fate="by hand", note=_UNKNOWN) for name in unknown]
    return _plan("kill", "End what the intruder may hold", (*found.within(scope, matching(found, names)), *lost), found)


def kill_again(found: Inventory, ended: list[Change], left: Findings) -> list[Change]:
    """
    End what passed through the hole while it was open: the successors made meanwhile, and what nobody knew before.

    Asks again, for it is another plan. Does nothing where nothing was replaced and nothing is new.
    """
    made = successors(ended)
    if not made and not left.strangers:
        return []
    return carry_out("kill-again", lambda: _plan_again(found, made, left), ask_decision_maker, go_on=True)


def _plan_again(found: Inventory, made: set[str], left: Findings) -> Plan:
    now, again = take_inventory(), made | set(left.strangers)
    covered = [one for one in now.credentials if one.alive and not one.ours and one.key in again]
    known = Inventory(taken_at=now.taken_at, credentials=(*found.credentials, *covered), unseen=now.unseen)
    return _plan("kill-again", "End what passed through the hole while it was open", covered, known, turn=2)


def _plan(gate: str, title: str, covered: Sequence[Credential], known: Inventory, turn: int = 1) -> Plan:
    covered = _with_held(covered, known)
    steps = tuple(_steps(_Work(covered, known, turn)))
    users = sorted({user for one in covered for user in one.used_by})
    number, ours = len(covered), [one for one in known.credentials if one.ours]
    notes = [f"not seen, so not ended: {line}" for line in known.unseen]
    notes += [f"ours, to be replaced last by a person: {one.key}" for one in ours]
    return Plan(
        gate=gate,
        title=f"{title}: {number} credentials and every session",
        choices=(Choice(name="end them", summary="each is proved dead; what needs one gets another", steps=steps),),
        blast_radius=(
            "every user is logged out",
            f"known to need one of them: {', '.join(users[:_SHOWN]) or 'nobody'}{' …' if len(users) > _SHOWN else ''}",
        ),
        notes=tuple(notes),
        takes=_EACH * max(number, 1),
        on_no=_ON_NO,
    )


@dataclass(frozen=True)
class _Work:
    """What is to be ended, what there is in all, and whether it is the first turn or the one after the hole."""

    covered: Sequence[Credential]
    known: Inventory
    turn: int

    def of(self, system: str) -> "_Work":
        return replace(self, covered=[one for one in self.covered if one.system == system])


def _with_held(covered: Sequence[Credential], known: Inventory) -> list[Credential]:
    """Add what the secrets among them keep: whoever may read one holds the key or the password that is in it."""
    kept = {key for one in covered if one.kind == "secret" for key in one.reach}
    there = {one.key for one in covered}
    held = [one for one in known.credentials if one.key in kept - there and one.alive and not one.ours]
    return [*covered, *held]


def _steps(work: _Work) -> _Steps:
    systems = current_run().protocol.systems
    here = {one.system for one in work.covered}
    for name in in_order(systems):
        if name in here:
            yield from _of_system(name, systems[name], work.of(name))
    for one in work.covered:
        if one.system not in systems:
            yield _by_hand(one)
    for name in session_systems(systems):
        about = {"system": name, **({"turn": work.turn} if work.turn > 1 else {})}
        yield step(end_sessions, now="sessions of users are valid", wanted="every one is refused", **about)


def _of_system(name: str, system: System, work: _Work) -> _Steps:
    if isinstance(system, GitHubKeys) and system.leaked is not None:
        yield step(revoke_leaked_tokens, now="they leaked", wanted="GitHub refuses each", system=name)
    done = set[str]()
    for one in sorted(work.covered, key=lambda one: _FIRST.index(one.kind) if one.kind in _FIRST else len(_FIRST)):
        if _changes_with_another(one, system):
            continue
        make = _MAKERS.get(one.kind)
        if one.fate == "by hand" or make is None:
            yield _by_hand(one)
            continue
        for made in make(one, work):
            digest = f"{made.action} {made.arguments}"
            if digest not in done:  # one step ends all keys of an account, or all secret ids of a role
                done.add(digest)
                yield made


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
    owner = next(iter(current_run().protocol.levels[current_run().state().level].decision_makers))
    because = f"no way to end a {one.kind} from here{': ' + one.note if one.note else ''}"
    about = {"system": one.system, "key": one.name, "owner": owner, "because": because}
    return step(open_task_for_key, now="valid", wanted="a person shows that it is refused", **about)


def _access_keys(one: Credential, work: _Work) -> _Steps:
    """Replace keys; those of users whom the baseline does not know are switched off, and nobody gets a new one."""
    every = [each for each in work.covered if each.kind == "access key"]
    strange = {each.holder for each in every if _is_stranger(one.system, each.holder)}
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


def _is_stranger(system: str, holder: str) -> bool:
    """Whether the baseline of an account does not know a user; without a baseline nobody is a stranger."""
    before = baseline.read(baseline.file_of(current_run().settings.home, system))
    return before is not None and holder.removeprefix("user/") not in before.get("users", {})


def _login(one: Credential, work: _Work) -> _Steps:
    about = {"system": one.system, "user": _user(one)}
    yield step(close_aws_console, now="a console password", wanted="none", **about)
    yield from _role_sessions(one, work)


def _role_sessions(one: Credential, work: _Work) -> _Steps:
    """End the sessions of all roles and of all who may log in, in one step: AWS needs seconds to hear of each."""
    roles = {each.holder for each in work.covered if each.kind == "role sessions"}
    users = {f"user/{_user(each)}" for each in work.covered if each.kind == "login"}
    about = {"system": one.system, "principals": tuple(sorted(roles | users))}
    yield step(revoke_aws_sessions, now="sessions valid", wanted="those issued until now refused", **about)


def _user(one: Credential) -> str:
    return one.holder.removeprefix("user/") or one.name


def _token(one: Credential, _work: _Work) -> _Steps:
    yield step(revoke_vault_token, now="valid", wanted="refused", system=one.system, accessor=one.name)


def _leases(one: Credential, _work: _Work) -> _Steps:
    yield step(revoke_vault_leases, now=one.note or "lent", wanted="none lent", system=one.system, prefix=one.name)


def _secret_id(one: Credential, work: _Work) -> _Steps:
    place = Place.parse(one.name)
    about: dict[str, Any] = {"system": one.system, "name": f"{place.mount}:{place.path}"}
    about |= {"turn": work.turn} if work.turn > 1 else {}
    yield step(rotate_vault_secret_id, now="its secret ids log in", wanted="a new one alone does", **about)


def _transit_key(one: Credential, _work: _Work) -> _Steps:
    if one.fate == "rotate":
        yield step(rotate_vault_key, now="encrypts", wanted="a newer version does", system=one.system, name=one.name)


def _root(one: Credential, _work: _Work) -> _Steps:
    yield step(rotate_vault_root, now="valid", wanted="refused, and replaced", system=one.system, name=one.name)


def _master(one: Credential, _work: _Work) -> _Steps:
    yield step(rotate_rds_master, now="opens it", wanted="refused, and replaced", system=one.system, name=one.name)


def _secret(one: Credential, _work: _Work) -> _Steps:
    if one.name.startswith("arn:"):
        about = {"system": one.system, "name": one.name}
        yield step(rotate_aws_secret, now="current", wanted="a newer value, the old one taken away", **about)
        return
    if one.fate == "revoke":
        yield step(destroy_vault_versions, now="readable", wanted="destroyed", system=one.system, name=one.name)
    else:  # only its owner knows what to write there
        yield _by_hand(one)


def _pool(one: Credential, _work: _Work) -> _Steps:
    region, _, pool = one.name.partition(":")
    about = {"system": one.system, "region": region, "pool": pool}
    yield step(sign_out_aws_pool, now="tokens of its users valid", wanted="refresh tokens refused", **about)


def _third(one: Credential, _work: _Work) -> _Steps:
    yield step(end_third_party_key, now="valid", wanted="refused", system=one.system, key=one.name)


_Maker = Callable[[Credential, _Work], _Steps]

_MAKERS: dict[str, _Maker] = {
    "access key": _access_keys,
    "login": _login,
    "role sessions": _role_sessions,
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
