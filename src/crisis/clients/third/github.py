"""GitHub: leaked tokens of anybody, deploy keys of repositories, fine-grained tokens of an organisation."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.clients.third.keys import GONE, ListedKey, forbidden_as, part, read, try_key
from crisis.domain.redaction import TOUCHED, Mask
from crisis.domain.systems.third import GitHubKeys
from crisis.errors import ProtocolError, RefusedError
from crisis.settings import read_address

__all__ = ["MOST", "GitHubKeyVendor", "can_be_tried", "connect", "revocable"]

MOST = 1000
"""Tokens that one call may name; there are 60 calls an hour."""

_PAGE, _MOST_PAGES = 100, 50
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_DEPLOY, _TOKEN = "deploy-key", "token"
_REVOCABLE = ("ghp_", "github_pat_", "gho_", "ghu_", "ghr_")


def revocable(secret: SecretStr) -> bool:
    """Say whether anybody may have a token revoked: all kinds but an installation's, which lasts an hour."""
    return secret.get_secret_value().startswith(_REVOCABLE)


def can_be_tried(secret: SecretStr) -> bool:
    """Say whether a token can be tried without using it up: a refresh token cannot."""
    return not secret.get_secret_value().startswith("ghr_")


def connect(system: GitHubKeys) -> "GitHubKeyVendor":
    """Open GitHub; without a token for what needs none."""
    url = read_address(system.url)
    api = Api("github", url, bearer=read(system.token), headers=_HEADERS) if system.token else None
    return GitHubKeyVendor(url, api, system.organization, system.repositories)


@dataclass(frozen=True)
class GitHubKeyVendor:
    """Names are `deploy-key:OWNER/NAME:ID` and `token:ID`; use it in a `with` block."""

    url: str
    api: Api | None
    organization: str = ""
    repositories: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as closing:
            if self.api is not None:
                closing.callback(self.api.close)

    def revoke(self, tokens: Sequence[SecretStr]) -> int:
        """Hand leaked tokens to GitHub, at most a thousand at a time; return the number of calls."""
        TOUCHED.add(*tokens)
        calls = 0
        with Api("github", self.url, headers=_HEADERS) as api:  # with a token of ours the call is refused
            for at in range(0, len(tokens), MOST):
                some = [one.get_secret_value() for one in tokens[at : at + MOST]]
                target = f"{len(some)} leaked tokens"
                try:
                    api.post(
                        "/credentials/revoke", json={"credentials": some}, ok=(202,),
                        operation="revoke leaked tokens", target=target,
                    )  # fmt: skip
                except RefusedError as error:
                    saw = Mask()(error.saw)  # it may quote what was sent
                    raise RefusedError(
                        target,
                        vendor="github",
                        operation=error.operation,
                        wanted=error.wanted,
                        saw=saw,
                        then=error.then,
                    ) from None
                calls += 1
        return calls

    def look(self) -> str:
        """Ask for the rate, which costs nothing of it, and for what is listed, where that needs our token."""
        asked = {"operation": "look", "target": "github"}
        if self.api is None:
            with Api("github", self.url, headers=_HEADERS) as anybody:
                anybody.get("/rate_limit", ok=(200, 401), **asked)  # type: ignore[arg-type]
            return "answers; without a token of ours leaked ones can be revoked, and none listed"
        self.api.get("/rate_limit", **asked)  # type: ignore[arg-type]
        return f"the token is taken; {len(self.listed() or ())} keys listed"

    def listed(self) -> list[ListedKey] | None:
        """List deploy keys and the organisation's fine-grained tokens; None without a token of ours."""
        if self.api is None:
            return None
        found = [
            ListedKey(f"{_DEPLOY}:{repository}:{one['id']}", repository, note=str(one.get("title") or ""))
            for repository in self.repositories
            for one in self._pages(f"/repos/{repository}/keys", "Administration (read) on the repository", repository)
        ]
        if self.organization:
            path, may = (
                f"/orgs/{part(self.organization)}/personal-access-tokens",
                "Personal access tokens (read), as an App",
            )
            found += [
                ListedKey(f"{_TOKEN}:{one['id']}", _login(one), note=str(one.get("token_name") or ""))
                for one in self._pages(path, may, self.organization)
            ]
        return found

    def end(self, name: str, secret: SecretStr | None = None) -> None:
        """End a deploy key or a fine-grained token by its name; a token that is known by its value is revoked."""
        if secret is not None and revocable(secret):
            self.revoke([secret])
            return
        kind, _, rest = name.partition(":")
        if self.api is None or kind not in (_DEPLOY, _TOKEN):
            then = "give `token`, and a name as `deploy-key:OWNER/NAME:ID` or `token:ID`; or end it by hand"
            raise ProtocolError(name, wanted="a key that the API can end", saw="another", then=then)
        try:
            if kind == _DEPLOY:
                repository, _, number = rest.rpartition(":")
                path = f"/repos/{repository}/keys/{part(number)}"
                self.api.delete(path, ok=GONE, operation="delete a deploy key", target=name)
            else:
                path = f"/orgs/{part(self.organization)}/personal-access-tokens/{part(rest)}"
                self.api.post(path, json={"action": "revoke"}, ok=GONE, operation="revoke a token", target=name)
        except RefusedError as error:
            deploy, token = "Administration (write) on the repository", "Personal access tokens (write), as an App"
            raise forbidden_as(error, deploy if kind == _DEPLOY else token) from None

    def accepts(self, secret: SecretStr) -> bool:
        """Try a token; this costs nothing of its rate."""
        return try_key("github", self.url, "/rate_limit", bearer=secret, headers=_HEADERS)

    def _pages(self, path: str, may: str, target: str) -> list[dict[str, Any]]:
        found = list[dict[str, Any]]()
        for page in range(1, _MOST_PAGES + 1):
            params = {"per_page": str(_PAGE), "page": str(page)}
            try:
                assert self.api is not None  # noqa: S101 - for mypy: who calls has looked
                part_of = self.api.ask("GET", path, list, params=params, operation="list keys", target=target)
            except RefusedError as error:
                raise forbidden_as(error, may) from None
            found += part_of
            if len(part_of) < _PAGE:
                break
        return found


def _login(one: dict[str, Any]) -> str:
    return str((one.get("owner") or {}).get("login") or "")
