"""Kill: the plan of every credential that ends, in the order in which they end, and once more after the hole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from crisis.domain.change import Change
from crisis.domain.credential import Credential, Inventory, Scope
from crisis.domain.plan import Choice, Plan, Step
from crisis.domain.systems import Aws, System
from crisis.domain.systems.third import GitHubKeys
from crisis.domain.systems.vault import Place
from crisis.engine.action import step
from crisis.engine.gate import carry_out
from crisis.engine.run import current_run
from crisis.errors import ProtocolError
from tasks.checklist import open_task, open_task_for_key
from tasks.contain import matching, session_systems, user_key
from tasks.contain_aws import close_aws_console, revoke_aws_sessions
from tasks.hunt import Findings
from tasks.invalidate_sessions import end_sessions
from tasks.inventory import in_order, take_inventory
from tasks.isolate_aws import sign_out_aws_pool
from tasks.notify import ask_decision_maker
from tasks.revoke_third import end_third_party_key, revoke_leaked_tokens
from tasks.revoke_vault import revoke_vault_leases, revoke_vault_token
from tasks.rotate_aws import rotate_aws_keys
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

    Asks again, for it is another plan. Does nothing where nothing was rotated and nothing is new.
    """
    made = {new for change in ended for new in change.facts.get("rotated", {}).values()}
    if not made and not left.strangers:
        return []
    return carry_out("kill-again", lambda: _plan_again(found, made, left), ask_decision_maker)


def _plan_again(found: Inventory, made: set[str], left: Findings) -> Plan:
    now, strangers = take_inventory(), set(left.strangers)
    covered = [
        one for one in now.credentials if one.alive and not one.ours and (one.name in made or one.key in strangers)
    ]
    known = Inventory(taken_at=now.taken_at, credentials=(*found.credentials, *covered), unseen=now.unseen)
    return _plan("kill-again", "End what passed through the hole while it was open", covered, known)


def _plan(gate: str, title: str, covered: Sequence[Credential], known: Inventory) -> Plan:
    steps = tuple(_steps(covered, known))
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


def _steps(covered: Sequence[Credential], known: Inventory) -> _Steps:
    systems = current_run().protocol.systems
    by_system = {
        name: list(group)
        for name, group in groupby(sorted(covered, key=lambda one: one.system), lambda one: one.system)
    }
    for name in in_order(systems):
        yield from _of_system(name, systems[name], by_system.get(name, []), known)
    for one in by_system.get("unlisted", []):
        yield _by_hand(one)
    for name in session_systems(systems):
        yield step(end_sessions, now="sessions of users are valid", wanted="every one is refused", system=name)


def _of_system(name: str, system: System, covered: Sequence[Credential], known: Inventory) -> _Steps:
    if isinstance(system, GitHubKeys) and system.leaked is not None:
        yield step(revoke_leaked_tokens, now="they leaked", wanted="GitHub refuses each", system=name)
    done = set[str]()
    for one in sorted(covered, key=lambda one: _FIRST.index(one.kind) if one.kind in _FIRST else len(_FIRST)):
        if isinstance(system, Aws) and one.kind == "secret" and one.holder.startswith(f"{system.keys_at}/"):
            continue  # it holds an access key, and changes with it
        make = _MAKERS.get(one.kind)
        if one.fate == "by hand" or make is None:
            yield _by_hand(one)
            continue
        for made in make(one, covered, known):
            digest = f"{made.action} {made.arguments}"
            if digest not in done:  # one step ends all keys of an account, or all secret ids of a role
                done.add(digest)
                yield made


def _by_hand(one: Credential) -> Step:
    if one.kind == "by hand":
        about = {"system": one.system, "credential": one.name}
        return step(open_task, now="valid", wanted="a person shows that it is refused", **about)
    owner = next(iter(current_run().protocol.levels[current_run().state().level].decision_makers))
    because = f"no way to end a {one.kind} from here{': ' + one.note if one.note else ''}"
    about = {"system": one.system, "key": one.name, "owner": owner, "because": because}
    return step(open_task_for_key, now="valid", wanted="a person shows that it is refused", **about)


def _access_keys(_one: Credential, covered: Sequence[Credential], known: Inventory) -> _Steps:
    keys = [one for one in covered if one.kind == "access key"]
    ids = sorted(one.name for one in known.credentials if (one.system, one.kind) == (_one.system, "access key"))
    names = tuple(sorted(user_key(one) for one in keys))
    about = {"system": _one.system, "keys": names, "known": tuple(ids)}
    yield step(rotate_aws_keys, now=f"{len(names)} keys valid", wanted="refused, and replaced", **about)


def _login(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    about = {"system": one.system, "user": one.holder.removeprefix("user/") or one.name}
    yield step(close_aws_console, now="a console password", wanted="none", **about)
    about = {"system": one.system, "principal": f"user/{one.holder.removeprefix('user/') or one.name}"}
    yield step(revoke_aws_sessions, now="console sessions valid", wanted="refused", **about)


def _role_sessions(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    about = {"system": one.system, "principal": one.holder}
    yield step(revoke_aws_sessions, now="sessions valid", wanted="those issued until now refused", **about)


def _token(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    yield step(revoke_vault_token, now="valid", wanted="refused", system=one.system, accessor=one.name)


def _leases(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    yield step(revoke_vault_leases, now=one.note or "lent", wanted="none lent", system=one.system, prefix=one.name)


def _secret_id(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    place = Place.parse(one.name)
    about = {"system": one.system, "name": f"{place.mount}:{place.path}"}
    yield step(rotate_vault_secret_id, now="its secret ids log in", wanted="a new one alone does", **about)


def _transit_key(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    if one.fate == "rotate":
        yield step(rotate_vault_key, now="encrypts", wanted="a newer version does", system=one.system, name=one.name)


def _root(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    yield step(rotate_vault_root, now="valid", wanted="refused, and replaced", system=one.system, name=one.name)


def _version(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    if one.fate == "revoke":
        yield step(destroy_vault_versions, now="readable", wanted="destroyed", system=one.system, name=one.name)
    else:  # only its owner knows what to write there
        yield _by_hand(one)


def _pool(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    region, _, pool = one.name.partition(":")
    about = {"system": one.system, "region": region, "pool": pool}
    yield step(sign_out_aws_pool, now="tokens of its users valid", wanted="refresh tokens refused", **about)


def _third(one: Credential, _covered: Sequence[Credential], _known: Inventory) -> _Steps:
    yield step(end_third_party_key, now="valid", wanted="refused", system=one.system, key=one.name)


_Maker = Callable[[Credential, Sequence[Credential], Inventory], _Steps]
_THIRD = (
    "github keys", "stripe keys", "twilio keys", "sendgrid keys", "slack tokens", "datadog keys", "cloudflare tokens",
    "npm tokens", "openai keys",
)  # fmt: skip

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
    "secret": _version,
    **dict.fromkeys(_THIRD, _third),
}
