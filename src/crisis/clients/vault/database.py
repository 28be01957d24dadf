"""Database: root passwords that the server alone knows once it has rotated them."""

from dataclasses import dataclass

from crisis.clients.vault.seam import Seam
from crisis.errors import TransientError

__all__ = ["Databases"]


@dataclass(frozen=True)
class Databases:
    """A database engine, wherever it is mounted."""

    seam: Seam

    def connections(self, mount: str) -> list[str]:
        """List the connections."""
        return self.seam.ask("LIST", f"{mount}/config/", operation="list databases", ok=(200, 404)).list()

    def user(self, mount: str, name: str) -> str:
        """Return the name of a connection's root user."""
        path = f"{mount}/config/{name}"
        data = self.seam.ask("GET", path, operation="read a connection", target=f"{mount}/{name}").data
        return str((data.get("connection_details") or {}).get("username") or "")

    def rotate_root(self, mount: str, name: str) -> None:
        """Give the root user a new password that nobody can read; asked twice, it does so twice."""
        self.seam.ask("POST", f"{mount}/rotate-root/{name}", operation="rotate a root", target=f"{mount}/{name}")

    def connects(self, mount: str, name: str) -> bool:
        """Say whether the server gets into the database with the password it holds, by connecting anew."""
        try:
            self.seam.ask("POST", f"{mount}/reset/{name}", operation="connect anew", target=f"{mount}/{name}")
        except TransientError:
            return False
        return True
