"""Regional: what keeps or holds secrets in one region: Secrets Manager, Parameter Store, databases, user pools."""

from collections.abc import Callable, Iterator

from crisis.clients.aws import Account
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
        stages = {stage for held in one.get("SecretVersionsToStages", {}).values() for stage in held}
        yield Credential(
            system=system, kind="secret", name=one["ARN"], holder=one["Name"], fate="rotate",
            created=one.get("CreatedDate"), last_used=one.get("LastAccessedDate"),
            note=f"stages: {', '.join(sorted(stages)) or 'none'}; rotates itself: {one.get('RotationEnabled', False)}",
        )  # fmt: skip


def _parameters(account: Account, system: str, region: str) -> Iterator[Credential]:
    secure = [{"Key": "Type", "Option": "Equals", "Values": ["SecureString"]}]
    found = account.session.pages(
        "ssm", "describe_parameters", "Parameters", region, region=region, ParameterFilters=secure
    )
    for one in found:
        name = one["Name"]
        yield Credential(
            system=system, kind="parameter", name=f"{region}:{name}", holder=name, fate="rotate",
            note=f"version {one.get('Version', '?')}; older ones can be read back until it is deleted",
        )  # fmt: skip


def _databases(account: Account, system: str, region: str) -> Iterator[Credential]:
    for what, key in (("db_instances", "DBInstance"), ("db_clusters", "DBCluster")):
        for one in account.session.pages("rds", f"describe_{what}", f"{key}s", region, region=region):
            managed = one.get("MasterUserSecret", {}).get("SecretArn", "")
            yield Credential(
                system=system, kind="database master", name=one.get(f"{key}Arn", one[f"{key}Identifier"]),
                holder=one.get("MasterUsername", ""), fate="rotate",
                note=f"kept in {managed}" if managed else "its password is nowhere in AWS",
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
