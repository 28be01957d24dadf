"""Keys: the access keys of IAM users, at most two each; an Inactive one counts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr

from crisis.clients.aws.session import Session
from crisis.domain.redaction import TOUCHED
from crisis.errors import UnprovenError

__all__ = ["LIMIT", "AccessKey", "Keys", "LastUse", "NewKey"]

LIMIT = 2
_GONE = ("NoSuchEntity",)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key by its public id."""

    id: str
    user: str
    active: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with the secret that AWS tells once."""

    id: str
    user: str
    secret: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class LastUse:
    """When and where a key was last presented, refused calls included; AWS learns of it with delay."""

    at: datetime | None
    service: str = ""
    region: str = ""


@dataclass(frozen=True)
class Keys:
    """The access keys of an account."""

    session: Session

    def of(self, user: str) -> list[AccessKey]:
        """List a user's keys; none for a user that is gone."""
        found = self.session.seek("iam", "list_access_keys", user, absent=_GONE, UserName=user)
        return [
            AccessKey(one["AccessKeyId"], user, one["Status"] == "Active", one["CreateDate"])
            for one in (found or {}).get("AccessKeyMetadata", ())
        ]

    def users(self) -> Iterator[str]:
        """Yield the names of all users."""
        for one in self.session.pages("iam", "list_users", "Users", "IAM users", MaxItems=1000):
            yield str(one["UserName"])

    def last_use(self, key_id: str) -> LastUse:
        """Say when a key was last presented."""
        found = self.session.seek("iam", "get_access_key_last_used", key_id, absent=_GONE, AccessKeyId=key_id)
        used = (found or {}).get("AccessKeyLastUsed", {})
        return LastUse(used.get("LastUsedDate"), used.get("ServiceName", ""), used.get("Region", ""))

    def owner(self, key_id: str) -> str:
        """Return whose key it is; empty when AWS does not know the key."""
        found = self.session.seek("iam", "get_access_key_last_used", key_id, absent=_GONE, AccessKeyId=key_id)
        return str((found or {}).get("UserName", ""))

    def make(self, user: str) -> NewKey:
        """Make a key. Never tried twice: the first may have been made, and its secret is gone with its answer."""
        made = self.session.ask("iam", "create_access_key", user, once=True, UserName=user)["AccessKey"]
        secret = SecretStr(made["SecretAccessKey"])
        TOUCHED.add(secret)
        return NewKey(made["AccessKeyId"], user, secret)

    def switch(self, key: AccessKey, *, on: bool) -> None:
        """Activate or deactivate a key; one that is gone stays gone."""
        self.refuse_own(key.id)
        status = "Active" if on else "Inactive"
        asked = {"UserName": key.user, "AccessKeyId": key.id, "Status": status}
        self.session.seek("iam", "update_access_key", key.id, absent=_GONE, **asked)

    def delete(self, key: AccessKey) -> None:
        """Delete a key for good; one that is gone counts as deleted."""
        self.refuse_own(key.id)
        self.session.seek("iam", "delete_access_key", key.id, absent=_GONE, UserName=key.user, AccessKeyId=key.id)

    def refuse_own(self, key_id: str) -> None:
        """Refuse to cut off the hand that holds the tool: UnprovenError for the key that crisis itself uses."""
        if key_id == self.session.own_key:
            then = "give crisis another key or a role, then run it again"
            raise UnprovenError(f"access key {key_id}", wanted="a key of somebody else", saw="our own", then=then)
