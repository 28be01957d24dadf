"""Auth0: the sessions and refresh tokens of every user of a tenant, one user after the other."""

from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import quote

from crisis.clients.http import Api
from crisis.clients.sessions.patience import paced
from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.identity import Auth0
from crisis.settings import read_address, read_reference

__all__ = ["Auth0Tenant", "connect"]

_PAGE = 100
_WINDOW = 1000
"""Auth0 shows no more than this many users of one search: what follows is searched for by its time."""


def connect(system: Auth0) -> "Auth0Tenant":
    """Open the tenant."""
    return Auth0Tenant(Api("auth0", read_address(system.url), bearer=read_reference(system.token)))


class Auth0Tenant:
    """The sessions of one tenant."""

    vendor = "auth0"
    has_epoch = False

    def __init__(self, api: Api) -> None:
        self._api = api

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def look(self) -> str:
        """List one page of users."""
        self._page("*", 0)
        return "users can be listed"

    def mark(self) -> str:
        """Return nothing: signing keys are rotated in Auth0 itself."""
        return ""

    def epoch(self) -> int:
        """Return 0: a tenant has none."""
        return 0

    def set_epoch(self, at: int) -> None:
        """Do nothing: a tenant has none."""

    def end(self, mark: str, told: Progress) -> Ended:
        """Ask for the end of each user's sessions and refresh tokens; Auth0 does it a little later (202)."""
        del mark
        count = 0
        for user in self._users():
            for what in ("sessions", "refresh-tokens"):
                self._delete(user, what)
            count += 1
            told(count, "users logged out")
        note = "access tokens live until they expire: keep their lifetime short, or rotate the signing key"
        return Ended(count, f"sessions and refresh tokens of {count} users ended; {note}")

    def _delete(self, user: str, what: str) -> None:
        path = f"/api/v2/users/{quote(user, safe='')}/{what}"
        paced(lambda: self._api.delete(path, ok=(202, 204, 404), operation=f"end {what}", target=user))

    def _users(self) -> Iterator[str]:
        """List every user by the time of their creation, in windows that overlap by one moment."""
        seen, since = set[str](), "*"
        while True:
            last = ""
            for page in range(_WINDOW // _PAGE):
                found = self._page(since, page)
                for user, created in found:
                    last = created
                    if user not in seen:
                        seen.add(user)
                        yield user
                if len(found) < _PAGE:
                    return
            if last == since:
                return  # more than a window in one millisecond: nothing tells them apart
            since = last

    def _page(self, since: str, page: int) -> list[tuple[str, str]]:
        params = {
            "q": f"created_at:[{since} TO *]", "sort": "created_at:1", "search_engine": "v3",
            "fields": "user_id,created_at", "per_page": str(_PAGE), "page": str(page),
        }  # fmt: skip
        return paced(
            lambda: self._api.ask(
                "GET", "/api/v2/users", _listed, params=params, operation="list users", target="tenant"
            )
        )


def _listed(body: Any) -> list[tuple[str, str]]:
    return [(str(one["user_id"]), str(one["created_at"])) for one in body]
