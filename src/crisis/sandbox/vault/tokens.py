"""Tokens: `auth/token`, and how a batch token cannot be revoked."""

from typing import Any

from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing
from crisis.sandbox.vault.state import Token

__all__ = ["PAGES", "SUDO", "auth"]

SUDO = ("accessors*", "revoke-orphan*")


def auth(token: Token) -> dict[str, Any]:
    """Describe a token to the one who just got it."""
    return {
        "client_token": token.id, "accessor": token.accessor, "policies": token.policies,
        "token_policies": token.policies, "metadata": token.meta, "lease_duration": token.ttl,
        "renewable": token.kind == "service", "entity_id": token.entity_id, "token_type": token.kind,
        "orphan": token.orphan,
    }  # fmt: skip


def _shown(token: Token, *, whole: bool) -> dict[str, Any]:
    return {
        "id": token.id if whole else "", "accessor": token.accessor, "policies": token.policies,
        "path": token.path, "meta": token.meta or None, "display_name": token.display_name, "num_uses": 0,
        "orphan": token.orphan, "creation_time": int(token.created), "creation_ttl": token.ttl, "ttl": token.left,
        "explicit_max_ttl": 0, "entity_id": token.entity_id, "type": token.kind, "renewable": bool(token.ttl),
    }  # fmt: skip


def _create(call: Call, *, orphan: bool) -> Reply:
    me = call.me
    if me.kind == "batch":
        raise Refused(400, "batch tokens cannot create more tokens")
    root = "root" in me.policies
    orphan = orphan or bool(call.body.get("no_parent"))
    if call.body.get("no_parent") and not root:
        raise Refused(400, "root or sudo privileges required to create orphan token")
    wanted = list(call.body.get("policies") or me.policies)
    if not root and not set(wanted) <= {*me.policies, "default"}:
        raise Refused(400, "child policies must be subset of parent")
    if "root" not in wanted and not call.body.get("no_default_policy"):
        wanted = [*dict.fromkeys(["default", *wanted])]
    made = call.state.make_token(
        batch=call.body.get("type") == "batch", policies=wanted, parent="" if orphan else me.id,
        ttl=call.whole("ttl", 0 if wanted == ["root"] else 2764800),
        path="auth/token/create-orphan" if call.path.endswith("orphan") else "auth/token/create",
        display_name="token" + (f"-{call.body['display_name']}" if call.body.get("display_name") else ""),
        meta=dict(call.body.get("meta") or {}),
    )  # fmt: skip
    return data(None, auth=auth(made))


def _of_accessor(call: Call) -> Token:
    found = call.state.by_accessor(call.text("accessor"))
    if found is None:
        # The two projects answer an unknown accessor with different statuses.
        raise Refused(403 if call.state.flavour == "vault" else 404, "1 error occurred:\n\t* invalid accessor\n\n")
    return found


def _look_up(call: Call) -> Reply:
    found = call.state.find(call.text("token"))
    if found is None:
        raise Refused(403, "bad token")
    return data(_shown(found, whole=True))


def _revoke(call: Call, token: Token | None) -> Reply:
    if token is not None and token.kind == "batch":
        raise Refused(400, "batch tokens cannot be revoked")
    if token is not None and not _lies(call, "revoke"):
        call.state.end_token(token)
    return nothing()


def _revoke_accessor(call: Call) -> Reply:
    found = call.state.by_accessor(call.text("accessor"))
    if found is None:
        return data(None, warnings=["No token found with this accessor"])
    return _revoke(call, found)


def _revoke_orphan(call: Call) -> Reply:
    found = call.state.find(call.text("token"))
    for child in [one for one in call.state.tokens.values() if found is not None and one.parent == found.id]:
        child.parent = ""
    return _revoke(call, found)


def _lies(call: Call, what: str) -> bool:
    return what in call.state.faults.lying


def _accessors(call: Call) -> Reply:
    return keys([one.accessor for one in call.state.tokens.values() if one.accessor and call.state.find(one.id)])


PAGES = Pages(
    ("create", {"update": lambda call: _create(call, orphan=False)}),
    ("create-orphan", {"update": lambda call: _create(call, orphan=True)}),
    ("lookup-self", {"read": lambda call: data(_shown(call.me, whole=True))}),
    ("lookup", {"update": _look_up}),
    ("lookup-accessor", {"update": lambda call: data(_shown(_of_accessor(call), whole=False))}),
    ("accessors/", {"list": _accessors}),
    ("revoke-self", {"update": lambda call: _revoke(call, call.me)}),
    ("revoke", {"update": lambda call: _revoke(call, call.state.find(call.text("token")))}),
    ("revoke-accessor", {"update": _revoke_accessor}),
    ("revoke-orphan", {"update": _revoke_orphan}),
    exists={},
)
