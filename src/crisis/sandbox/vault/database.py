"""Database: connections whose root password Vault alone knows after a rotation, and users that are lent."""

import secrets
from typing import Any

from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing
from crisis.sandbox.vault.state import Database

__all__ = ["PAGES"]

_HOUR = 3600


def _part(call: Call, part: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = call.mount.store.setdefault(part, {})
    return found


def _connection(call: Call, name: str) -> tuple[dict[str, Any], Database]:
    known = _part(call, "config").get(name)
    if known is None:
        raise Refused(404 if call.op == "read" else 400, f"failed to find entry for connection with name: {name!r}")
    database = call.state.databases.get(known["server"])
    if database is None:
        raise Refused(500, "error verifying connection: no such host")
    return known, database


def _log_in(known: dict[str, Any], database: Database, *, broken: bool) -> None:
    if broken or not database.login(known["username"], known["password"]):
        raise Refused(500, "1 error occurred:\n\t* error verifying connection: password authentication failed\n\n")


def _configure(call: Call) -> Reply:
    server = call.text("connection_url").rpartition("/")[2]
    known = {
        "server": server, "username": call.text("username"), "password": call.text("password"),
        "plugin_name": call.text("plugin_name"), "connection_url": call.text("connection_url"),
        "allowed_roles": call.body.get("allowed_roles") or [],
    }  # fmt: skip
    if call.body.get("verify_connection", True):
        if server not in call.state.databases:
            raise Refused(400, "error creating database object: no such host")
        _log_in(known, call.state.databases[server], broken=call.state.faults.backend_broken)
    _part(call, "config")[call.parts["name"]] = known
    return nothing()


def _read(call: Call) -> Reply:
    known, _ = _connection(call, call.parts["name"])
    details = {"connection_url": known["connection_url"], "username": known["username"]}
    told = {name: known[name] for name in ("plugin_name", "allowed_roles")}
    return data({**told, "connection_details": details, "root_credentials_rotate_statements": []})


def _drop(call: Call) -> Reply:
    _part(call, "config").pop(call.parts["name"], None)
    return nothing()


def _reset(call: Call) -> Reply:
    known, database = _connection(call, call.parts["name"])
    _log_in(known, database, broken=call.state.faults.backend_broken)
    return nothing()


def _rotate(call: Call) -> Reply:
    known, database = _connection(call, call.parts["name"])
    _log_in(known, database, broken=call.state.faults.backend_broken)
    known["password"] = secrets.token_urlsafe(20)
    if "rotate-root" not in call.state.faults.lying:
        database.accounts[known["username"]] = known["password"]
    return nothing()


def _write_role(call: Call) -> Reply:
    ttl = call.whole("default_ttl") or _HOUR
    _part(call, "roles")[call.parts["name"]] = {"db_name": call.text("db_name"), "default_ttl": ttl}
    return nothing()


def _read_role(call: Call) -> Reply:
    role = _part(call, "roles").get(call.parts["name"])
    if role is None:
        raise Refused(404)
    return data(role)


def _lend(call: Call) -> Reply:
    role = _part(call, "roles").get(call.parts["name"])
    if role is None:
        raise Refused(400, f"unknown role: {call.parts['name']}")
    known, database = _connection(call, role["db_name"])
    _log_in(known, database, broken=call.state.faults.backend_broken)
    user, password = f"v-{call.parts['name']}-{secrets.token_hex(6)}", secrets.token_urlsafe(15)
    database.accounts[user] = password
    path = f"{call.mounted}creds/{call.parts['name']}"
    lease = call.state.lend(path, call.me.id, role["default_ttl"], ("database", known["server"], user))
    lent = {"lease_id": lease.id, "lease_duration": lease.ttl, "renewable": True}
    return data({"username": user, "password": password}, **lent)


PAGES = Pages(
    ("config/", {"list": lambda call: keys(list(_part(call, "config")))}),
    ("config/{name}", {"create": _configure, "update": _configure, "read": _read, "delete": _drop}),
    ("reset/{name}", {"update": _reset}),
    ("rotate-root/{name}", {"update": _rotate}),
    ("roles/", {"list": lambda call: keys(list(_part(call, "roles")))}),
    ("roles/{name}", {"create": _write_role, "update": _write_role, "read": _read_role}),
    ("creds/{name}", {"read": _lend}),
    exists={
        "config/{name}": lambda call: call.parts["name"] in _part(call, "config"),
        "roles/{name}": lambda call: call.parts["name"] in _part(call, "roles"),
    },
)
