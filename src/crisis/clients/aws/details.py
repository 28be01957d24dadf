"""Details: users, groups, roles and policies of IAM in one listing, and where each key was last presented."""

import csv
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crisis.clients.aws.session import Session
from crisis.errors import UnprovenError

__all__ = ["Details", "ReportedKey", "ReportedUser", "read_details", "read_report"]

_KINDS = {"UserDetailList": "users", "GroupDetailList": "groups", "RoleDetailList": "roles"}
_NAMES = {"users": "UserName", "groups": "GroupName", "roles": "RoleName"}
_REPORT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Details:
    """What GetAccountAuthorizationDetails tells, by name; `policies` are the default versions by ARN."""

    users: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportedKey:
    """A key in the credential report, which names no ids; it is told by the second in which it was made."""

    made: datetime
    used: datetime | None
    where: str


@dataclass(frozen=True, slots=True)
class ReportedUser:
    """A user in the credential report."""

    password: bool
    password_used: datetime | None
    certificates: bool
    keys: tuple[ReportedKey, ...]


def read_details(session: Session) -> Details:
    """Read all of it; a handful of calls for a whole account."""
    found, following = Details(), dict[str, Any]()
    while True:
        page = session.ask("iam", "get_account_authorization_details", "IAM", MaxItems=1000, **following)
        for key, kind in _KINDS.items():
            getattr(found, kind).update({one[_NAMES[kind]]: one for one in page.get(key, ())})
        for policy in page.get("Policies", ()):
            versions = policy.get("PolicyVersionList", ())
            default: Any = next((one["Document"] for one in versions if one.get("IsDefaultVersion")), {})
            found.policies[policy["Arn"]] = default
        if not page.get("IsTruncated"):
            return found
        following = {"Marker": page["Marker"]}


def read_report(session: Session) -> dict[str, ReportedUser]:
    """
    Read the credential report by user. AWS makes it anew every four hours at most: use it for evidence, not for proof.

    Two calls instead of one for each key. UnprovenError when AWS does not finish it in time.
    """
    until = time.monotonic() + _REPORT_SECONDS
    absent = ("ReportNotPresent", "ReportInProgress", "ReportExpired")
    while time.monotonic() < until:
        session.ask("iam", "generate_credential_report", "credential report")
        found = session.seek("iam", "get_credential_report", "credential report", absent=absent)
        if found is not None:
            rows = csv.DictReader(io.StringIO(found["Content"].decode()))
            return {row["user"]: _reported(row) for row in rows}
        time.sleep(0.5)
    raise UnprovenError("credential report", wanted="a report", saw="none in time", then="try again")


def _reported(row: Mapping[str, str]) -> ReportedUser:
    keys = []
    for number in ("1", "2"):
        made = _time(row.get(f"access_key_{number}_last_rotated"))
        if made is None:
            continue
        service, region = (row.get(f"access_key_{number}_last_used_{one}", "") for one in ("service", "region"))
        where = " ".join(one for one in (service, region) if one not in ("", "N/A", "not_supported"))
        keys.append(ReportedKey(made, _time(row.get(f"access_key_{number}_last_used_date")), where))
    certificates = "true" in (row.get("cert_1_active"), row.get("cert_2_active"))
    return ReportedUser(
        row.get("password_enabled") == "true", _time(row.get("password_last_used")), certificates, tuple(keys)
    )


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC)
    except ValueError:
        return None
