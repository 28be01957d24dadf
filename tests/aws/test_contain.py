"""A principal contained, its keys, sessions and console ended, and what can be given back given back."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crisis.clients import aws
from crisis.clients.aws.principals import Principal
from crisis.domain.change import Change
from crisis.errors import ProtocolError, UnprovenError
from tasks import contain_aws
from tests.aws.account import Cloud, User

pytestmark = pytest.mark.usefixtures("run")
EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def act(action: Callable[..., Change], *arguments: Any) -> Change:
    """Call the body of an action, without the engine around it."""
    body: Callable[..., Change] = action.__wrapped__  # type: ignore[attr-defined]
    return body(*arguments)


def powerful(cloud: Cloud) -> User:
    """Make a user who may do everything."""
    user = cloud.user()
    cloud.boto("iam").put_user_policy(UserName=user.name, PolicyName="all", PolicyDocument=EVERYTHING)
    return user


def may(cloud: Cloud, key: tuple[str, str], token: str | None = None) -> bool:
    """Whether a key may list users."""
    try:
        cloud.boto("iam", key, token).list_users()
    except ClientError:
        return False
    return True


def test_a_contained_user_is_denied_everything_and_restored(cloud: Cloud) -> None:
    """The attacker's own calls are refused at once; at stand-down they are allowed as before."""
    user = powerful(cloud)
    before = may(cloud, user.keys[0])

    act(contain_aws.contain_aws_principal, "cloud", f"user/{user.name}")
    contained = may(cloud, user.keys[0])
    again = act(contain_aws.contain_aws_principal, "cloud", f"user/{user.name}")
    act(contain_aws.restore_aws_principal, "cloud", f"user/{user.name}")

    assert (before, contained, may(cloud, user.keys[0])) == (True, False, True)
    assert (again.state, again.note) == ("none", "denied everything already")


def test_a_deny_that_is_taken_away_is_set_again(cloud: Cloud) -> None:
    """Whoever removes the deny while AWS hears of it finds it back; the note says how often."""
    user, gone = powerful(cloud), threading.Event()

    def take_away() -> None:
        iam = cloud.boto("iam")
        while not gone.is_set():
            try:
                iam.delete_user_policy(UserName=user.name, PolicyName="CrisisContainment")
                gone.set()
            except ClientError:
                time.sleep(0.05)

    thread = threading.Thread(target=take_away)
    thread.start()
    done = act(contain_aws.contain_aws_principal, "cloud", f"user/{user.name}")
    gone.set()
    thread.join()

    assert not may(cloud, user.keys[0])
    assert done.note.endswith("it was taken away 1 times meanwhile")


def test_we_do_not_contain_ourselves(cloud: Cloud) -> None:
    """The account is not locked against its responder."""
    with pytest.raises(UnprovenError, match="ourselves"):
        act(contain_aws.contain_aws_principal, "cloud", "user/crisis-admin")

    assert may(cloud, cloud.admin)


def test_sessions_die_by_their_time_of_issue(cloud: Cloud) -> None:
    """A stolen role session is refused, one that is issued later works, and a second run leaves the cut-off."""
    iam, name = cloud.boto("iam"), f"role-{time.monotonic_ns()}"
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"},
             "Action": "sts:AssumeRole"}]}  # fmt: skip
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=EVERYTHING)
    stolen = session(cloud, role)
    before = may(cloud, *stolen)

    done = act(contain_aws.revoke_aws_sessions, "cloud", (f"role/{name}",), "2026-11-26T00:00:00Z")

    after = may(cloud, *stolen)
    time.sleep(6)  # the cut-off lies a little ahead
    assert (before, after, may(cloud, *session(cloud, role))) == (True, False, True)
    assert done.state == "done"


def session(cloud: Cloud, role: str) -> tuple[tuple[str, str], str]:
    """Take a session of a role."""
    found = cloud.boto("sts").assume_role(RoleArn=role, RoleSessionName="canary")["Credentials"]
    return (found["AccessKeyId"], found["SecretAccessKey"]), found["SessionToken"]


def test_keys_are_disabled_and_enabled(cloud: Cloud) -> None:
    """Both are proved by AWS taking the key or not; a second run changes nothing."""
    user = cloud.user()
    named = (f"{user.name}/{user.keys[0][0]}",)

    act(contain_aws.disable_aws_keys, "cloud", named)
    disabled = cloud.works(user.keys[0])
    again = act(contain_aws.disable_aws_keys, "cloud", named)
    act(contain_aws.enable_aws_keys, "cloud", named)

    assert (disabled, cloud.works(user.keys[0])) == (False, True)
    assert again.state == "none"


def test_one_key_that_will_not_die_does_not_spare_the_others(cloud: Cloud) -> None:
    """The error names the survivor, and every other key is dead."""
    first, second = cloud.user(), cloud.user()
    cloud.weather(zombies=[first.keys[0][0]])
    named = tuple(f"{user.name}/{user.keys[0][0]}" for user in (first, second))

    with pytest.raises(UnprovenError, match=f"1 of 2 failed: {first.name}/{first.keys[0][0]}"):
        act(contain_aws.disable_aws_keys, "cloud", named)

    assert not cloud.works(second.keys[0])


def test_the_console_is_closed(cloud: Cloud) -> None:
    """The password is gone, and a second run says so."""
    user = cloud.user()
    cloud.boto("iam").create_login_profile(UserName=user.name, Password="Drill-2026-only!")

    done = act(contain_aws.close_aws_console, "cloud", user.name)
    again = act(contain_aws.close_aws_console, "cloud", user.name)

    with pytest.raises(ClientError, match="NoSuchEntity"):
        cloud.boto("iam").get_login_profile(UserName=user.name)
    assert (done.state, again.note) == ("done", "no console password")


def test_an_scp_is_attached_and_taken_away(cloud: Cloud) -> None:
    """The organisation's policy denies exactly this principal; moto keeps it but does not enforce it."""
    organizations = cloud.boto("organizations")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    who = Principal.parse("user/deploy")
    with aws.connect(cloud.system()) as account:
        account.guardrails.contain(who, account.number(), root)
        account.guardrails.contain(who, account.number(), root)
        there = account.guardrails.is_contained(who, account.number(), root)
        account.guardrails.restore(who, root)

        assert there
        assert not account.guardrails.is_contained(who, account.number(), root)


def test_a_system_that_is_none_of_aws_is_said() -> None:
    """A name that protocol.yaml does not have is an error of the protocol."""
    with pytest.raises(ProtocolError, match=r"systems\.elsewhere: wanted an AWS account, saw nothing"):
        contain_aws.open_account("elsewhere")


def test_a_principal_is_a_user_or_a_role() -> None:
    """Anything else is refused before AWS is asked."""
    with pytest.raises(ProtocolError, match="user/NAME or role/NAME"):
        Principal.parse("group/all")
