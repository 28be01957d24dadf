"""Baseline: the state of IAM without its secrets, as JSON; and what is different from a known-good one."""

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crisis.clients.aws import Account
from crisis.clients.aws.details import read_details
from crisis.domain.clock import utc_now, write_time
from crisis.errors import ProtocolError

__all__ = ["Difference", "State", "differences", "doubtful_trust", "file_of", "read", "take", "write"]

State = dict[str, dict[str, Any]]
"""By kind (`users`, `groups`, `roles`, `policies`, `keys`, `providers`), then by name. JSON; no secret."""

_THREADS = 16
_ATTACHED = "AttachedManagedPolicies"
_INLINE = ("UserPolicyList", "GroupPolicyList", "RolePolicyList")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was; `what` says where, with a dot before each part."""

    how: Literal["new", "gone", "changed"]
    what: str

    @property
    def says(self) -> str:
        """The line for a report."""
        return f"{self.how}: {self.what}"


def file_of(home: Path, system: str) -> Path:
    """Return where the known-good state of an account is kept."""
    return home / "baselines" / f"{system}.json"


def write(account: Account, file: Path) -> int:
    """Take the state of an account as known to be good; return how many things it names. It holds no secret."""
    state = take(account)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(".draft")
    kept = {"taken_at": write_time(utc_now()), "account": account.number(), "state": state}
    text = json.dumps(kept, indent=1, sort_keys=True, default=str)
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
    return sum(len(kind) for kind in state.values())


def read(file: Path, account: str) -> State | None:
    """Return the known-good state of an account, or None where nobody took one; ProtocolError for anything else."""
    if not file.exists():
        return None
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        state: State = {kind: {**named} for kind, named in kept["state"].items()}
        state["users"]  # without any, everybody would be a stranger
        saw = f"one of account {kept['account']}" if kept.get("account", account) != account else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        saw = type(error).__name__
    if saw:
        then = "take a new one when all is well"
        raise ProtocolError(str(file), wanted=f"a baseline of account {account}", saw=saw, then=then)
    return state


def take(account: Account) -> State:
    """Read the state as it is now."""
    details, session = read_details(account.session), account.session
    with ThreadPoolExecutor(_THREADS) as pool:
        keys = list(pool.map(account.keys.of, sorted(details.users)))
        logins = dict(zip(details.users, pool.map(account.principals.has_login, details.users), strict=True))
    saml = session.ask("iam", "list_saml_providers", "identity providers").get("SAMLProviderList", ())
    oidc = session.ask("iam", "list_open_id_connect_providers", "identity providers")
    providers = [str(one["Arn"]) for one in (*saml, *oidc.get("OpenIDConnectProviderList", ()))]
    return {
        "users": {name: {**_user(one), "login": logins[name]} for name, one in details.users.items()},
        "groups": {name: _held(one) for name, one in details.groups.items()},
        "roles": {name: _role(one) for name, one in details.roles.items()},
        "policies": dict(details.policies),
        "keys": {key.id: {"user": key.user, "active": key.active} for listed in keys for key in listed},
        "providers": {name: {} for name in providers},
    }


def differences(before: State, now: State) -> list[Difference]:
    """Say what is new, gone or changed since a baseline, the new first."""
    found = [one for kind in now for one in _compare(f"{kind}", before.get(kind, {}), now[kind])]
    order = {"new": 0, "changed": 1, "gone": 2}
    return sorted(found, key=lambda one: (order[one.how], one.what))


def doubtful_trust(now: State, account: str, known: frozenset[str] = frozenset()) -> list[str]:
    """Say which roles let in everybody, or an account that is neither ours nor known."""
    lines = []
    for name, role in now["roles"].items():
        text = str(role.get("trust", ""))
        foreign = sorted(set(re.findall(r"\b\d{12}\b", text)) - {account} - known)
        if foreign:
            lines.append(f"role {name} trusts account {', '.join(foreign)}")
        if re.search(r"'(AWS|Principal)': (\['\*'\]|'\*')", text):
            lines.append(f"role {name} trusts everybody")
    return sorted(lines)


def _compare(where: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*before, *now}):
        path = f"{where}.{name}"
        if name not in before:
            yield Difference("new", path)
        elif name not in now:
            yield Difference("gone", path)
        elif isinstance(before[name], Mapping) and isinstance(now[name], Mapping):
            yield from _compare(path, before[name], now[name])
        elif before[name] != now[name]:
            yield Difference("changed", path)


def _user(one: Mapping[str, Any]) -> dict[str, Any]:
    boundary = one.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    return {**_held(one), "groups": sorted(one.get("GroupList", ())), "boundary": boundary}


def _role(one: Mapping[str, Any]) -> dict[str, Any]:
    boundary = one.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    profiles = sorted(str(each["InstanceProfileName"]) for each in one.get("InstanceProfileList", ()))
    trust = {"trust": _plain(one.get("AssumeRolePolicyDocument", {}))}
    return {**_held(one), **trust, "boundary": boundary, "profiles": profiles}


def _held(one: Mapping[str, Any]) -> dict[str, Any]:
    inline = [policy for key in _INLINE for policy in one.get(key, ())]
    return {
        "inline": {str(policy["PolicyName"]): {"document": str(_plain(policy["PolicyDocument"]))} for policy in inline},
        "attached": {str(policy["PolicyArn"]): {} for policy in one.get(_ATTACHED, ())},
    }


def _plain(document: Any) -> Any:
    """Return a policy with its keys in order, so that equal ones look equal."""
    if isinstance(document, Mapping):
        return {str(key): _plain(document[key]) for key in sorted(document)}
    return [_plain(one) for one in document] if isinstance(document, list) else document
