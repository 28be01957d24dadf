"""Canaries: the drill's search for planted secrets, with the secrets at hand."""

from collections.abc import Mapping
from pathlib import Path

from crisis.drill.canaries import Hit, make, search, search_text, text_of

__all__ = ["Canaries", "Hit"]


class Canaries:
    """Some secrets by name, or one of each kind; where they turn up is a hit."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self.secrets = dict(secrets) if secrets is not None else make()

    def __repr__(self) -> str:
        return f"Canaries({', '.join(self.secrets)})"

    def text(self) -> str:
        """Write them as they stand in a file of variables."""
        return text_of(self.secrets)

    def search(self, *places: Path) -> list[Hit]:
        """Look through files, SQLite databases and folders."""
        return search(self.secrets, places)

    def search_text(self, text: str) -> list[Hit]:
        """Look through a text."""
        return search_text(self.secrets, text)
