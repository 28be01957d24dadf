"""Vault: tokens, leases, secret ids, versions and roots of a HashiCorp Vault or an OpenBao."""

from dataclasses import dataclass
from typing import Self

from crisis.clients.vault.approle import AppRoles, SecretId
from crisis.clients.vault.database import Databases
from crisis.clients.vault.identity import Identities
from crisis.clients.vault.kv import Kv, Versions
from crisis.clients.vault.leases import Leases, Left
from crisis.clients.vault.seam import Seam
from crisis.clients.vault.server import Mounts, Server
from crisis.clients.vault.tokens import TokenInfo, Tokens
from crisis.clients.vault.transit import Key, Transit
from crisis.domain import systems
from crisis.settings import read_address, read_reference

__all__ = ["Key", "Left", "Mounts", "Seam", "SecretId", "TokenInfo", "Vault", "Versions", "connect"]


def connect(to: systems.Vault) -> "Vault":
    """Open the server; nothing is sent yet."""
    return Vault(Seam.open(read_address(to.url), read_reference(to.token), to.namespace))


@dataclass(frozen=True)
class Vault:
    """One server; use it in a `with` block."""

    seam: Seam

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.seam.close()

    @property
    def server(self) -> Server:
        """Which product it is and what is mounted."""
        return Server(self.seam)

    @property
    def tokens(self) -> Tokens:
        """Its tokens, by accessor."""
        return Tokens(self.seam)

    @property
    def leases(self) -> Leases:
        """What it has lent."""
        return Leases(self.seam)

    @property
    def approles(self) -> AppRoles:
        """Secret ids of AppRole logins."""
        return AppRoles(self.seam)

    @property
    def kv(self) -> Kv:
        """Versions of secrets."""
        return Kv(self.seam)

    @property
    def transit(self) -> Transit:
        """Keys that encrypt."""
        return Transit(self.seam)

    @property
    def databases(self) -> Databases:
        """Root users of databases."""
        return Databases(self.seam)

    @property
    def identities(self) -> Identities:
        """Entities."""
        return Identities(self.seam)
