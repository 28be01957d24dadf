"""Systems: what holds credentials or sessions, one file for each vendor, as protocol.yaml lists them."""

from typing import Annotated

from pydantic import Field

from crisis.domain.systems.aws import Aws
from crisis.domain.systems.by_hand import ByHand
from crisis.domain.systems.identity import Auth0, Firebase, Keycloak, Okta
from crisis.domain.systems.sessions import JwtSessions, RedisSessions, SessionSecret, SqlSessions
from crisis.domain.systems.third import ThirdParty
from crisis.domain.systems.vault import AppRole, Vault

__all__ = [
    "AppRole",
    "Auth0",
    "Aws",
    "ByHand",
    "Firebase",
    "JwtSessions",
    "Keycloak",
    "Okta",
    "RedisSessions",
    "SessionSecret",
    "Sessions",
    "SqlSessions",
    "System",
    "ThirdParty",
    "Vault",
]

Sessions = RedisSessions | SqlSessions | SessionSecret | JwtSessions | Keycloak | Auth0 | Okta | Firebase
"""Whatever holds sessions of users."""

System = Annotated[Aws | ByHand | Sessions | ThirdParty | Vault, Field(discriminator="kind")]
"""Any system. `kind` tells them apart."""
