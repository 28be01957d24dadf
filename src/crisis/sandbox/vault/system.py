"""System: `sys`: health, seal, mounts, policies, audit, and what a token may do."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

from crisis.sandbox.vault import leases, policy
from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing
from crisis.sandbox.vault.state import Mount, State

__all__ = ["OPEN", "PAGES", "SUDO", "capabilities", "health"]

OPEN = ("sys/seal-status", "sys/unseal", "sys/health", "sys/init")
"""What answers without a token, and while the server is sealed."""

SUDO = (*leases.SUDO, "auth/*", "remount", "audit", "audit/*", "raw", "raw/*", "rotate", "seal", "step-down")

_PERFORMANCE_STANDBY = 473


def health(state: State, query: Mapping[str, str]) -> Reply:
    """Say how the server is, by its status: 200, 429 on a standby, 472, 473, 503 when sealed."""
    sealed, standby = state.faults.sealed, state.faults.standby
    status = 503 if sealed else standby or 200
    if (standby == _PERFORMANCE_STANDBY and query.get("perfstandbyok")) or (standby and query.get("standbyok")):
        status = 200
    if sealed and "sealedcode" in query:
        status = int(query["sealedcode"])
    body = {
        "initialized": True, "sealed": sealed, "standby": bool(standby),
        "performance_standby": standby == _PERFORMANCE_STANDBY,
        "server_time_utc": int(time.time()), "version": state.version, "cluster_name": "drill", "cluster_id": "drill",
    }  # fmt: skip
    more = {"replication_performance_mode": "disabled", "replication_dr_mode": "disabled", "enterprise": False}
    return Reply(status, {**body, **more} if state.flavour == "vault" else body)


def capabilities(state: State, call: Call, path: str) -> list[str]:
    """List what the caller may do on a path, as `sys/capabilities-self` does."""
    if "root" in call.me.policies:
        return ["root"]
    rules = list(state.rules_of(call.me))
    found = policy.allowed(rules, path, "list" if path.endswith("/") else "")
    return sorted(found) or ["deny"]


def _mine(call: Call) -> Reply:
    paths = call.body.get("paths") or call.body.get("path") or []
    found = {one: capabilities(call.state, call, one) for one in ([paths] if isinstance(paths, str) else paths)}
    return data({**found, "capabilities": next(iter(found.values()), [])})


def _seal_status(call: Call) -> Reply:
    body = {"type": "shamir", "initialized": True, "sealed": call.state.faults.sealed, "t": 1, "n": 1, "progress": 0}
    return Reply(200, {**body, "version": call.state.version, "storage_type": "inmem"})


def _seal(call: Call) -> Reply:
    call.state.faults.sealed = True
    return nothing()


def _unseal(call: Call) -> Reply:
    if not hmac.compare_digest(str(call.body.get("key", "")), call.state.unseal_key):
        raise Refused(400, "unseal failed, invalid key")
    call.state.faults.sealed = False
    return _seal_status(call)


def _table(call: Call, mounts: dict[str, Mount]) -> Reply:
    shown = {
        name: {
            "type": one.kind, "accessor": one.accessor, "options": one.options or None, "description": "",
            "running_plugin_version": call.state.builtin, "config": {"default_lease_ttl": 0, "max_lease_ttl": 0},
        }
        for name, one in mounts.items()
    }  # fmt: skip
    return data(shown, **shown)


def _enable(call: Call, mounts: dict[str, Mount], known: set[str]) -> Reply:
    path, kind = call.parts["path"].strip("/") + "/", call.text("type")
    if kind not in known:
        raise Refused(400, f"plugin not found in the catalog: {kind}")
    if path in mounts:
        raise Refused(400, f"path is already in use at {path}")
    mounts[path] = Mount(kind, dict(call.body.get("options") or {}))
    return nothing()


def _disable(call: Call, mounts: dict[str, Mount], prefix: str) -> Reply:
    path = call.parts["path"].strip("/") + "/"
    for lease in call.state.below(prefix + path):
        call.state.give_back(lease)
    mounts.pop(path, None)
    return nothing()


def _write_policy(call: Call) -> Reply:
    try:
        policy.parse(call.text("policy"))
    except policy.PolicyTextError as error:
        raise Refused(400, f"failed to parse policy: {error}") from None
    call.state.policies[call.parts["name"]] = call.text("policy")
    return nothing()


def _read_policy(call: Call) -> Reply:
    if (found := call.state.policies.get(call.parts["name"])) is None:
        raise Refused(404)
    return data({"name": call.parts["name"], "policy": found})


def _drop_policy(call: Call) -> Reply:
    call.state.policies.pop(call.parts["name"], None)
    return nothing()


def _enable_audit(call: Call) -> Reply:
    if call.state.flavour == "openbao":
        raise Refused(400, "cannot enable audit device via API")
    call.state.audit[call.parts["path"].strip("/") + "/"] = {"type": call.text("type"), "options": {}}
    return nothing()


def _disable_audit(call: Call) -> Reply:
    call.state.audit.pop(call.parts["path"].strip("/") + "/", None)
    return nothing()


def _audit_hash(call: Call) -> Reply:
    key = f"{call.parts['path']}{call.state.unseal_key}".encode()
    return data({"hash": f"hmac-sha256:{hmac.new(key, call.text('input').encode(), hashlib.sha256).hexdigest()}"})


_ENGINES = {"kv", "transit", "database", "pki"}
_LOGINS = {"approle"}
_PAGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("seal-status", {"read": _seal_status}),
    ("seal", {"update": _seal}),
    ("unseal", {"update": _unseal}),
    ("capabilities-self", {"update": _mine}),
    ("mounts", {"read": lambda call: _table(call, call.state.mounts)}),
    (
        "mounts/{path...}",
        {
            "update": lambda call: _enable(call, call.state.mounts, _ENGINES),
            "delete": lambda call: _disable(call, call.state.mounts, ""),
        },
    ),
    ("auth", {"read": lambda call: _table(call, call.state.auth)}),
    (
        "auth/{path...}",
        {
            "update": lambda call: _enable(call, call.state.auth, _LOGINS),
            "delete": lambda call: _disable(call, call.state.auth, "auth/"),
        },
    ),
    ("policies/acl/{name}", {"read": _read_policy, "update": _write_policy, "delete": _drop_policy}),
    ("policies/acl/", {"list": lambda call: keys([*call.state.policies, "root"])}),
    ("audit", {"read": lambda call: data(call.state.audit, **call.state.audit)}),
    ("audit/{path...}", {"update": _enable_audit, "delete": _disable_audit}),
    ("audit-hash/{path...}", {"update": _audit_hash}),
)
PAGES = Pages(*_PAGES, *leases.PAGES, exists={})
