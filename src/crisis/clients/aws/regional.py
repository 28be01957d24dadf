"""Regional: what keeps or holds secrets in one region: Secrets Manager, Parameter Store, databases, user pools."""

from collections.abc import Callable, Iterator

from crisis.clients.aws import Account
from crisis.clients.aws.databases import POSTGRESQL, Databases
from crisis.domain.credential import Credential
from crisis.errors import RefusedError, TransientError

__all__ = ["enabled_regions", "listed_in"]


def enabled_regions(account: Account) -> list[str]:
    """List the regions that the account has switched on."""
    found = account.session.ask("ec2", "describe_regions", "regions")
    return sorted(str(one["RegionName"]) for one in found["Regions"])


def listed_in(account: Account, system: str, region: str, missed: Callable[[str], None]) -> list[Credential]:
    """List what one region holds; `missed` is told, in a line, what it would not list."""
    found: list[Credential] = []
    for what, look in _LOOKS.items():
        try:
            found.extend(look(account, system, region))
        except (RefusedError, TransientError) as error:
            missed(f"{what} in {region}: {error}")
    return found


def _secrets(account: Account, system: str, region: str) -> Iterator[Credential]:
    for one in account.session.pages("secretsmanager", "list_secrets", "SecretList", region, region=region):
        stages = {stage: version for version, held in one.get("SecretVersionsToStages", {}).items() for stage in held}
        version = stages.get("AWSCURRENT", "")
        # RDS turns its own with the database, after which we log in.
        turns = bool(version and one.get("RotationEnabled")) and not one["Name"].startswith("rds!")
        by = "its rotation function makes the next value" if turns else "only its owner knows what to write there"
        yield Credential(
            system=system, kind="secret", name=f"{one['ARN']}@{version}" if turns else one["ARN"], holder=one["Name"],
            fate="rotate" if turns else "by hand", created=one.get("CreatedDate"),
            last_used=one.get("LastAccessedDate"), note=f"{by}; stages: {', '.join(sorted(stages)) or 'none'}",
        )  # fmt: skip


def _parameters(account: Account, system: str, region: str) -> Iterator[Credential]:
    secure = [{"Key": "Type", "Option": "Equals", "Values": ["SecureString"]}]
    found = account.session.pages(
        "ssm", "describe_parameters", "Parameters", region, region=region, ParameterFilters=secure
    )
    for one in found:
        name = one["Name"]
        yield Credential(
            system=system, kind="parameter", name=f"{region}:{name}", holder=name, fate="by hand",
            created=one.get("LastModifiedDate"),
            note=f"version {one.get('Version', '?')} under {one.get('KeyId', 'a key')}; its owner puts a new value "
            "where the old one came from, deletes the parameter, whose history can be read back, and makes it anew",
        )  # fmt: skip


def _databases(account: Account, system: str, region: str) -> Iterator[Credential]:
    databases = Databases(account.session, region)
    for one in databases.all():
        able = one.engine in POSTGRESQL
        by_hand = f"{one.engine}: change it, end the sessions of {one.user}, show that the old one is refused; "
        yield Credential(
            system=system, kind="database master", name=str(databases.named(one)), holder=one.user,
            fate="rotate" if able else "by hand",
            note=f"{'' if able else by_hand}kept in {databases.secret_of(one)}",
        )  # fmt: skip


def _pools(account: Account, system: str, region: str) -> Iterator[Credential]:
    pools = account.session.pages("cognito-idp", "list_user_pools", "UserPools", region, region=region, MaxResults=60)
    for one in pools:
        yield Credential(
            system=system, kind="user pool sessions", name=f"{region}:{one['Id']}", holder=one.get("Name", ""),
            fate="revoke", note="tokens that are verified offline live until they expire",
        )  # fmt: skip


_Look = Callable[[Account, str, str], Iterator[Credential]]
_LOOKS: dict[str, _Look] = {
    "secrets": _secrets, "secure parameters": _parameters, "database masters": _databases, "user pools": _pools,
}  # fmt: skip
