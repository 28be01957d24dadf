"""Leases: `sys/leases`; a revoke is a place in a queue unless the caller waits for it."""

from datetime import UTC, datetime
from typing import Any

from crisis.sandbox.vault.desk import Call, Refused, Reply, data, keys, nothing
from crisis.sandbox.vault.state import Lease

__all__ = ["PAGES", "SUDO"]

SUDO = ("leases/revoke-prefix/*", "leases/revoke-force/*", "leases/lookup/*", "leases")


def _look_up(call: Call) -> Reply:
    lease = call.state.leases.get(call.text("lease_id"))
    if lease is None:
        raise Refused(400, "invalid lease")
    issued = datetime.fromtimestamp(lease.issued, UTC)
    expires = datetime.fromtimestamp(lease.issued + lease.ttl, UTC)
    shown = {"id": lease.id, "issue_time": issued.isoformat(), "expire_time": expires.isoformat()}
    return data({**shown, "last_renewal": None, "renewable": True, "ttl": lease.ttl})


def _list(call: Call) -> Reply:
    prefix = call.parts["prefix"].strip("/")
    whole = f"{prefix}/" if prefix else ""
    rest = [one.removeprefix(whole) for one in call.state.leases if one.startswith(whole)]
    return keys([*{one.partition("/")[0] + ("/" if "/" in one else "") for one in rest}])


def _count(call: Call) -> Reply:
    if call.query.get("type") != "irrevocable":
        raise Refused(400, "unsupported lease type requested")
    found: dict[str, Any] = {}
    mine = [one for one in call.state.leases.values() if one.irrevocable]
    for lease in mine:
        accessor = _accessor(call, lease)
        found[accessor] = found.get(accessor, 0) + 1
    return data({"lease_count": len(mine), "counts": found})


def _irrevocable(call: Call) -> Reply:
    if call.query.get("type") != "irrevocable":
        raise Refused(400, "unsupported lease type requested")
    mine = [one for one in call.state.leases.values() if one.irrevocable]
    shown = [{"lease_id": one.id, "mount_accessor": _accessor(call, one), "error": one.irrevocable} for one in mine]
    return data({"lease_count": len(mine), "leases": shown})


def _accessor(call: Call, lease: Lease) -> str:
    tables = {**{f"auth/{name}": one for name, one in call.state.auth.items()}, **call.state.mounts}
    return next((one.accessor for name, one in tables.items() if lease.id.startswith(name)), "")


def _revoke(call: Call, leases: list[Lease]) -> Reply:
    if "revoke" in call.state.faults.lying:
        return nothing()
    for lease in leases:
        call.state.queue(lease)
        # One who waits is not kept by the queue: it is done before the answer, or it is an error.
        if call.body.get("sync") and lease.id in call.state.leases and not call.state.give_back(lease):
            raise Refused(500, f"failed to revoke {lease.id!r} (1 / {len(leases)}): the backend does not answer")
    call.state.settle()
    return nothing() if call.body.get("sync") else Reply(202, data(None).body)


def _revoke_one(call: Call) -> Reply:
    lease = call.state.leases.get(call.text("lease_id"))
    return _revoke(call, [lease] if lease else [])


def _revoke_force(call: Call) -> Reply:
    for lease in call.state.below(call.parts["prefix"]):
        call.state.give_back(lease)
        call.state.leases.pop(lease.id, None)
    return nothing()


def _revoke_prefix(call: Call) -> Reply:
    return _revoke(call, call.state.below(call.parts["prefix"]))


PAGES = (
    ("leases/lookup", {"update": _look_up}),
    ("leases/lookup/{prefix...}", {"list": _list}),
    ("leases/revoke", {"update": _revoke_one}),
    ("leases/revoke-prefix/{prefix...}", {"update": _revoke_prefix}),
    ("leases/revoke-force/{prefix...}", {"update": _revoke_force}),
    ("leases/count", {"read": _count}),
    ("leases", {"read": _irrevocable}),
)
