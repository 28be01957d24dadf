"""KV version 2: a new version takes the place of an old one, and destroyed is what the old one must be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Secret

from crisis.clients.vault.seam import Seam

__all__ = ["Kv", "Versions"]

Fate = Literal["live", "deleted", "destroyed"]
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a secret: the current one's number (0 when there is none), and what became of each."""

    current: int
    fates: Mapping[int, Fate]
    created: str = ""

    def readable_below(self, number: int) -> list[int]:
        """List the older versions that can still be read, or be read again after an undelete."""
        return sorted(one for one, fate in self.fates.items() if one < number and fate != "destroyed")


@dataclass(frozen=True)
class Kv:
    """A KV engine, wherever it is mounted."""

    seam: Seam

    def paths(self, mount: str) -> list[str]:
        """List all secrets, to the last folder."""
        found, folders = list[str](), [""]
        while folders and len(found) < _MOST:
            folder = folders.pop()
            path = f"{mount}/metadata/{folder}"
            for name in self.seam.ask("LIST", path, operation="list secrets", ok=(200, 404)).list():
                (folders if name.endswith("/") else found).append(folder + name)
        return found

    def versions(self, mount: str, path: str) -> Versions:
        """Return the versions of a secret."""
        heard = self.seam.ask(
            "GET", f"{mount}/metadata/{path}", operation="list versions", target=f"{mount}/{path}", ok=(200, 404)
        )
        if heard.status != 200:  # noqa: PLR2004
            return Versions(0, {})
        fates = {int(number): _fate(one) for number, one in (heard.data.get("versions") or {}).items()}
        number = int(heard.data.get("current_version") or 0)
        newest = (heard.data.get("versions") or {}).get(str(number)) or {}
        return Versions(number, fates, str(newest.get("created_time") or ""))

    def read(self, mount: str, path: str, version: int = 0) -> Secret[dict[str, Any]] | None:
        """Return the fields of a version, by default the current one; None when it is deleted, destroyed or unknown."""
        params = {"version": str(version)} if version else None
        where = f"{mount}/data/{path}"
        heard = self.seam.ask(
            "GET", where, operation="read a secret", target=f"{mount}/{path}", params=params, ok=(200, 404)
        )  # fmt: skip
        values = heard.data.get("data")
        return Secret(values) if heard.status == 200 and isinstance(values, dict) else None  # noqa: PLR2004

    def write(self, mount: str, path: str, values: Secret[dict[str, Any]], *, cas: int) -> bool:
        """Write a new version in the place of the one the caller has seen; False when somebody else was quicker."""
        body = {"data": values.get_secret_value(), "options": {"cas": cas}}
        target = f"{mount}/{path}"
        heard = self.seam.ask(
            "POST", f"{mount}/data/{path}", operation="write a secret", target=target, body=body, ok=(200, 204, 400),
            capability="update" if cas else "create",
        )  # fmt: skip
        if heard.status == 400 and self.versions(mount, path).current == cas:  # noqa: PLR2004
            then = "look at the server's log"
            raise self.seam.refused(target, "write a secret", saw="400, though nobody else wrote", then=then)
        return heard.status != 400  # noqa: PLR2004

    def destroy(self, mount: str, path: str, versions: list[int]) -> None:
        """Remove versions for good; a delete alone can be undone."""
        body = {"versions": versions}
        self.seam.ask(
            "PUT", f"{mount}/destroy/{path}", operation="destroy versions", target=f"{mount}/{path}", body=body
        )  # fmt: skip


def _fate(version: Mapping[str, Any]) -> Fate:
    if version.get("destroyed"):
        return "destroyed"
    return "deleted" if version.get("deletion_time") else "live"
