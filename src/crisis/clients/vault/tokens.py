"""Tokens: who they are by accessor, and their end; our own goes last."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crisis.clients.vault.seam import Seam

__all__ = ["TokenInfo", "Tokens"]

_UNKNOWN = (400, 404)
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token by its public name. `ends` is None where it does not expire; `entity` is empty where it has none."""

    accessor: str
    name: str
    path: str
    policies: tuple[str, ...]
    orphan: bool
    entity: str
    created: datetime
    seconds_left: int


@dataclass(frozen=True)
class Tokens:
    """`auth/token`."""

    seam: Seam

    def me(self) -> TokenInfo:
        """Return our own token's description."""
        return _info(self.seam.ask("GET", "auth/token/lookup-self", operation="describe the token").data)

    def alive(self) -> bool:
        """
        Say whether the server still takes our token.

        Raises RefusedError when it does and the token may not look itself up: that must not pass for its end.
        """
        path, operation = "auth/token/lookup-self", "describe the token"
        heard = self.seam.ask("GET", path, operation=operation, ok=(200, _FORBIDDEN))
        if heard.status == _FORBIDDEN and self.seam.lacks(path, {"read"}):
            self.seam.ask("GET", path, operation=operation)
        return heard.status != _FORBIDDEN

    def accessors(self) -> list[str]:
        """List the accessors of all tokens; batch tokens have none."""
        path = "auth/token/accessors/"
        return self.seam.ask("LIST", path, operation="list tokens", ok=(200, 404), sudo=True).list()

    def look_up(self, accessor: str) -> TokenInfo | None:
        """Return a token's description, or None when there is none: it is dead."""
        path, operation = "auth/token/lookup-accessor", "describe a token"
        heard = self.seam.ask(
            "POST", path, operation=operation, target=f"token {accessor}", body={"accessor": accessor},
            ok=(200, *_UNKNOWN, _FORBIDDEN),
        )  # fmt: skip
        if heard.status == _FORBIDDEN and self.seam.lacks(path, {"update"}) != []:
            # Vault answers 403 to an accessor it does not know as well; what we may do tells the two apart.
            self.seam.ask("POST", path, operation=operation, target=f"token {accessor}", body={"accessor": accessor})
        return _info(heard.data) if heard.status == 200 else None  # noqa: PLR2004

    def revoke(self, accessor: str) -> None:
        """End a token, all its children, and what they have leased; one that is not known is no error."""
        path, target = "auth/token/revoke-accessor", f"token {accessor}"
        ok = (200, 204, *_UNKNOWN)
        self.seam.ask("POST", path, operation="revoke a token", target=target, body={"accessor": accessor}, ok=ok)

    def revoke_self(self) -> None:
        """End our own token."""
        self.seam.ask("POST", "auth/token/revoke-self", operation="revoke our own token")


def _info(found: dict[str, Any]) -> TokenInfo:
    return TokenInfo(
        accessor=str(found.get("accessor", "")),
        name=str(found.get("display_name", "")),
        path=str(found.get("path", "")),
        policies=tuple(map(str, found.get("policies") or ())),
        orphan=bool(found.get("orphan")),
        entity=str(found.get("entity_id") or ""),
        created=datetime.fromtimestamp(int(found.get("creation_time") or 0), UTC),
        seconds_left=int(found.get("ttl") or 0),
    )
