"""Slack: a token ends itself, and answers who it is until then."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey
from crisis.domain.systems.third import SlackTokens
from crisis.errors import ProtocolError, RefusedError, TransientError
from crisis.settings import read_address

__all__ = ["SlackTokenVendor", "connect"]

_DEAD = {"invalid_auth", "token_revoked", "token_expired", "account_inactive", "not_authed"}
_PASSING = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}


def connect(system: SlackTokens) -> "SlackTokenVendor":
    """Open Slack; no token of ours is needed."""
    return SlackTokenVendor(read_address(system.url))


@dataclass(frozen=True)
class SlackTokenVendor:
    """All of Slack; use it in a `with` block."""

    url: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def look(self) -> str:
        """Say that there is nothing to try: each token ends itself."""
        return "each token ends itself; no token of ours is needed"

    def listed(self) -> list[ListedKey] | None:
        """List nothing: Slack has no list of an app's tokens."""
        return None

    def end(self, name: str, secret: SecretStr | None) -> None:
        """Let a token revoke itself; one that is dead already is left."""
        if secret is None:
            then = "add `secret` to this key in protocol.yaml, or end it on api.slack.com by hand"
            raise ProtocolError(
                name, wanted="the token itself: Slack's end by themselves", saw="no reference", then=then
            )
        body = self._ask("/auth.revoke", secret, "end a token", name)
        if not body["ok"] and body.get("error") not in _DEAD:
            raise _refusal(body, "end a token", name)

    def accepts(self, secret: SecretStr) -> bool:
        """Ask who a token is."""
        body = self._ask("/auth.test", secret, "try the old key", "slack key")
        if body["ok"] or body.get("error") in _DEAD:
            return bool(body["ok"])
        raise _refusal(body, "try the old key", "slack key")

    def _ask(self, path: str, secret: SecretStr, operation: str, target: str) -> dict[str, Any]:
        with Api("slack", self.url, bearer=secret) as api:
            return api.ask(
                "POST", path, lambda body: {**body, "ok": bool(body["ok"])}, operation=operation, target=target
            )


def _refusal(body: dict[str, Any], operation: str, target: str) -> RefusedError | TransientError:
    says = str(body.get("error", ""))
    says = says if says.replace("_", "").isalnum() else "an error"
    needed = str(body.get("needed") or "")
    then = f"give the app the scope {needed}" if needed.replace(":", "").replace(".", "").isalnum() else "look it up"
    kind = TransientError if says in _PASSING else RefusedError
    return kind(target, vendor="slack", operation=operation, wanted=f"slack to {operation}", saw=says, then=then)
