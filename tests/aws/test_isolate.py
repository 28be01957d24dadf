"""A machine cut off with its discs kept and let back in, a cipher switched off and on, a pool signed out."""

import pytest
from botocore.exceptions import ClientError

from tasks import isolate_aws
from tests.aws.account import REGION, Cloud
from tests.aws.test_contain import act

pytestmark = pytest.mark.usefixtures("run")


def groups(cloud: Cloud, machine: str) -> list[str]:
    """Return the security groups of an instance."""
    found = cloud.boto("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
    return [str(one["GroupId"]) for one in found["SecurityGroups"]]


def test_a_machine_is_cut_off_and_its_discs_are_kept(cloud: Cloud) -> None:
    """Its one group lets nothing in or out, each disc has a snapshot, and a second run makes no other."""
    machine, group = cloud.machine()

    done = act(isolate_aws.isolate_aws_machine, "cloud", REGION, machine)
    again = act(isolate_aws.isolate_aws_machine, "cloud", REGION, machine)

    (empty,) = cloud.boto("ec2").describe_security_groups(GroupIds=groups(cloud, machine))["SecurityGroups"]
    assert (empty["IpPermissions"], empty["IpPermissionsEgress"]) == ([], [])
    assert (done.facts["groups"], len(done.facts["snapshots"])) == ([group], 1)
    assert (again.state, again.facts["snapshots"]) == ("none", done.facts["snapshots"])


def test_a_machine_gets_its_groups_back(cloud: Cloud) -> None:
    """At stand-down it is where it was, and a second run says that there is nothing of ours."""
    machine, group = cloud.machine()
    act(isolate_aws.isolate_aws_machine, "cloud", REGION, machine)

    act(isolate_aws.release_aws_machine, "cloud", REGION, machine)
    again = act(isolate_aws.release_aws_machine, "cloud", REGION, machine)

    assert groups(cloud, machine) == [group]
    assert again.note == "we did not cut it off"


def test_a_cipher_is_switched_off_and_on(cloud: Cloud) -> None:
    """While it is off nothing is encrypted."""
    kms = cloud.boto("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]

    act(isolate_aws.disable_aws_cipher, "cloud", REGION, key)
    with pytest.raises(ClientError, match="disabled"):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    again = act(isolate_aws.disable_aws_cipher, "cloud", REGION, key)
    act(isolate_aws.enable_aws_cipher, "cloud", REGION, key)

    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert again.note == "off already"


def test_an_empty_pool_is_said(cloud: Cloud) -> None:
    """Nobody to sign out is no success."""
    pool = cloud.boto("cognito-idp").create_user_pool(PoolName="empty")["UserPool"]["Id"]

    assert act(isolate_aws.sign_out_aws_pool, "cloud", REGION, pool).note == "it has no users"
