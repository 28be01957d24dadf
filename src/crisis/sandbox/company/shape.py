"""Shape: what the company looks like at a moment, without names that differ from one company to the next."""

import json
from collections import Counter
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from crisis.sandbox.company.account import REGION
from crisis.sandbox.company.members import Keeping
from crisis.sandbox.keyring import Keyring
from crisis.sandbox.vault.state import State

__all__ = ["secrets_of", "shape_of"]


def shape_of(state: State, ring: Keyring, keeping: Keeping) -> dict[str, Any]:
    """
    Say who may do what.

    Of each user: the status of the keys, the policies, whether there is a password. Of each secret: how many versions
    it had, and whether the key in force works. Of the Vault, the vendors and the members: what lives, and how often
    it was replaced.
    """
    return {
        "users": _users(),
        "roles": {role.name: sorted(role.policies) for role in _iam().roles.values()},
        "secrets": _secrets(),
        "vault": _vault(state),
        "vendors": {vendor: sorted(key.id for key in ring.living(vendor)) for vendor in ring.keys},
        "sessions": keeping.count(),
    }


def secrets_of(state: State, ring: Keyring) -> dict[str, str]:
    """Return every secret that there is now, by what it is: for a search that must find none of them."""
    keys = {key.access_key_id: key.secret_access_key for user in _iam().users.values() for key in user.access_keys}
    roles = state.auth["approle/"].store.items()
    ids = {
        f"{name} secret id {one['secret_id_accessor']}": id_
        for name, role in roles
        for id_, one in role["secrets"].items()
    }
    return {
        **{f"aws key {name}": secret for name, secret in keys.items()},
        **{f"vault token {token.accessor}": token.id for token in list(state.tokens.values())},
        **ids,
        **{f"{vendor} key {key.id}": key.secret for vendor, keys in ring.keys.items() for key in keys.values()},
    }


def _iam() -> Any:
    return iam_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _users() -> dict[str, Any]:
    return {
        user.name: {
            "keys": sorted(key.status for key in user.access_keys),
            "policies": sorted(user.policies),
            "password": bool(user.password),
        }
        for user in _iam().users.values()
    }


def _secrets() -> dict[str, Any]:
    active = {key.access_key_id for user in _iam().users.values() for key in user.access_keys if key.status == "Active"}
    found = dict[str, Any]()
    for secret in secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets.values():
        current = next(one for one in secret.versions.values() if "AWSCURRENT" in one["version_stages"])
        stages = Counter(stage for one in secret.versions.values() for stage in one["version_stages"])
        works = json.loads(current["secret_string"])["access_key_id"] in active
        found[secret.name] = {"versions": len(secret.versions), "stages": sorted(stages), "works": works}
    return found


def _vault(state: State) -> dict[str, Any]:
    state.settle()
    tokens = Counter(one.display_name or one.path for one in list(state.tokens.values()) if state.find(one.id))
    return {
        "tokens": dict(tokens),
        "leases": Counter(one.id.rpartition("/")[0] for one in state.leases.values()),
        "key versions": {name: key["latest"] for name, key in state.mounts["transit/"].store.items()},
        "secret ids": {name: len(role["secrets"]) for name, role in state.auth["approle/"].store.items()},
        "values": {path: len(one["versions"]) for path, one in state.mounts["secret/"].store.items()},
        "database": len(state.databases["orders"].accounts),
    }
