"""AppRole: a role's id, its secret ids with accessors, and the tokens one gets for both."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from crisis.sandbox.vault import tokens
from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing
from crisis.sandbox.vault.state import Entity

__all__ = ["OPEN", "PAGES"]

OPEN = ("login",)
"""What answers without a token."""

_INVALID = "invalid role or secret ID"


def _role(call: Call) -> dict[str, Any]:
    found: dict[str, Any] | None = call.mount.store.get(call.parts["role"])
    if found is None:
        raise Refused(404, f'role "{call.parts["role"]}" does not exist')
    return found


def _write_role(call: Call) -> Reply:
    known = call.mount.store.setdefault(
        call.parts["role"],
        {"role_id": secrets.token_hex(16), "secrets": {}, "token_policies": [], "token_ttl": 0, "num_uses": 0},
    )
    policies = call.body.get("token_policies")
    if policies is not None:
        known["token_policies"] = policies.split(",") if isinstance(policies, str) else list(policies)
    known["token_ttl"] = call.whole("token_ttl", known["token_ttl"])
    known["num_uses"] = call.whole("secret_id_num_uses", known["num_uses"])
    return nothing()


def _read_role(call: Call) -> Reply:
    role = _role(call)
    return data(
        {
            "token_policies": role["token_policies"], "token_ttl": role["token_ttl"], "bind_secret_id": True,
            "secret_id_num_uses": role["num_uses"], "secret_id_ttl": 0, "secret_id_bound_cidrs": None,
        }
    )  # fmt: skip


def _drop_role(call: Call) -> Reply:
    call.mount.store.pop(call.parts["role"], None)
    return nothing()


def _make(call: Call) -> Reply:
    role = _role(call)
    secret = str(call.body.get("secret_id") or secrets.token_hex(16))
    if secret in role["secrets"]:
        raise Refused(500, "SecretID is already registered")
    metadata = call.body.get("metadata") or "{}"
    made = {
        "secret_id_accessor": secrets.token_hex(16), "creation_time": datetime.now(UTC).isoformat(),
        "metadata": json.loads(metadata) if isinstance(metadata, str) else metadata,
        "secret_id_num_uses": role["num_uses"], "secret_id_ttl": 0,
    }  # fmt: skip
    role["secrets"][secret] = made
    return data({"secret_id": secret, "secret_id_accessor": made["secret_id_accessor"], "secret_id_ttl": 0})


def _accessors(call: Call) -> Reply:
    return keys([one["secret_id_accessor"] for one in _role(call)["secrets"].values()])


def _by_accessor(call: Call) -> str:
    accessor = call.text("secret_id_accessor")
    found = (name for name, one in _role(call)["secrets"].items() if one["secret_id_accessor"] == accessor)
    if (name := next(found, None)) is None:
        raise Refused(404, f"failed to find accessor entry for secret_id_accessor: {accessor!r}")
    return str(name)


def _look_up_accessor(call: Call) -> Reply:
    return data(_role(call)["secrets"][_by_accessor(call)])


def _destroy_accessor(call: Call) -> Reply:
    name = _by_accessor(call)
    if "secret-id" not in call.state.faults.lying:
        del _role(call)["secrets"][name]
    return nothing()


def _look_up(call: Call) -> Reply:
    found = _role(call)["secrets"].get(call.text("secret_id"))
    return data(found) if found else nothing()


def _destroy(call: Call) -> Reply:
    _role(call)["secrets"].pop(call.text("secret_id"), None)
    return nothing()


def _login(call: Call) -> Reply:
    fits = (item for item in call.mount.store.items() if item[1]["role_id"] == call.text("role_id"))
    nobody: tuple[str, dict[str, Any]] = ("", {"secrets": {}})
    name, role = next(fits, nobody)
    secret = role["secrets"].get(call.text("secret_id"))
    if secret is None:
        raise Refused(400, _INVALID)
    if secret["secret_id_num_uses"]:
        secret["secret_id_num_uses"] -= 1
        if not secret["secret_id_num_uses"]:
            del role["secrets"][call.text("secret_id")]
    entity = _entity(call, f"{call.mount.accessor}/{role['role_id']}")
    if entity.disabled:
        raise Refused(403, "permission denied")
    made = call.state.make_token(
        policies=[*dict.fromkeys(["default", *role["token_policies"]])], path=f"auth/{call.mounted}login",
        ttl=role["token_ttl"] or 2764800, display_name="approle", meta={"role_name": name}, entity_id=entity.id,
    )  # fmt: skip
    return data(None, auth=tokens.auth(made))


def _entity(call: Call, alias: str) -> Entity:
    for entity in call.state.entities.values():
        if alias in entity.aliases:
            return entity
    made = Entity(secrets.token_hex(16), f"entity_{secrets.token_hex(4)}", aliases=[alias])
    call.state.entities[made.id] = made
    return made


def _known(call: Call) -> bool:
    return call.parts["role"] in call.mount.store


def _role_id(call: Call) -> Reply:
    return data({"role_id": _role(call)["role_id"]})


_ROLE = "role/{role}"
PAGES = Pages(
    ("login", {"update": _login}),
    ("role/", {"list": lambda call: keys(list(call.mount.store))}),
    (_ROLE, {"create": _write_role, "update": _write_role, "read": _read_role, "delete": _drop_role}),
    (f"{_ROLE}/role-id", {"read": _role_id}),
    (f"{_ROLE}/secret-id", {"update": _make}),
    (f"{_ROLE}/secret-id/", {"list": _accessors}),
    (f"{_ROLE}/custom-secret-id", {"update": _make}),
    (f"{_ROLE}/secret-id/lookup", {"update": _look_up}),
    (f"{_ROLE}/secret-id/destroy", {"update": _destroy}),
    (f"{_ROLE}/secret-id-accessor/lookup", {"update": _look_up_accessor}),
    (f"{_ROLE}/secret-id-accessor/destroy", {"update": _destroy_accessor}),
    exists={_ROLE: _known},
)
