"""Contain: hold back all tokens of one entity of a Vault, until somebody lets them go."""

from crisis.clients import vault
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.errors import UnprovenError
from tasks.list_vault import vault_of

_NEEDS = ("vault:identity/entity/id/*:read", "vault:identity/entity/id/*:update")


@action(kind="contain", needs=_NEEDS, undo="enable_vault_entity", measure=True)
def disable_vault_entity(system: str, entity: str) -> Change:
    """
    Make every token of an entity unusable at once, without revoking it.

    Again  finds the entity disabled and changes nothing.
    Undo   enable_vault_entity; the tokens live again then, so revoke them before.
    Fails  RefusedError without permission; UnprovenError when the entity is not disabled afterwards.
    """
    return _switch(system, entity, disabled=True)


@action(kind="contain", needs=_NEEDS, undo="disable_vault_entity")
def enable_vault_entity(system: str, entity: str) -> Change:
    """
    Let an entity use its tokens again.

    Again  finds the entity enabled and changes nothing.
    Undo   disable_vault_entity.
    Fails  UnprovenError when the entity is still disabled afterwards.
    """
    return _switch(system, entity, disabled=False)


def _switch(system: str, entity: str, *, disabled: bool) -> Change:
    state = "disabled" if disabled else "enabled"
    target = f"{system} entity {entity}"
    with vault.connect(vault_of(system)) as client:
        if disabled and client.tokens.me().entity == entity:
            then = "give crisis a token of its own, then contain it by hand"
            raise UnprovenError(target, wanted="an entity of somebody else", saw="our own token's", then=then)
        if client.identities.disabled(entity) is disabled:
            return Change.none(target, because=f"{state} already")
        client.identities.set_disabled(entity, disabled=disabled)
        if client.identities.disabled(entity) is not disabled:
            raise UnprovenError(target, wanted=f"it {state}", saw="no change", then="do it by hand")
    return Change.done(target, state)
