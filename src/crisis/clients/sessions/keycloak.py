"""Keycloak: all sessions of a realm, by its not-before time and by logging everybody out."""

from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import quote

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.identity import Keycloak
from crisis.errors import UnprovenError
from crisis.settings import read_address, read_reference

__all__ = ["KeycloakRealm", "connect"]

T = TypeVar("T")


def connect(system: Keycloak) -> "KeycloakRealm":
    """Log in as our client; raises RefusedError when Keycloak does not know it."""
    url, secret = read_address(system.url), read_reference(system.secret)
    with Api("keycloak", url, basic=(SecretStr(system.client), secret)) as door:
        token = door.ask(
            "POST", f"/realms/{quote(system.admin_realm, safe='')}/protocol/openid-connect/token",
            lambda body: SecretStr(body["access_token"]), form={"grant_type": "client_credentials"},
            operation="log in", target=f"client {system.client}",
        )  # fmt: skip
    return KeycloakRealm(Api("keycloak", url, bearer=token), system.realm)


class KeycloakRealm:
    """The sessions of one realm."""

    vendor = "keycloak"
    has_epoch = True

    def __init__(self, api: Api, realm: str) -> None:
        self._api, self._realm = api, realm

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def look(self) -> str:
        """Read the realm as our client."""
        return f"realm {self._realm} can be read; notBefore {self.epoch() or 'not set'}"

    def mark(self) -> str:
        """Return nothing: the realm's keys stay."""
        return ""

    def epoch(self) -> int:
        """Return the realm's notBefore."""
        return self._ask("GET", "", lambda body: int(body.get("notBefore") or 0), "read the realm")

    def set_epoch(self, at: int) -> None:
        """Set the realm's notBefore and push it to the adapters that know Keycloak's push."""
        # Keycloak changes only the fields that are sent.
        self._api.put(self._path(""), json={"notBefore": at}, ok=(204,), operation="set notBefore", target=self._realm)
        self._ask("POST", "/push-revocation", _failed, "push notBefore")

    def end(self, mark: str, told: Progress) -> Ended:
        """Log everybody out; access tokens that are out already are refused by notBefore, where it is compared."""
        del mark
        sessions = self._sessions()
        silent = self._ask("POST", "/logout-all", _failed, "log everybody out")
        told(sessions, "logged out")
        silent += self._ask("POST", "/push-revocation", _failed, "push notBefore")
        if self.epoch() == 0:
            raise UnprovenError(f"{self._realm} notBefore", wanted="a time", saw="none", then="set it in Sessions")
        unheard = (
            f"; not reached by Keycloak, so log out there by hand: {', '.join(sorted(set(silent)))}" if silent else ""
        )
        return Ended(sessions, f"{sessions} sessions of realm {self._realm} ended, offline ones by notBefore{unheard}")

    def _sessions(self) -> int:
        return self._ask(
            "GET", "/client-session-stats", lambda body: sum(int(one["active"]) for one in body), "count sessions"
        )

    def _ask(self, method: str, rest: str, parse: Callable[[Any], T], operation: str) -> T:
        return self._api.ask(method, self._path(rest), parse, ok=(200,), operation=operation, target=self._realm)

    def _path(self, rest: str) -> str:
        return f"/admin/realms/{quote(self._realm, safe='')}{rest}"


def _failed(body: Any) -> list[str]:
    return [str(one) for one in (body or {}).get("failedRequests") or []]
