"""Directory: users and their sessions, as every identity vendor of the drill ground remembers them."""

import secrets
import time
from dataclasses import dataclass, field

from crisis.sandbox.vendors.desk import Refusal

__all__ = ["Directory", "Session", "User"]


@dataclass
class Session:
    """
    One login: an access token, a refresh token, the second it was issued, and whether it lives.

    The access token is looked up here as a vendor's own pages do; who verifies it offline would believe it for longer.
    """

    user: str
    access: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    refresh: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    issued: int = field(default_factory=lambda: int(time.time()))
    cookie_ended: bool = False
    tokens_ended: bool = False


@dataclass
class User:
    """Somebody who may log in."""

    id: str
    password: str
    created: str = "2026-01-01T00:00:00.000Z"
    valid_since: int = 0


@dataclass
class Directory:
    """
    Everybody, and every login.

    Faults: `deaf` says yes and ends nothing; `throttle` answers so many calls with 429 and `retry_after` seconds;
    `unreached` are applications that a push does not reach.
    """

    users: dict[str, User] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    not_before: int = 0
    deaf: bool = False
    throttle: int = 0
    retry_after: str = "0"
    unreached: list[str] = field(default_factory=list)

    def add(self, number: int, password: str = "correct horse") -> None:  # noqa: S107 - of a drill's users
        """Let so many users in, each with one login; their times of creation differ by a millisecond."""
        for one in range(len(self.users), len(self.users) + number):
            created = f"2026-01-01T{one // 3_600_000:02}:{one // 60_000 % 60:02}:{one // 1000 % 60:02}.{one % 1000:03}Z"
            self.users[f"user-{one}"] = User(f"user-{one}", password, created)
            self.sessions.append(Session(f"user-{one}"))

    def log_in(self, user: str, password: str) -> Session | None:
        """Start a session, or None."""
        known = self.users.get(user)
        if known is None or known.password != password:
            return None
        self.sessions.append(Session(user))
        return self.sessions[-1]

    def end(self, user: str, *, cookie: bool, tokens: bool) -> None:
        """End what a user holds, unless deaf."""
        for one in self.sessions:
            if one.user == user and not self.deaf:
                one.cookie_ended |= cookie
                one.tokens_ended |= tokens

    def by_access(self, token: str) -> Session | None:
        """Find the login of an access token or cookie, dead or alive."""
        return next((one for one in reversed(self.sessions) if one.access == token), None)

    def by_refresh(self, token: str) -> Session | None:
        """Find the login of a refresh token, dead or alive."""
        return next((one for one in reversed(self.sessions) if one.refresh == token), None)

    def is_stale(self, one: Session) -> bool:
        """Say whether a login is older than the not-before time, the realm's or the user's."""
        return one.issued < max(self.not_before, self.users[one.user].valid_since)

    def may_be_tired(self) -> None:
        """Refuse this call with 429 while the fault lasts."""
        if self.throttle > 0:
            self.throttle -= 1
            raise Refusal(429, {"error": "too many requests"}, {"Retry-After": self.retry_after})
