"""Identity: entities; one that is disabled cannot use its tokens, which live on all the same."""

import secrets
from typing import Any

from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing
from crisis.sandbox.vault.state import Entity

__all__ = ["PAGES"]


def _entity(call: Call) -> Entity:
    found = call.state.entities.get(call.parts["id"])
    if found is None:
        raise Refused(404)
    return found


def _shown(entity: Entity) -> dict[str, Any]:
    return {"id": entity.id, "name": entity.name, "disabled": entity.disabled, "policies": None}


def _make(call: Call) -> Reply:
    made = Entity(secrets.token_hex(16), str(call.body.get("name") or f"entity_{secrets.token_hex(4)}"))
    call.state.entities[made.id] = made
    return data({"id": made.id, "name": made.name, "aliases": None})


def _change(call: Call) -> Reply:
    entity = _entity(call)
    if "disabled" in call.body and "entity" not in call.state.faults.lying:
        entity.disabled = bool(call.body["disabled"])
    return nothing()


PAGES = Pages(
    ("entity", {"update": _make}),
    ("entity/id/", {"list": lambda call: keys(list(call.state.entities))}),
    ("entity/id/{id}", {"read": lambda call: data(_shown(_entity(call))), "update": _change}),
    exists={},
)
