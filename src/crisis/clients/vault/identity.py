"""Identity: an entity that is disabled holds all its tokens back, at once and until it is enabled."""

from dataclasses import dataclass

from crisis.clients.vault.seam import Seam

__all__ = ["Identities"]


@dataclass(frozen=True)
class Identities:
    """`identity`."""

    seam: Seam

    def disabled(self, entity: str) -> bool:
        """Say whether an entity is disabled."""
        path = f"identity/entity/id/{entity}"
        return bool(self.seam.ask("GET", path, operation="read an entity", target=entity).data.get("disabled"))

    def set_disabled(self, entity: str, *, disabled: bool) -> None:
        """Disable or enable an entity."""
        path = f"identity/entity/id/{entity}"
        self.seam.ask("POST", path, operation="change an entity", target=entity, body={"disabled": disabled})
