"""Okta: the sessions and OAuth tokens of every user of an organisation, one user after the other."""

import re
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

from crisis.clients.http import Api
from crisis.clients.sessions.patience import paced
from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.identity import Okta
from crisis.settings import read_address, read_reference

__all__ = ["OktaOrganisation", "connect"]

_PAGE = 200


def connect(system: Okta) -> "OktaOrganisation":
    """Open the organisation."""
    token = read_reference(system.token).get_secret_value()
    return OktaOrganisation(Api("okta", read_address(system.url), headers={"Authorization": f"SSWS {token}"}))


class OktaOrganisation:
    """The sessions of one organisation."""

    vendor = "okta"
    has_epoch = False

    def __init__(self, api: Api) -> None:
        self._api = api

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def look(self) -> str:
        """List one user."""
        asked = {"params": {"limit": "1"}, "operation": "list users", "target": "organisation"}
        self._api.ask("GET", "/api/v1/users", _ids, **asked)  # type: ignore[arg-type]
        return "users can be listed"

    def mark(self) -> str:
        """Return nothing: signing keys are rotated in Okta itself."""
        return ""

    def epoch(self) -> int:
        """Return 0: an organisation has none."""
        return 0

    def set_epoch(self, at: int) -> None:
        """Do nothing: an organisation has none."""

    def end(self, mark: str, told: Progress) -> Ended:
        """End each user's sessions, and the OAuth tokens with them: without the flag those would live on."""
        del mark
        count = 0
        for user in self._users():
            self._delete(user)
            count += 1
            told(count, "users logged out")
        return Ended(
            count, f"sessions and OAuth tokens of {count} users ended; applications keep sessions of their own"
        )

    def _delete(self, user: str) -> None:
        path, flag = f"/api/v1/users/{quote(user, safe='')}/sessions", {"oauthTokens": "true"}
        paced(lambda: self._api.delete(path, params=flag, ok=(204, 404), operation="end sessions", target=user))

    def _users(self) -> Iterator[str]:
        """List every user, page by page, as the answers' own links lead."""
        params = {"limit": str(_PAGE)}
        while params:
            asked = dict(params)
            answer = paced(
                lambda asked=asked: self._api.get(  # type: ignore[misc]
                    "/api/v1/users", params=asked, operation="list users", target="organisation"
                )
            )
            yield from self._api.read(answer, _ids, operation="list users", target="organisation")
            params = _next(answer.headers.get_list("link"))


def _ids(body: Any) -> list[str]:
    return [str(one["id"]) for one in body]


def _next(links: list[str]) -> dict[str, str]:
    """Find where the next page is; nothing on the last one. Only its query counts, never its host."""
    match = re.search(r'<([^>]+)>;\s*rel="next"', ", ".join(links))
    return dict(parse_qsl(urlsplit(match[1]).query)) if match else {}
