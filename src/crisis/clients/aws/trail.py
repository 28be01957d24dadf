"""Trail: what CloudTrail saw of the doors that attackers leave open behind them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from crisis.clients.aws.session import Session

__all__ = ["GHOSTS", "Trace", "Trail"]

GHOSTS = frozenset({
    "CreateUser", "CreateAccessKey", "CreateLoginProfile", "UpdateLoginProfile", "CreateRole", "UpdateAssumeRolePolicy",
    "PutUserPolicy", "PutRolePolicy", "PutGroupPolicy", "AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy",
    "CreatePolicyVersion", "SetDefaultPolicyVersion", "AddUserToGroup", "PutUserPermissionsBoundary",
    "PutRolePermissionsBoundary", "DeleteUserPermissionsBoundary", "DeleteRolePermissionsBoundary",
    "CreateSAMLProvider", "UpdateSAMLProvider", "CreateOpenIDConnectProvider", "CreateServiceSpecificCredential",
    "UploadSSHPublicKey", "UploadSigningCertificate", "EnableMFADevice", "DeactivateMFADevice", "GetFederationToken",
    "CreateInstanceProfile", "AddRoleToInstanceProfile", "CreateTrustAnchor", "CreateProfile",
    "CreateAccountAssignment", "CreateFunction20150331", "UpdateFunctionCode20150331v2", "AddPermission20150331v2",
    "CreateFunctionUrlConfig", "PutRule", "PutTargets", "CreateSchedule", "CreateAssociation", "CreateKeyPair",
    "ImportKeyPair", "ModifyInstanceAttribute", "ModifySnapshotAttribute", "ModifyImageAttribute", "PutBucketPolicy",
    "CreateGrant", "PutKeyPolicy", "GetSecretValue", "PutResourcePolicy", "StopLogging", "DeleteTrail",
    "PutEventSelectors", "DeleteDetector", "LeaveOrganization",
})  # fmt: skip
"""Names as CloudTrail writes them; some carry the version of their API."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One event: who did what to which, when and where."""

    at: datetime
    name: str
    who: str
    key: str
    what: str
    region: str

    @property
    def says(self) -> str:
        """The line for a report."""
        return f"{self.at:%Y-%m-%d %H:%M:%S} UTC {self.region} {self.name} by {self.who or self.key}: {self.what}"


@dataclass(frozen=True)
class Trail:
    """The last 90 days of management events. CloudTrail tells minutes late, at two calls a second."""

    session: Session

    def traces(self, region: str, since: datetime, until: datetime, *, key: str = "") -> Iterator[Trace]:
        """
        Yield what was done in a region that leaves a door open; of one access key, if it is given.

        Without a key only events that change something are asked for: AWS takes one condition in each call.
        """
        name, value = ("AccessKeyId", key) if key else ("ReadOnly", "false")
        found = self.session.pages(
            "cloudtrail", "lookup_events", "Events", f"CloudTrail in {region}", region=region,
            LookupAttributes=[{"AttributeKey": name, "AttributeValue": value}], StartTime=since, EndTime=until,
        )  # fmt: skip
        for one in found:
            if one["EventName"] in GHOSTS:
                what = ", ".join(str(each.get("ResourceName", "")) for each in one.get("Resources", ()))
                yield Trace(
                    one["EventTime"],
                    one["EventName"],
                    one.get("Username", ""),
                    one.get("AccessKeyId", ""),
                    what,
                    region,
                )
