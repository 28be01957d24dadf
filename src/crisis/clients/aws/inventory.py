"""Inventory: every credential of an account that AWS lists, in every region; what it does not list is said."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crisis.clients.aws import Account
from crisis.clients.aws.details import Details, ReportedUser, read_details, read_report
from crisis.clients.aws.keys import AccessKey, LastUse
from crisis.clients.aws.reach import allows, statements_of
from crisis.clients.aws.regional import enabled_regions, listed_in
from crisis.clients.aws.store import folder_of
from crisis.clients.aws.turning import arn_of
from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory
from crisis.errors import RefusedError, TransientError, UnprovenError

__all__ = ["of_holder", "take"]

T = TypeVar("T")

_THREADS = 16
_READ = {
    "secret": ("secretsmanager:GetSecretValue",),
    "parameter": ("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"),
    "role sessions": ("sts:AssumeRole",),
}


def take(account: Account, system: str) -> Inventory:
    """
    List the credentials of an account under the name that protocol.yaml gives it.

    What a listing cannot tell, because of a missing permission or an outage, becomes a line of `unseen`.
    """
    return _Taking(account, system).run()


def of_holder(account: Account, system: str, key_id: str) -> Inventory:
    """List what the holder of one access key holds, with few calls; nothing when AWS does not know the key."""
    user, taking = account.keys.owner(key_id), _Taking(account, system)
    found = [taking.marked(one, "") for one in taking.of_user(user, None)] if user else []
    return Inventory(taken_at=utc_now(), credentials=tuple(found), unseen=tuple(taking.unseen))


@dataclass
class _Taking:
    """The work of one inventory; lists are appended to from several threads, which Python allows."""

    account: Account
    system: str
    unseen: list[str] = field(default_factory=list)

    def run(self) -> Inventory:
        """Ask for all of it at once: the account's pace, not our order, is what takes time."""
        session = self.account.session
        with ThreadPoolExecutor(_THREADS) as pool:
            details = self._or(Details(), "users, roles and policies", lambda: read_details(session))
            report = self._or(dict[str, ReportedUser](), "credential report", lambda: read_report(session))
            users = sorted(details.users) or self._or(list[str](), "users", lambda: list(self.account.keys.users()))
            regional = pool.map(
                lambda one: listed_in(self.account, self.system, one, self.unseen.append), self._regions()
            )
            personal = pool.map(lambda one: list(self.of_user(one, report.get(one))), users)
            found = [one for part in (*regional, *personal) for one in part]
        found += [one for role in details.roles.values() for one in self._of_role(role)]
        found += self._or(list[Credential](), "service-specific credentials", lambda: list(self._service_specific()))
        us = self._or(None, "our own credentials", self.account.principals.ourselves)
        found = [self.marked(one, str(us or "")) for one in found]
        reaching = tuple(self._with_reach(one, details, found) for one in found)
        return Inventory(taken_at=utc_now(), credentials=reaching, unseen=tuple(self.unseen))

    def _or(self, nothing: T, what: str, look: Callable[[], T]) -> T:
        try:
            return look()
        except (RefusedError, TransientError, UnprovenError) as error:
            self.unseen.append(f"{what}: {error}")
            return nothing

    def _regions(self) -> list[str]:
        given = list(self.account.session.system.regions)
        own = [self.account.session.system.region]
        return given or self._or(own, "regions", lambda: enabled_regions(self.account))

    def of_user(self, user: str, report: ReportedUser | None) -> Iterator[Credential]:
        """List what one user holds: keys, console password, certificates, SSH keys."""
        for key in self._or(list[AccessKey](), f"keys of {user}", lambda: self.account.keys.of(user)):
            yield self._of_key(key, report)
        if self._has_password(user, report):
            used = report.password_used if report is not None else None
            yield self._one("login", user, f"user/{user}", "revoke", last_used=used)
        if report is None or report.certificates:
            yield from self._uploaded(user, "signing certificate", "list_signing_certificates", "Certificates")
        yield from self._uploaded(user, "SSH key", "list_ssh_public_keys", "SSHPublicKeys")

    def _of_key(self, key: AccessKey, report: ReportedUser | None) -> Credential:
        listed = report.keys if report is not None else ()
        matching = [one for one in listed if abs((one.made - key.created).total_seconds()) < 1]
        if len(matching) == 1:
            use = LastUse(matching[0].used, matching[0].where)
        else:  # made in the same second as another, or since the report
            use = self._or(LastUse(None), f"last use of {key.id}", lambda: self.account.keys.last_use(key.id))
        where = " ".join(one for one in (use.service, use.region) if one not in ("", "N/A"))
        return self._one(
            "access key", key.id, f"user/{key.user}", "rotate", created=key.created, last_used=use.at,
            used_by=(where,) if where and use.at else (), alive=key.active,
        )  # fmt: skip

    def _has_password(self, user: str, report: ReportedUser | None) -> bool:
        if report is not None:
            return report.password
        return self._or(False, f"login of {user}", lambda: self.account.principals.has_login(user))  # noqa: FBT003

    def _uploaded(self, user: str, kind: str, operation: str, key: str) -> Iterator[Credential]:
        session = self.account.session
        look = lambda: list(session.pages("iam", operation, key, user, UserName=user))  # noqa: E731
        for one in self._or(list[dict[str, Any]](), f"{kind}s of {user}", look):
            name = str(one.get("CertificateId") or one.get("SSHPublicKeyId"))
            yield self._one(
                kind, name, f"user/{user}", "disable", alive=one.get("Status") == "Active",
                created=one.get("UploadDate"),
            )  # fmt: skip

    def _service_specific(self) -> Iterator[Credential]:
        asked: dict[str, Any] = {"AllUsers": True}
        while True:
            page = self.account.session.ask("iam", "list_service_specific_credentials", "all users", **asked)
            for one in page.get("ServiceSpecificCredentials", ()):
                yield self._one(
                    "service-specific credential", one["ServiceSpecificCredentialId"], f"user/{one['UserName']}",
                    "disable", created=one.get("CreateDate"), alive=one.get("Status") == "Active",
                    used_by=(one.get("ServiceName", ""),),
                )  # fmt: skip
            if not page.get("IsTruncated"):
                return
            asked["Marker"] = page["Marker"]

    def _of_role(self, role: dict[str, Any]) -> Iterator[Credential]:
        name, used = role["RoleName"], role.get("RoleLastUsed", {})
        if str(role.get("Path", "")).startswith("/aws-service-role/"):
            return  # AWS's own: its sessions cannot be revoked, and nobody else can have one
        profiles = tuple(
            f"instance profile {one['InstanceProfileName']}" for one in role.get("InstanceProfileList", ())
        )
        yield self._one(
            "role sessions", role["Arn"], f"role/{name}", "revoke", created=role.get("CreateDate"),
            last_used=used.get("LastUsedDate"), used_by=profiles,
        )  # fmt: skip

    def _one(self, kind: str, name: str, holder: str, fate: Any, **more: Any) -> Credential:
        return Credential(system=self.system, kind=kind, name=name, holder=holder, fate=fate, **more)

    def marked(self, one: Credential, us: str) -> Credential:
        """Mark what we work with: our key, and the sessions of our role."""
        ours = one.name == self.account.session.own_key or (one.kind == "role sessions" and one.holder == us)
        return one.model_copy(update={"ours": True}) if ours else one

    def _with_reach(self, one: Credential, details: Details, all_: list[Credential]) -> Credential:
        """Add what a principal's policies let it read or become, and what a secret holds, by key."""
        if one.kind == "secret":
            return one.model_copy(update={"reach": tuple(self._held_in(one, all_))})
        kind, _, name = one.holder.partition("/")
        entity = (details.users if kind == "user" else details.roles if kind == "role" else {}).get(name)
        if entity is None:
            return one
        statements = statements_of(entity, details.groups, details.policies)
        reach = [
            other.key for other in all_
            if other is not one and any(allows(statements, read, _arn(other)) for read in _READ.get(other.kind, ()))
        ]  # fmt: skip
        return one.model_copy(update={"reach": tuple(reach)})

    def _held_in(self, secret: Credential, all_: list[Credential]) -> Iterator[str]:
        """Yield the keys of the credentials that a secret keeps for their consumers."""
        system, name, where = self.account.session.system, secret.holder, arn_of(secret)
        for one in all_:
            user = one.holder.removeprefix("user/")
            if one.kind == "access key" and name.startswith(folder_of(system, user)):
                yield one.key
            in_region = one.name.partition(":")[0] == where.split(":")[3]
            if one.kind == "database master" and in_region and one.note.endswith((f"kept in {name}", where)):
                yield one.key


def _arn(one: Credential) -> str:
    """Return the name that policies have for a credential."""
    region, _, name = one.name.partition(":")
    return f"arn:aws:ssm:{region}:*:parameter/{name.lstrip('/')}" if one.kind == "parameter" else arn_of(one)
