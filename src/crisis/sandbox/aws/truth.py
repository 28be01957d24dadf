"""
Truth: where moto is kinder than AWS, it is made as strict, and AWS's delays are put in.

A key that is Inactive is refused; a session is denied by the time it was issued and after it ended; a GET without a
body is checked against the body it had. What AWS does late happens late where a drill asks for it.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.responses import ActionResult
from moto.iam import access_control
from moto.iam.models import AccessKey, AccessKeyLastUsed, User, iam_backends
from moto.iam.responses import IamResponse
from moto.kms.models import KmsBackend
from moto.sts.models import sts_backends

__all__ = ["Lag", "enforce", "replace"]


@dataclass
class Lag:
    """
    How late the account is, in seconds, and which keys never die.

    `dead_key`: how long a key still works after it was deactivated or deleted. `new_key`: how long one is refused
    after it was made. `zombies`: keys that are accepted whatever their status says.
    """

    dead_key: float = 0.0
    new_key: float = 0.0
    zombies: set[str] = field(default_factory=set)
    _born: dict[str, float] = field(default_factory=dict)
    _died: dict[str, tuple[float, AccessKey]] = field(default_factory=dict)

    def clear(self) -> None:
        """Be instantly consistent again."""
        self.dead_key = self.new_key = 0.0
        self.zombies.clear()
        self._born.clear()
        self._died.clear()

    def note_birth(self, key: AccessKey) -> None:
        """Remember when a key was made, or made active again."""
        self._died.pop(key.access_key_id, None)
        self._born[key.access_key_id] = time.monotonic()

    def note_death(self, key: AccessKey) -> None:
        """Remember when a key was deactivated or deleted; the first time counts."""
        self._died.setdefault(key.access_key_id, (time.monotonic(), key))

    def accepts(self, key_id: str, key: AccessKey | None) -> AccessKey | None:
        """Return the key if a call signed with it is let in at this moment."""
        died = self._died.get(key_id)
        known = key or (died[1] if died else None)
        if known is None or key_id in self.zombies:
            return known
        if key is not None and key.status == "Active":
            return key if time.monotonic() - self._born.get(key_id, -1e9) >= self.new_key else None
        return known if died is not None and time.monotonic() - died[0] < self.dead_key else None


def enforce(lag: Lag) -> None:
    """Put all of it into force in this process; called once, before the server starts."""
    _keys(lag)
    _births_and_deaths(lag)
    _sessions()
    _signatures()
    _disabled_kms_keys()
    _service_specific()
    _trail()


def _keys(lag: Lag) -> None:
    def init(self: Any, account_id: str, partition: str, access_key_id: str, headers: Any) -> None:
        self.account_id, self.partition = account_id, partition
        key = lag.accepts(access_key_id, self.backend.access_keys.get(access_key_id))
        if key is None:
            raise access_control.CreateAccessKeyFailure(reason="InvalidId")
        if "X-Amz-Security-Token" in headers:
            raise access_control.CreateAccessKeyFailure(reason="InvalidToken")
        self._owner_user_name, self._access_key_id = key.user_name, access_key_id
        self._secret_access_key = key.secret_access_key

    collect = access_control.IAMUserAccessKey.collect_policies

    def collected(self: Any) -> list[Any]:
        # A long-term key has no time of issue, so AWS leaves such a deny out; moto would apply it.
        return [one for one in collect(self) if not _cut_offs(one)]

    replace(access_control.IAMUserAccessKey, __init__=init, collect_policies=collected)


def _births_and_deaths(lag: Lag) -> None:
    create, update, delete = User.create_access_key, User.update_access_key, User.delete_access_key

    def created(self: User, prefix: str, status: str = "Active") -> AccessKey:
        key = create(self, prefix, status)
        lag.note_birth(key)
        return key

    def updated(self: User, access_key_id: str, status: str | None = None) -> AccessKey:
        was = self.get_access_key_by_id(access_key_id).status
        key = update(self, access_key_id, status)
        if status and status != was:
            (lag.note_birth if status == "Active" else lag.note_death)(key)
        return key

    def deleted(self: User, access_key_id: str) -> None:
        lag.note_death(self.get_access_key_by_id(access_key_id))
        delete(self, access_key_id)

    replace(User, create_access_key=created, update_access_key=updated, delete_access_key=deleted)


def _sessions() -> None:
    collect = access_control.AssumedRoleAccessKey.collect_policies

    def collected(self: Any) -> list[Any]:
        session = next(
            one for one in sts_backends[self.account_id][self.partition].assumed_roles
            if one.access_key_id == self._access_key_id
        )  # fmt: skip
        issued = session.access_key.create_date.replace(tzinfo=UTC)
        if datetime.now(UTC) >= session.expiration.replace(tzinfo=UTC):
            raise access_control.CreateAccessKeyFailure(reason="InvalidToken")
        policies: Iterable[Any] = collect(self)
        return [one for one in policies if all(issued < cut for cut in _cut_offs(one))]

    replace(access_control.AssumedRoleAccessKey, collect_policies=collected)


def _signatures() -> None:
    make = access_control.IAMRequestBase._create_aws_request  # noqa: SLF001 - there is no public seam
    begin = access_control.IAMRequestBase.__init__

    def made(self: Any) -> Any:
        request = make(self)
        if self._method in ("GET", "HEAD", "DELETE") and not self._body:
            request.data = b""
        return request

    def begun(self: Any, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        # Last used moves on denied calls too, as it does at AWS.
        for account in iam_backends.values():
            key = account["aws"].access_keys.get(getattr(self._access_key, "_access_key_id", ""))
            if key is not None:
                key.last_used = AccessKeyLastUsed(datetime.now(UTC).replace(tzinfo=None), self._service, self._region)

    replace(access_control.IAMRequestBase, _create_aws_request=made, __init__=begun)


def _service_specific() -> None:
    def listed(_self: IamResponse) -> ActionResult:
        """Answer as an account that has none: moto cannot make any, and does not know the call."""
        return ActionResult({"ServiceSpecificCredentials": [], "IsTruncated": False})

    replace(IamResponse, list_service_specific_credentials=listed)


def _trail() -> None:
    def looked_up(_self: CloudTrailResponse) -> str:
        """Answer as CloudTrail does in the first minutes: what happened just now is not there yet."""
        return json.dumps({"Events": []})

    replace(CloudTrailResponse, lookup_events=looked_up)


def _disabled_kms_keys() -> None:
    from moto.kms.exceptions import ValidationException  # noqa: PLC0415

    def checked(work: Callable[..., Any]) -> Callable[..., Any]:
        def done(self: KmsBackend, key_id: str, *args: Any, **named: Any) -> Any:
            key = self.keys.get(key_id.rpartition("/")[2])
            if key is not None and key.key_state == "Disabled":
                raise ValidationException(f"{key.arn} is disabled.")
            return work(self, key_id, *args, **named)

        return done

    replace(KmsBackend, encrypt=checked(KmsBackend.encrypt))


def _cut_offs(policy: Any) -> list[datetime]:
    """Return the times of issue before which a policy denies; none for any other policy."""
    text = policy if isinstance(policy, str) else policy.get("policy_document") if isinstance(policy, dict) else None
    if not text:
        return []
    statements = json.loads(text)["Statement"]
    times = (
        one.get("Condition", {}).get("DateLessThan", {}).get("aws:TokenIssueTime")
        for one in (statements if isinstance(statements, list) else [statements])
    )
    return [datetime.fromisoformat(time) for time in times if time]


def replace(kind: type, **methods: Any) -> None:
    """Put our own methods and properties in the place of moto's."""
    for name, method in methods.items():
        setattr(kind, name, method)
