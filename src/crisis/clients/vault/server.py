"""Server: which product answers and what is mounted; found out, never assumed."""

from dataclasses import dataclass
from typing import Any, Literal

from crisis.clients.vault.seam import Seam

__all__ = ["Mounts", "Product", "Server"]

_STANDBY = (429, 472, 473)
Product = Literal["Vault", "OpenBao", "Vault or OpenBao"]
_MARKS: tuple[tuple[str, Product], ...] = (("builtin.bao", "OpenBao"), ("builtin.vault", "Vault"))


@dataclass(frozen=True, slots=True)
class Mounts:
    """Where the engines are: kind and paths without the slash at their end."""

    secrets: dict[str, str]
    logins: dict[str, str]

    def of(self, kind: str) -> list[str]:
        """List the mounts of a kind of engine or login."""
        return sorted(name for name, found in {**self.secrets, **self.logins}.items() if found == kind)


@dataclass(frozen=True)
class Server:
    """`sys`."""

    seam: Seam

    def version(self) -> str:
        """Return the version that the server answers with; it does not tell the products apart."""
        return str(self.seam.ask("GET", "sys/seal-status", operation="say its version").data.get("version") or "")

    def unsealed(self) -> bool:
        """Say whether it can be worked with; RefusedError for a sealed one, and one that was never set up."""
        self.seam.ask("GET", "sys/health", operation="say how it is", ok=(200, *_STANDBY))
        return True

    def product(self) -> Product:
        """Return which product it is, by the mark on the engines that it ships with."""
        for one in self._table("sys/mounts").values():
            for mark, product in _MARKS:
                if mark in str(one.get("running_plugin_version") or ""):
                    return product
        return "Vault or OpenBao"

    def mounts(self) -> Mounts:
        """Return where the engines and logins are; a KV engine of version 1 is `kv 1`."""
        secrets = {name.rstrip("/"): _kind(one) for name, one in self._table("sys/mounts").items()}
        logins = {name.rstrip("/"): _kind(one) for name, one in self._table("sys/auth").items()}
        return Mounts(secrets, logins)

    def _table(self, path: str) -> dict[str, dict[str, Any]]:
        found = self.seam.ask("GET", path, operation="list what is mounted").data
        return {name: one for name, one in found.items() if name.endswith("/") and isinstance(one, dict)}


def _kind(mount: dict[str, Any]) -> str:
    kind, options = str(mount.get("type") or ""), mount.get("options") or {}
    return f"kv {options.get('version', '1')}" if kind in ("kv", "generic") else kind
