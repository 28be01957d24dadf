"""Every action passes with the policy that deployments/vault ships for it; one permission short, it names that one."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crisis.domain.credential import Inventory
from crisis.errors import RefusedError
from crisis.sandbox.vault import policy
from tests.tasks.vault.conftest import PROJECT, Safe

FOLDER = PROJECT / "deployments" / "vault"
OWN = FOLDER / "own_token.hcl"
BESIDE = "list_beside_others"
Play = Callable[[Safe], Any]


def revoke_token(safe: Safe) -> None:
    """End a token of somebody else."""
    from tasks.revoke_vault import revoke_vault_token  # noqa: PLC0415 - loads Prefect

    safe.do(revoke_vault_token, safe.ground.token(policies=["default"])["accessor"])


def revoke_leases(safe: Safe) -> None:
    """End users of a database and logins."""
    from tasks.revoke_vault import revoke_vault_leases  # noqa: PLC0415

    safe.ground.ask("GET", "database/creds/shop")
    safe.ground.login("approle", "any")
    safe.do(revoke_vault_leases, "database/creds/shop")
    safe.do(revoke_vault_leases, "auth/approle")


def revoke_own(safe: Safe) -> None:
    """End our own token."""
    from tasks.revoke_vault import revoke_own_vault_token  # noqa: PLC0415

    assert safe.do(revoke_own_vault_token).state == "done"


def rotate_secret_id(safe: Safe) -> None:
    """Replace a stored secret id, and one that was never stored."""
    from tasks.rotate_vault import rotate_vault_secret_id  # noqa: PLC0415

    safe.secret_id("shop", stored=True)
    safe.secret_id("fresh", stored=False)
    safe.do(rotate_vault_secret_id, "approle:shop")
    safe.do(rotate_vault_secret_id, "approle:fresh")


def a_secret(safe: Safe, versions: int = 1) -> str:
    """Write a secret; return the name of its first version."""
    path = f"shop/{safe.ground.tag}-{safe.ground.token(policies=['default'])['accessor']}"
    for number in range(versions):
        safe.ground.ask("POST", f"secret/data/{path}", {"data": {"key": f"value {number}"}})
    return f"secret:{path}@1"


def rotate_value(safe: Safe) -> None:
    """Write a new value."""
    from tasks.rotate_vault import rotate_vault_value  # noqa: PLC0415

    safe.do(rotate_vault_value, a_secret(safe), "key")


def destroy_versions(safe: Safe) -> None:
    """Destroy an old value."""
    from tasks.rotate_vault import destroy_vault_versions  # noqa: PLC0415

    safe.do(destroy_vault_versions, a_secret(safe, versions=2))


def a_key(safe: Safe, *, rotated: bool = False) -> str:
    """Make a transit key; return the name of its first version."""
    name = safe.ground.token(policies=["default"])["accessor"]
    safe.ground.ask("POST", f"transit/keys/{name}", {})
    if rotated:
        safe.ground.ask("POST", f"transit/keys/{name}/rotate", {})
    return f"transit:{name}@1"


def rotate_key(safe: Safe) -> None:
    """Add a version to a key."""
    from tasks.rotate_vault import rotate_vault_key  # noqa: PLC0415

    safe.do(rotate_vault_key, a_key(safe))


def retire_versions(safe: Safe) -> None:
    """Refuse a key's first version."""
    from tasks.rotate_vault import retire_vault_key_versions  # noqa: PLC0415

    safe.do(retire_vault_key_versions, a_key(safe, rotated=True))


def readmit_versions(safe: Safe) -> None:
    """Take that back."""
    from tasks.rotate_vault import readmit_vault_key_versions  # noqa: PLC0415

    key = a_key(safe, rotated=True)
    path = key.removeprefix("transit:").removesuffix("@1")
    safe.ground.ask("POST", f"transit/keys/{path}/config", {"min_decryption_version": 2})
    safe.do(readmit_vault_key_versions, key)


def rotate_root(safe: Safe) -> None:
    """Rotate a database's root."""
    from tasks.rotate_vault import rotate_vault_root  # noqa: PLC0415

    safe.do(rotate_vault_root, "database:shop")


def disable(safe: Safe) -> None:
    """Hold an entity back."""
    from tasks.contain_vault import disable_vault_entity  # noqa: PLC0415

    safe.do(disable_vault_entity, safe.ground.ask("POST", "identity/entity", {})["data"]["id"])


def enable(safe: Safe) -> None:
    """Let an entity go."""
    from tasks.contain_vault import enable_vault_entity  # noqa: PLC0415

    entity = safe.ground.ask("POST", "identity/entity", {})["data"]["id"]
    safe.ground.ask("POST", f"identity/entity/id/{entity}", {"disabled": True})
    safe.do(enable_vault_entity, entity)


PLAYS: dict[str, Play] = {
    "revoke_vault_token": revoke_token,
    "revoke_vault_leases": revoke_leases,
    "revoke_own_vault_token": revoke_own,
    "rotate_vault_secret_id": rotate_secret_id,
    "rotate_vault_value": rotate_value,
    "destroy_vault_versions": destroy_versions,
    "rotate_vault_key": rotate_key,
    "retire_vault_key_versions": retire_versions,
    "readmit_vault_key_versions": readmit_versions,
    "rotate_vault_root": rotate_root,
    "disable_vault_entity": disable,
    "enable_vault_entity": enable,
}
LOOK = "list_vault_credentials"


def rules_of(file: Path) -> dict[str, frozenset[str]]:
    """Read a shipped policy."""
    return dict(policy.parse(file.read_text(encoding="utf-8")))


def written(rules: dict[str, frozenset[str]]) -> str:
    """Write rules as a policy."""
    blocks = [f'path "{path}" {{ capabilities = [{_quoted(granted)}] }}' for path, granted in rules.items() if granted]
    return "\n".join(blocks) or 'path "nothing" { capabilities = ["deny"] }'


def _quoted(granted: frozenset[str]) -> str:
    return ", ".join(f'"{one}"' for one in sorted(granted))


def shorts(*names: str) -> list[Any]:
    """List every single permission of the policies of these names."""
    return [
        pytest.param(name, path, capability, id=f"{name}: {path} {capability}")
        for name in names
        for path, granted in rules_of(FOLDER / f"{name}.hcl").items()
        for capability in sorted(granted)
    ]


def without(name: str, path: str, capability: str) -> str:
    """Return a shipped policy with one permission taken away."""
    rules = rules_of(FOLDER / f"{name}.hcl")
    return written({**rules, path: rules[path] - {capability}})


def own(safe: Safe) -> str:
    """Write the policy that every token of ours has."""
    return safe.ground.policy(OWN.read_text(encoding="utf-8"))


def names(saw: str, path: str, capability: str) -> bool:
    """Say whether a line names a missing permission: its capability, on a path that the rule is about."""
    told = re.search(r"403, no (?P<lacking>[a-z, ]+) on (?P<path>\S+)$", saw)
    if told is None:
        return False
    op = "list" if told["path"].endswith("/") else capability
    fits = policy.allowed([{path: frozenset({capability})}], told["path"], op)
    return capability in told["lacking"].split(", ") and capability in fits


def test_every_action_has_a_policy_and_a_test() -> None:
    """Each file but our own token's, and what makes the look's hold beside the others, is one action's, by name."""
    assert {file.stem for file in FOLDER.glob("*.hcl")} == {*PLAYS, LOOK, OWN.stem, BESIDE}


@pytest.mark.parametrize("name", PLAYS)
def test_an_action_passes_with_its_policy(safe: Safe, name: str) -> None:
    """It needs no permission that is not shipped."""
    shipped = safe.ground.policy((FOLDER / f"{name}.hcl").read_text(encoding="utf-8"))
    safe.as_orphan(own(safe), shipped)

    PLAYS[name](safe)


@pytest.mark.parametrize(("name", "path", "capability"), shorts(*PLAYS))
def test_one_permission_short_an_action_names_it(safe: Safe, name: str, path: str, capability: str) -> None:
    """Nothing that is shipped is more than it needs, and the error says what is missing where."""
    safe.as_orphan(own(safe), safe.ground.policy(without(name, path, capability)))

    with pytest.raises(RefusedError) as caught:
        PLAYS[name](safe)

    assert names(caught.value.saw, path, capability), caught.value


def listed(safe: Safe) -> Inventory:
    """Take the inventory of a server that holds one of each kind."""
    from tasks.list_vault import list_vault_credentials  # noqa: PLC0415

    safe.secret_id("shop", stored=True)
    a_key(safe)
    return safe.do(list_vault_credentials)


def test_the_inventory_sees_everything_with_its_policy(safe: Safe) -> None:
    """All kinds are there and nothing is unseen."""
    safe.as_orphan(own(safe), safe.ground.policy((FOLDER / f"{LOOK}.hcl").read_text(encoding="utf-8")))
    safe.ground.ask("GET", "database/creds/shop")

    found = listed(safe)

    assert found.unseen == ()
    kinds = {one.kind for one in found.credentials}
    assert kinds >= {"token", "leases", "secret-id", "secret", "transit key", "database root"}


def test_a_token_with_all_policies_sees_everything_too(safe: Safe) -> None:
    """A rule of one policy that is more specific than the look's hides nothing from it."""
    every = [safe.ground.policy(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.hcl"))]
    safe.as_orphan(*every)
    a_secret(safe)

    assert listed(safe).unseen == ()


@pytest.mark.parametrize(("name", "path", "capability"), shorts(LOOK))
def test_one_permission_short_the_inventory_names_the_gap(safe: Safe, name: str, path: str, capability: str) -> None:
    """It never looks whole when it is not."""
    safe.as_orphan(own(safe), safe.ground.policy(without(name, path, capability)))

    found = listed(safe)

    assert any(names(line, path, capability) for line in found.unseen), found.unseen


def test_a_token_that_may_not_look_itself_up_is_not_taken_for_dead(safe: Safe) -> None:
    """Its end must be proved, so the missing permission is an error."""
    shipped = safe.ground.policy((FOLDER / "revoke_own_vault_token.hcl").read_text(encoding="utf-8"))
    accessor = safe.as_orphan(safe.ground.policy(without("own_token", "auth/token/lookup-self", "read")), shipped)

    with pytest.raises(RefusedError, match="no read on auth/token/lookup-self"):
        revoke_own(safe)

    assert safe.ground.ask("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
