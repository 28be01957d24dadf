"""Vault: a HashiCorp Vault or an OpenBao; which one it is, the client finds out."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field

from crisis.domain.model import Address, Reference, Span, Strict, Text

__all__ = ["AppRole", "Place", "Vault"]


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where in a Vault something is, as an inventory names it: `mount:path@version`.

    The version of a key or a secret is a number, of an AppRole the accessor of a secret id; a root has none.
    """

    mount: str
    path: str
    version: str = ""

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a name; without a colon the mount is empty."""
        mount, colon, rest = name.partition(":")
        path, at, version = rest.rpartition("@")
        return cls(mount if colon else "", path, version) if at else cls(mount if colon else "", rest)

    @property
    def number(self) -> int:
        """The version as a number; 0 where it is none."""
        return int(self.version) if self.version.isdecimal() else 0

    @property
    def name(self) -> str:
        """The name."""
        return f"{self.mount}:{self.path}" + (f"@{self.version}" if self.version else "")


class AppRole(Strict):
    """One role of an AppRole login, and where those who use it find its secret id."""

    role: Text = Field(description="the role's name")
    mount: Text = Field(default="approle", description="where AppRole is enabled")
    kept_in: Text = Field(description="mount of the KV version 2 engine that its secret id is kept in")
    kept_at: Text = Field(description="path there; the fields are secret_id and secret_id_accessor")


class Vault(Strict):
    """A server that lends secrets: what it issued is enumerated, revoked, rotated and proved dead."""

    kind: Literal["vault"] = Field(description="vault: HashiCorp Vault or OpenBao; which one is found out")
    url: Address = Field(description="address of the server")
    token: Reference = Field(description="an orphan token with the policies of deployments/vault")
    namespace: Text | None = Field(default=None, description="the namespace to work in, where there are any")
    prefixes: tuple[Text, ...] = Field(
        default=(), description="leases that may be revoked whole, such as database/creds/shop or auth/approle"
    )
    approles: tuple[AppRole, ...] = Field(default=(), description="AppRole logins whose secret id may be replaced")
    patience: Span = Field(default=timedelta(seconds=30), description="how long the queue of revokes may take")

    def approle(self, mount: str, role: str) -> AppRole | None:
        """Return what is known of a role, or None."""
        return next((one for one in self.approles if (one.mount, one.role) == (mount, role)), None)
