"""Pools: users of Cognito, signed out everywhere. Tokens that are verified offline live until they expire."""

from collections.abc import Iterator
from dataclasses import dataclass

from crisis.clients.aws.session import Session

__all__ = ["Pools"]

_GONE = ("UserNotFoundException",)


@dataclass(frozen=True)
class Pools:
    """The user pools of one region."""

    session: Session
    region: str

    def users(self, pool: str) -> Iterator[str]:
        """Yield the names of a pool's users; there is no call for all of them at once."""
        found = self.session.pages("cognito-idp", "list_users", "Users", pool, region=self.region, UserPoolId=pool)
        for one in found:
            yield str(one["Username"])

    def sign_out(self, pool: str, user: str) -> None:
        """End a user's refresh tokens; one that is gone has none."""
        asked = {"UserPoolId": pool, "Username": user}
        self.session.seek("cognito-idp", "admin_user_global_sign_out", user, absent=_GONE, region=self.region, **asked)
