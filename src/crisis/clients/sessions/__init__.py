"""Sessions: the places that hold users' sessions, one file for each, behind one small protocol."""

from collections.abc import Callable
from typing import Any

from crisis.clients.sessions import auth0, firebase, jwt, keycloak, okta, redis, secret, sql
from crisis.clients.sessions.store import Ended, Sessions
from crisis.domain.systems import (
    Auth0,
    Firebase,
    JwtSessions,
    Keycloak,
    Okta,
    RedisSessions,
    SessionSecret,
    SqlSessions,
)

__all__ = ["Ended", "Holder", "Sessions", "connect"]

Holder = RedisSessions | SqlSessions | SessionSecret | JwtSessions | Keycloak | Auth0 | Okta | Firebase
"""A system of protocol.yaml that holds sessions."""


_OPEN: dict[type[Any], Callable[[Any], Sessions]] = {
    RedisSessions: redis.connect,
    SqlSessions: sql.connect,
    SessionSecret: secret.connect,
    JwtSessions: jwt.connect,
    Keycloak: keycloak.connect,
    Auth0: auth0.connect,
    Okta: okta.connect,
    Firebase: firebase.connect,
}


def connect(system: Holder) -> Sessions:
    """Open the place that a system names."""
    return _OPEN[type(system)](system)
