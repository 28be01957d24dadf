"""The policies in deployments/aws, tried against IAM: each is enough, and one permission less is named."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from crisis.clients import aws
from crisis.clients.aws import inventory
from crisis.errors import CrisisError
from tasks import contain_aws, isolate_aws, rotate_aws, rotate_rds, rotate_secrets
from tests.aws.account import REGION, Cloud
from tests.aws.databases import Base
from tests.aws.test_contain import act

pytestmark = pytest.mark.usefixtures("run")
FOLDER = Path(__file__).parents[2] / "deployments" / "aws"
UNASKED = {
    "iam:ListUsers",  # only where the details cannot be read
    "iam:GetAccessKeyLastUsed",  # only for keys that the credential report does not know yet
    "iam:GetLoginProfile",  # only where there is no report; the baseline asks it too
    "iam:ListSigningCertificates",  # only for users that have one by the report
    "iam:ListSAMLProviders", "iam:ListOpenIDConnectProviders",  # the baseline's
    "secretsmanager:DescribeSecret",  # only where there is a database
    "ec2:DescribeRegions",  # only where protocol.yaml names no regions
    "iam:ListServiceSpecificCredentials", "cloudtrail:LookupEvents",  # moto has neither
}  # fmt: skip
"""What look.json allows and this test's inventory does not come to need."""


def permissions(name: str) -> list[str]:
    """Return every permission of a policy."""
    statements = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["Statement"]
    listed = [one["Action"] if isinstance(one["Action"], list) else [one["Action"]] for one in statements]
    return [permission for part in listed for permission in part]


@pytest.fixture
def robot(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[str]], None]]:
    """Act with a key that has these permissions alone. moto does not judge resources, so they are all `*` here."""
    user = cloud.user(kept=False)

    def become(allowed: list[str]) -> None:
        statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        cloud.boto("iam").put_user_policy(UserName=user.name, PolicyName="shipped", PolicyDocument=document)
        monkeypatch.setenv("CRISIS_TEST_AWS_ID", user.keys[0][0])
        monkeypatch.setenv("CRISIS_TEST_AWS_SECRET", user.keys[0][1])

    yield become
    cloud.as_admin(monkeypatch.setenv)


def rotate(cloud: Cloud) -> None:
    """Rotate a key at the limit of two, and one that has no secret."""
    two, none = cloud.user(2), cloud.user(kept=False)
    keys = (f"{two.name}/{two.keys[0][0]}", f"{none.name}/{none.keys[0][0]}")
    act(rotate_aws.rotate_aws_keys, "cloud", keys, tuple(two.ids | none.ids))


def contain(cloud: Cloud) -> None:
    """Contain, restore and end all that a user and a role have."""
    user, iam, role = cloud.user(), cloud.boto("iam"), f"role-{time.monotonic_ns()}"
    iam.create_login_profile(UserName=user.name, Password="Drill-2026-only!")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    for who in (f"user/{user.name}", f"role/{role}"):
        act(contain_aws.contain_aws_principal, "cloud", who)
        act(contain_aws.restore_aws_principal, "cloud", who)
    act(contain_aws.revoke_aws_sessions, "cloud", (f"role/{role}",), "2026-11-26T00:00:00Z")
    act(contain_aws.disable_aws_keys, "cloud", (f"{user.name}/{user.keys[0][0]}",))
    act(contain_aws.close_aws_console, "cloud", user.name)


def isolate(cloud: Cloud) -> None:
    """Cut a machine off and let it back, switch a cipher off and on, sign a pool out."""
    idp, machine = cloud.boto("cognito-idp"), cloud.machine()[0]
    key = cloud.boto("kms").create_key()["KeyMetadata"]["KeyId"]
    pool = idp.create_user_pool(PoolName="drill")["UserPool"]["Id"]
    idp.admin_create_user(UserPoolId=pool, Username="ida")
    act(isolate_aws.isolate_aws_machine, "cloud", REGION, machine)
    act(isolate_aws.release_aws_machine, "cloud", REGION, machine)
    act(isolate_aws.disable_aws_cipher, "cloud", REGION, key)
    act(isolate_aws.enable_aws_cipher, "cloud", REGION, key)
    act(isolate_aws.sign_out_aws_pool, "cloud", REGION, pool)


def secrets(cloud: Cloud) -> None:
    """Turn a secret by its function."""
    name = f"mail-{time.monotonic_ns()}"
    made = cloud.boto("secretsmanager").create_secret(Name=name, SecretString="x")
    httpx.post(f"{cloud.url}/_sandbox/rotation", json={"region": REGION, "secret": name}, timeout=60).raise_for_status()
    act(rotate_secrets.rotate_aws_secret, "cloud", f"{made['ARN']}@{made['VersionId']}")


WORK: dict[str, Callable[[Cloud], Any]] = {
    "rotate": rotate, "contain": contain, "isolate": isolate, "secrets": secrets,
}  # fmt: skip
RARE = {"ec2:RevokeSecurityGroupIngress"}
"""Needed only where somebody opened our empty group."""
CASES = [(name, permission) for name in WORK for permission in permissions(name) if permission not in RARE]
DATABASES = [one for one in dict.fromkeys(permissions("databases")) if one != "secretsmanager:RotateSecret"]
"""RotateSecret is what RDS asks of us for a password that it manages; moto does not look for it."""


def test_the_policy_for_databases_is_enough(robot: Callable[[list[str]], None], make: Callable[..., Base]) -> None:
    """The password of an instance and of a cluster is replaced with it and nothing else."""
    robot(permissions("databases"))

    for base in (make(kept=False), make(cluster=True)):
        act(rotate_rds.rotate_rds_master, "cloud", f"{REGION}:{base.name}")

        assert base.opens(str(base.password()))


@pytest.mark.parametrize("permission", DATABASES)
def test_one_permission_short_for_databases_is_named(
    robot: Callable[[list[str]], None], make: Callable[..., Base], permission: str
) -> None:
    """The same as for the other policies; a database stands behind it."""
    base = make(cluster="Cluster" in permission, kept=permission != "secretsmanager:CreateSecret")
    robot([one for one in permissions("databases") if one != permission])

    with pytest.raises(CrisisError) as caught:
        act(rotate_rds.rotate_rds_master, "cloud", f"{REGION}:{base.name}")

    assert f"allow {permission} in the policy" in str(caught.value)


@pytest.mark.parametrize("name", WORK)
def test_the_shipped_policy_is_enough(cloud: Cloud, robot: Callable[[list[str]], None], name: str) -> None:
    """Each action goes through with its policy and nothing else."""
    robot(permissions(name))

    WORK[name](cloud)


@pytest.mark.parametrize(("name", "permission"), CASES, ids=[permission for _, permission in CASES])
def test_one_permission_short_is_named(
    cloud: Cloud, robot: Callable[[list[str]], None], name: str, permission: str
) -> None:
    """With one permission taken away the error names it, so that somebody can grant it."""
    robot([one for one in permissions(name) if one != permission])

    with pytest.raises(CrisisError) as caught:
        WORK[name](cloud)

    assert f"allow {permission} in the policy" in str(caught.value)


@pytest.mark.parametrize("permission", [one for one in permissions("look") if one not in UNASKED])
def test_a_gap_names_the_permission_it_lacks(cloud: Cloud, robot: Callable[[list[str]], None], permission: str) -> None:
    """An inventory without a permission is not whole, and says which would make it so."""
    cloud.user(kept=False)
    robot([one for one in permissions("look") if one != permission])

    with aws.connect(cloud.system()) as account:
        unseen = inventory.take(account, "cloud").unseen

    assert any(f"allow {permission} in the policy" in line for line in unseen)


def test_an_inventory_with_its_policy_has_no_gap_of_permission(
    cloud: Cloud, robot: Callable[[list[str]], None]
) -> None:
    """With look.json nothing is denied."""
    robot(permissions("look"))

    with aws.connect(cloud.system()) as account:
        unseen = inventory.take(account, "cloud").unseen

    assert [line for line in unseen if "allow" in line] == []
