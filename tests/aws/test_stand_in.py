"""The stand-in is as strict and as late as AWS: asked by plain boto3, which owes nothing to our clients."""

import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.aws.account import Cloud


def code(cloud: Cloud, api: str, operation: str, key: tuple[str, str]) -> str:
    """Return AWS's word for the refusal of a call; empty when it was answered."""
    try:
        getattr(cloud.boto(api, key), operation)()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_keys_are_refused_as_aws_refuses_them(cloud: Cloud) -> None:
    """Unknown, inactive and deleted keys, a wrong secret, and a missing permission each have their word."""
    user, iam = cloud.user(), cloud.boto("iam")
    key = user.keys[0]
    said = {
        "alive": code(cloud, "sts", "get_caller_identity", key),
        "wrong secret": code(cloud, "sts", "get_caller_identity", (key[0], "x" * 40)),
        "not allowed": code(cloud, "iam", "list_users", key),
        "not allowed, JSON": code(cloud, "secretsmanager", "list_secrets", key),
        "unknown": code(cloud, "sts", "get_caller_identity", ("AKIAUNKNOWNUNKNOWN12", "x" * 40)),
    }
    iam.update_access_key(UserName=user.name, AccessKeyId=key[0], Status="Inactive")
    said["inactive"] = code(cloud, "sts", "get_caller_identity", key)
    iam.update_access_key(UserName=user.name, AccessKeyId=key[0], Status="Active")
    said["active again"] = code(cloud, "sts", "get_caller_identity", key)
    iam.delete_access_key(UserName=user.name, AccessKeyId=key[0])
    said["deleted"] = code(cloud, "sts", "get_caller_identity", key)

    assert said == {
        "alive": "",
        "wrong secret": "SignatureDoesNotMatch",
        "not allowed": "AccessDenied",
        "not allowed, JSON": "AccessDeniedException",
        "unknown": "InvalidClientTokenId",
        "inactive": "InvalidClientTokenId",
        "active again": "",
        "deleted": "InvalidClientTokenId",
    }


def test_a_get_without_a_body_is_signed_right(cloud: Cloud) -> None:
    """APIs that ask by GET are answered, not told that the signature is wrong."""
    assert cloud.boto("lambda").list_functions()["Functions"] == []


def test_a_dead_key_works_for_a_while_where_a_drill_says_so(cloud: Cloud) -> None:
    """Late for two seconds, then refused; a new one is refused first, then works."""
    user, iam = cloud.user(), cloud.boto("iam")
    cloud.weather(dead_key=2.0, new_key=2.0)
    iam.update_access_key(UserName=user.name, AccessKeyId=user.keys[0][0], Status="Inactive")
    made = iam.create_access_key(UserName=user.name)["AccessKey"]
    new = (made["AccessKeyId"], made["SecretAccessKey"])
    at_once = (cloud.works(user.keys[0]), cloud.works(new))
    time.sleep(2.2)

    assert at_once == (True, False)
    assert (cloud.works(user.keys[0]), cloud.works(new)) == (False, True)


@pytest.mark.parametrize(("kind", "said"), [("throttle", "Throttling"), ("error", "InternalFailure")])
def test_faults_come_without_an_effect(cloud: Cloud, kind: str, said: str) -> None:
    """A throttle or a 500 leaves everything as it was."""
    user = cloud.user()
    cloud.plan({"operation": "CreateAccessKey", "kind": kind})

    with pytest.raises(ClientError, match=said):
        cloud.boto("iam").create_access_key(UserName=user.name)

    assert set(cloud.keys_of(user.name)) == user.ids


def test_a_lost_answer_comes_after_the_effect(cloud: Cloud) -> None:
    """The connection breaks, and the key is there."""
    user = cloud.user()
    cloud.plan({"operation": "CreateAccessKey", "kind": "lost"})

    with pytest.raises(ConnectionClosedError):
        cloud.boto("iam").create_access_key(UserName=user.name)

    assert len(cloud.keys_of(user.name)) == 2


def test_too_many_calls_are_throttled(cloud: Cloud) -> None:
    """Beyond its pace an API refuses, and counts what it was asked."""
    cloud.weather(rates={"iam": 2.0})
    iam, throttled = cloud.boto("iam"), 0
    for _ in range(12):
        try:
            iam.list_account_aliases()
        except ClientError as error:
            throttled += error.response["Error"]["Code"] == "Throttling"

    assert throttled > 0
    assert cloud.counted()["calls"]["ListAccountAliases"] == 12


def test_a_disabled_cipher_encrypts_nothing(cloud: Cloud) -> None:
    """The key is of no use while it is off; bare moto would go on."""
    kms = cloud.boto("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)

    with pytest.raises(ClientError, match="disabled"):
        kms.encrypt(KeyId=key, Plaintext=b"x")
