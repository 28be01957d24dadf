"""Identity: vendors that hold users' sessions for the company, one kind each."""

from typing import Literal

from pydantic import Field

from crisis.domain.model import Address, Reference, Strict, Text
from crisis.domain.systems.canary import Canary

__all__ = ["Auth0", "Firebase", "Keycloak", "Okta"]

_CANARY = "a session of ours that is taken before and must be refused afterwards"


class Keycloak(Strict):
    """One realm of a Keycloak."""

    kind: Literal["keycloak"] = Field(description="keycloak: all sessions of a realm")
    url: Address = Field(description="address of the server, or `env:NAME`")
    realm: Text = Field(description="the realm whose users are logged out")
    admin_realm: Text = Field(default="master", description="the realm that our client belongs to")
    client: Text = Field(description="id of our client, which has realm-management/manage-realm")
    secret: Reference = Field(description="reference to our client's secret")
    canary: Canary = Field(description=_CANARY)


class Auth0(Strict):
    """One tenant of Auth0. The session endpoints belong to its Enterprise plan."""

    kind: Literal["auth0"] = Field(description="auth0: all sessions and refresh tokens of a tenant's users")
    url: Address = Field(description="address of the tenant, or `env:NAME`")
    token: Reference = Field(description="reference to a token with read:users, delete:sessions, delete:refresh_tokens")
    canary: Canary = Field(description=_CANARY)


class Okta(Strict):
    """One organisation of Okta."""

    kind: Literal["okta"] = Field(description="okta: all sessions and OAuth tokens of an organisation's users")
    url: Address = Field(description="address of the organisation, or `env:NAME`")
    token: Reference = Field(description="reference to an API token (SSWS) that may manage users")
    canary: Canary = Field(description=_CANARY)


class Firebase(Strict):
    """One project of Firebase Authentication."""

    kind: Literal["firebase"] = Field(description="firebase: all refresh tokens of a project's users")
    url: Address = Field(
        default="https://identitytoolkit.googleapis.com", description="address of the API, or `env:NAME`"
    )
    project: Text = Field(description="the project's id")
    account: Reference = Field(description="reference to the JSON key of a service account that may manage users")
    canary: Canary = Field(description=_CANARY)
