"""Safe: a Vault with the usual mounts: tokens of services, a login role, lent database users, a key, values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

__all__ = ["StagedSafe", "furnish"]

_MOUNTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("secret", "kv", {"version": "2"}),
    ("transit", "transit", {}),
    ("database", "database", {}),
)
_SERVICES = ("billing", "search", "notifier")
_LENT = 3


@dataclass(frozen=True)
class StagedSafe:
    """What the Vault holds for the drill: crisis's own token, one of a service, and the secrets that it gave out."""

    own: str = field(repr=False)
    stolen: str = field(repr=False)
    secrets: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class _Door:
    web: httpx.Client
    root: str = field(repr=False)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.web.request(method, f"/v1/{path}", json=body, headers={"X-Vault-Token": self.root})
        answer.raise_for_status()
        return answer.json() if answer.content else {}


def furnish(url: str, root: str, policies: Path) -> StagedSafe:
    """Fill an empty Vault, and give crisis an orphan token with the shipped policies (a folder), and no more."""
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as web:
        door = _Door(web, root)
        for path, kind, options in _MOUNTS:
            door.ask("POST", f"sys/mounts/{path}", {"type": kind, "options": options})
        held = _role(door) | _database(door)
        door.ask("POST", "transit/keys/orders", {})
        door.ask("POST", "secret/data/shop/payment", {"data": {"key": "in the hands of its owner"}})
        for service in _SERVICES:
            made = door.ask("POST", "auth/token/create", {"ttl": "24h", "no_parent": True, "display_name": service})
            held[f"vault token of {service}"] = stolen = str(made["auth"]["client_token"])
        names = []
        for file in sorted(policies.glob("*.hcl")):
            names.append(f"crisis-{file.stem}")
            door.ask("POST", f"sys/policies/acl/{names[-1]}", {"policy": file.read_text(encoding="utf-8")})
        body = {"ttl": "24h", "no_parent": True, "no_default_policy": True, "policies": names}
        own = str(door.ask("POST", "auth/token/create", body)["auth"]["client_token"])
        web.post("/v1/auth/token/revoke-self", headers={"X-Vault-Token": root}).raise_for_status()
    return StagedSafe(own, stolen, {**held, "crisis's own vault token": own})


def _role(door: _Door) -> dict[str, str]:
    door.ask("POST", "sys/auth/approle", {"type": "approle"})
    door.ask("POST", "auth/approle/role/shop", {"token_policies": "default", "token_ttl": "1h"})
    role = door.ask("GET", "auth/approle/role/shop/role-id")["data"]["role_id"]
    made = door.ask("POST", "auth/approle/role/shop/secret-id", {})["data"]
    kept = {name: made[name] for name in ("secret_id", "secret_id_accessor")}
    door.ask("POST", "secret/data/approle/shop", {"data": kept})
    login = door.ask("POST", "auth/approle/login", {"role_id": role, "secret_id": made["secret_id"]})
    return {"secret id of shop": made["secret_id"], "token of shop": login["auth"]["client_token"]}


def _database(door: _Door) -> dict[str, str]:
    password = "the first password"  # noqa: S105 - of a database that is no more than a table in the stand-in
    asked = {"username": "root", "password": password}
    door.web.post("/_sandbox/databases/orders", json=asked).raise_for_status()
    url = "postgresql://127.0.0.1/orders"
    about = {"plugin_name": "postgresql-database-plugin", "connection_url": url, "allowed_roles": ["shop"]}
    door.ask("POST", "database/config/shop", {**about, "username": "root", "password": password})
    door.ask("POST", "database/roles/shop", {"db_name": "shop", "default_ttl": "1h"})
    # What a token borrows dies with it, so a service borrows that lives on.
    door.ask("POST", "sys/policies/acl/lend", {"policy": 'path "database/creds/shop" { capabilities = ["read"] }'})
    made = door.ask("POST", "auth/token/create", {"ttl": "24h", "no_parent": True, "policies": ["lend"]})
    service = _Door(door.web, str(made["auth"]["client_token"]))
    lent = [service.ask("GET", "database/creds/shop")["data"]["password"] for _ in range(_LENT)]
    return {f"lent database password {number}": str(one) for number, one in enumerate(lent)}
