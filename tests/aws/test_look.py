"""What an account holds, what is not as it was, and who has not heard: told with its gaps."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from crisis.clients import aws
from crisis.clients.aws import baseline, inventory
from crisis.clients.aws.pace import Pace
from crisis.clients.aws.principals import Principal
from crisis.domain.credential import Credential
from crisis.engine.run import Run
from tasks import hunt_aws, inventory_aws
from tests.aws.account import REGION, Cloud

READS = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "secretsmanager:Get*", "Resource": "arn:aws:secretsmanager:*:*:secret:pay-*"}]}"""


def found_in(cloud: Cloud, user: str) -> tuple[list[Credential], tuple[str, ...]]:
    """Take the inventory and return what one user holds, and the gaps."""
    with aws.connect(cloud.system()) as account:
        taken = inventory.take(account, "cloud")
    return [one for one in taken.credentials if one.holder in (user, f"user/{user}")], taken.unseen


def test_the_keys_of_a_user_are_listed_with_their_use(cloud: Cloud) -> None:
    """Each key with its age, whether it is alive, and when and where it was last presented."""
    user = cloud.user(2)
    assert cloud.works(user.keys[0])
    cloud.boto("iam").update_access_key(UserName=user.name, AccessKeyId=user.keys[1][0], Status="Inactive")

    listed, _ = found_in(cloud, user.name)

    keys = {one.name: one for one in listed if one.kind == "access key"}
    assert set(keys) == user.ids
    assert [keys[key].alive for key, _ in user.keys] == [True, False]
    used = keys[user.keys[0][0]].last_used
    assert used is not None
    assert used > datetime.now(UTC) - timedelta(minutes=5)


def test_what_a_key_can_read_is_its_reach(cloud: Cloud) -> None:
    """A secret that the user's policy lets it read is in the reach of its keys; another one is not."""
    user = cloud.user(kept=False)
    cloud.boto("iam").put_user_policy(UserName=user.name, PolicyName="reads", PolicyDocument=READS)
    names = [f"{word}-{user.name}" for word in ("pay", "other")]
    made = [cloud.boto("secretsmanager").create_secret(Name=name, SecretString="x")["ARN"] for name in names]

    listed, _ = found_in(cloud, user.name)

    (key,) = [one for one in listed if one.kind == "access key"]
    assert f"cloud/secret/{made[0]}" in key.reach
    assert f"cloud/secret/{made[1]}" not in key.reach


def test_a_login_is_listed(cloud: Cloud) -> None:
    """A console password is a credential too."""
    user = cloud.user(kept=False)
    cloud.boto("iam").create_login_profile(UserName=user.name, Password="Drill-2026-only!")

    listed, _ = found_in(cloud, user.name)

    assert [one.fate for one in listed if one.kind == "login"] == ["revoke"]


def test_secure_parameters_databases_and_roles_are_listed(cloud: Cloud) -> None:
    """The other kinds are found by their public names."""
    cloud.boto("ssm").put_parameter(Name="/drill/token", Value="x", Type="SecureString", Overwrite=True)
    cloud.boto("ssm").put_parameter(Name="/drill/colour", Value="red", Type="String", Overwrite=True)

    with aws.connect(cloud.system()) as account:
        taken = inventory.take(account, "cloud")

    names = {one.name for one in taken.credentials}
    assert f"{REGION}:/drill/token" in names
    assert f"{REGION}:/drill/colour" not in names


def test_what_cannot_be_listed_is_said(cloud: Cloud) -> None:
    """A listing that the server does not answer is a gap with a name: the inventory does not look whole."""
    cloud.plan({"operation": "ListServiceSpecificCredentials", "kind": "error", "times": 99})
    _, unseen = found_in(cloud, "nobody")

    assert [line.partition(":")[0] for line in unseen] == ["service-specific credentials"]


def test_what_is_new_since_the_baseline_is_found(cloud: Cloud, run: Run) -> None:
    """A user, a key, a policy and a foreign trust of an attacker are named; what stayed is not, nor what we did."""
    victim = cloud.user(kept=False)
    file = baseline.file_of(run.settings.home, "cloud")
    with aws.connect(cloud.system()) as account:
        baseline.write(account, file)
    iam, ghost = cloud.boto("iam"), cloud.user(kept=False)
    iam.put_user_policy(UserName=victim.name, PolicyName="more", PolicyDocument=READS)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"AWS": "arn:aws:iam::999999999999:root"}}]}  # fmt: skip
    iam.create_role(RoleName=f"door-{ghost.name}", AssumeRolePolicyDocument=json.dumps(trust))
    with aws.connect(cloud.system()) as account:
        account.principals.contain(Principal("user", victim.name))
    iam.delete_access_key(UserName=victim.name, AccessKeyId=victim.keys[0][0])
    cloud.plan({"operation": "LookupEvents", "kind": "error", "times": 99})
    ours = (f"cloud/access key/{victim.keys[0][0]}",)

    ghosts = hunt_aws.find_aws_ghosts.__wrapped__("cloud", "2026-01-01T00:00:00Z", ours)  # type: ignore[attr-defined]

    assert set(ghosts.differences) == {
        f"new: users.{ghost.name}",
        f"new: keys.{ghost.keys[0][0]}",
        f"new: roles.door-{ghost.name}",
        f"new: users.{victim.name}.inline.more",
    }
    assert f"role door-{ghost.name} trusts account 999999999999" in ghosts.trust
    assert any(line.startswith("CloudTrail in us-east-1") for line in ghosts.unseen)
    assert ghost.keys[0][1] not in file.read_text(encoding="utf-8")


@pytest.mark.usefixtures("run")
def test_a_missing_baseline_is_a_gap() -> None:
    """Without one, nothing is called unchanged."""
    ghosts = hunt_aws.find_aws_ghosts.__wrapped__("cloud", "2026-01-01T00:00:00Z", ())  # type: ignore[attr-defined]

    assert ghosts.differences == ()
    assert "no baseline" in ghosts.says


@pytest.mark.usefixtures("run")
def test_a_consumer_still_on_the_old_key_is_named(cloud: Cloud) -> None:
    """A dead key that somebody goes on presenting is told with time and place."""
    user = cloud.user()
    cloud.boto("iam").update_access_key(UserName=user.name, AccessKeyId=user.keys[0][0], Status="Inactive")
    since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert not cloud.works(user.keys[0])
    named = (f"{user.name}/{user.keys[0][0]}",)

    found = inventory_aws.find_stragglers.__wrapped__("cloud", named, since)  # type: ignore[attr-defined]

    assert len(found.lines) == 1
    assert "its consumer has not taken the new one" in found.says


def test_equal_states_have_no_differences() -> None:
    """What is the same is not reported, at any depth; what is gone or changed is."""
    state: baseline.State = {"users": {"ida": {"groups": ["a"], "inline": {"p": {"document": "x"}}}}}
    changed: baseline.State = {"users": {"ida": {"groups": [], "inline": {}}}}

    assert baseline.differences(state, state) == []
    assert [one.says for one in baseline.differences(state, changed)] == [
        "changed: users.ida.groups",
        "gone: users.ida.inline.p",
    ]


@pytest.mark.parametrize(("rate", "calls"), [(200.0, 40), (50.0, 10)])
def test_calls_keep_the_pace(rate: float, calls: int) -> None:
    """However many threads ask, no more calls are let go in a time than the pace allows."""
    pace, began = Pace({"iam": rate}), datetime.now(UTC)
    for _ in range(calls):
        pace.wait("iam")

    assert (datetime.now(UTC) - began).total_seconds() >= (calls - 1) / rate * 0.99
