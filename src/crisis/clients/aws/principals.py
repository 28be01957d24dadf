"""Principals: users and roles; what stops one at once, and what gives it back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from crisis.clients.aws.session import Session
from crisis.errors import ProtocolError

__all__ = ["CONTAINED", "CUT_OFF", "Principal", "Principals"]

CONTAINED = "CrisisContainment"
CUT_OFF = "AWSRevokeOlderSessions"
"""The name that AWS's own console gives to this policy, so that people find it there."""

_GONE = ("NoSuchEntity",)
_DENY: dict[str, Any] = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}
_SECONDS = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who acts: written `user/deploy` or `role/ci`."""

    kind: Literal["user", "role"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `user/NAME` or `role/NAME`; ProtocolError for anything else."""
        kind, _, name = text.partition("/")
        if kind not in ("user", "role") or not name:
            raise ProtocolError(text, wanted="user/NAME or role/NAME", saw="something else")
        return cls("user" if kind == "user" else "role", name.rpartition("/")[2])


@dataclass(frozen=True)
class Principals:
    """The inline policies by which a principal is stopped; a deny wins over everything that it is allowed."""

    session: Session

    def ourselves(self) -> Principal | None:
        """Return whom the credentials in use speak for; None where that is neither a user nor a role."""
        arn = str(self.session.ask("sts", "get_caller_identity", "our own credentials")["Arn"])
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if kind == "assumed-role":
            return Principal("role", name.partition("/")[0])
        return Principal("user", name.rpartition("/")[2]) if kind == "user" else None

    def is_contained(self, who: Principal) -> bool:
        """Whether our deny stands, whole: one that somebody rewrote does not count."""
        return self._read(who, CONTAINED) == _policy(_DENY)

    def contain(self, who: Principal) -> None:
        """Deny everything. GetCallerIdentity alone goes on answering: AWS exempts it from every deny."""
        self._write(who, CONTAINED, _policy(_DENY))

    def restore(self, who: Principal) -> bool:
        """Take our deny away; False when it was not there."""
        asked = {f"{who.kind.capitalize()}Name": who.name, "PolicyName": CONTAINED}
        gone = self.session.seek("iam", f"delete_{who.kind}_policy", str(who), absent=_GONE, **asked)
        return gone is not None

    def cut_off(self, who: Principal) -> datetime | None:
        """Return the time of issue before which the principal's sessions are denied, if any."""
        found = self._read(who, CUT_OFF)
        try:
            text = str(found["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"]) if found else ""
            return datetime.fromisoformat(text) if text else None
        except (KeyError, IndexError, TypeError, ValueError):
            return None  # somebody else's policy of that name: it is replaced

    def revoke_sessions(self, who: Principal, issued_before: datetime) -> None:
        """
        Deny every session that was issued before a moment, in whole seconds.

        Long-term keys are not touched: they have no time of issue. On a user it stops GetSessionToken and console.
        """
        moment = issued_before.astimezone(UTC).strftime(_SECONDS)
        condition = {"DateLessThan": {"aws:TokenIssueTime": moment}}
        self._write(who, CUT_OFF, _policy({**_DENY, "Condition": condition}))

    def has_login(self, user: str) -> bool:
        """Whether a user can log in to the console by password."""
        return self.session.seek("iam", "get_login_profile", user, absent=_GONE, UserName=user) is not None

    def delete_login(self, user: str) -> None:
        """Take the console password away; one that is gone stays gone."""
        self.session.seek("iam", "delete_login_profile", user, absent=_GONE, UserName=user)

    def exists(self, who: Principal) -> bool:
        """Whether there is such a user or role."""
        asked = {f"{who.kind.capitalize()}Name": who.name}
        return self.session.seek("iam", f"get_{who.kind}", str(who), absent=_GONE, **asked) is not None

    def _read(self, who: Principal, policy: str) -> Mapping[str, Any] | None:
        asked = {f"{who.kind.capitalize()}Name": who.name, "PolicyName": policy}
        found = self.session.seek("iam", f"get_{who.kind}_policy", str(who), absent=_GONE, **asked)
        document = (found or {}).get("PolicyDocument")
        return document if isinstance(document, Mapping) else json.loads(document) if document else None

    def _write(self, who: Principal, policy: str, document: Mapping[str, Any]) -> None:
        asked: dict[str, Any] = {f"{who.kind.capitalize()}Name": who.name, "PolicyName": policy}
        self.session.ask("iam", f"put_{who.kind}_policy", str(who), PolicyDocument=json.dumps(document), **asked)


def _policy(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [statement]}
