"""An access key rotated at an account that enforces IAM: what is left, whatever went wrong on the way."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from crisis.clients import aws
from crisis.clients.aws.rotation import Rotated, Rotation
from crisis.errors import CrisisError, RefusedError, TransientError, UnprovenError
from tasks import rotate_aws
from tests.aws.account import Cloud, DeadlyWire, Death, User
from tests.aws.test_contain import act

UNDISTURBED = {
    "keys": [("new-0", "Active"), ("old-0", "Inactive")],
    "held": ["new-0"],
    "held works": [True],
    "old works": [False],
    "previous": [False],
}
TRIES = 8


def rotate(cloud: Cloud, user: User, number: int = 0, wire: DeadlyWire | None = None) -> Rotated:
    """Rotate one key of a user once."""
    with aws.connect(cloud.system(), wire) as account:
        return Rotation(account, user.name, user.keys[number][0], user.ids).run()


def persist(work: Callable[[], Rotated]) -> Rotated:
    """Try again after a transient error, as the engine does."""
    for _ in range(TRIES - 1):
        try:
            return work()
        except TransientError:
            continue
    return work()


def test_the_old_key_dies_and_the_consumer_finds_a_working_one(cloud: Cloud) -> None:
    """The old key is refused, the secret holds a successor that works, and the leaked value is not read back."""
    user = cloud.user()

    done = rotate(cloud, user)

    assert cloud.shape(user) == UNDISTURBED
    assert done.changed
    assert done.new in cloud.keys_of(user.name)


def test_a_second_run_changes_nothing(cloud: Cloud) -> None:
    """Run again, no key is made, and the report says so."""
    user = cloud.user()
    first = rotate(cloud, user)
    cloud.clear()

    second = rotate(cloud, user)

    assert cloud.counted()["calls"].get("CreateAccessKey", 0) == 0
    assert cloud.shape(user) == UNDISTURBED
    assert (second.changed, second.new) == (False, first.new)


def test_a_key_that_no_secret_holds_gets_one(cloud: Cloud) -> None:
    """Where the consumer was set up by hand, the successor waits in a secret that the report names."""
    user = cloud.user(kept=False)

    done = rotate(cloud, user)

    held = cloud.held(done.kept_at)
    assert done.kept_at == f"access-keys/{user.name}/{user.keys[0][0]}"
    assert held is not None
    assert cloud.works(held)
    assert not cloud.works(user.keys[0])


def test_two_keys_in_use_are_rotated_one_after_the_other(cloud: Cloud) -> None:
    """At the limit of two, the dead key makes room; the other one works until its own turn."""
    user = cloud.user(2)

    first = rotate(cloud, user, 0)
    other_works = cloud.works(user.keys[1])
    rotate(cloud, user, 1)

    assert other_works
    assert first.deleted == (user.keys[0][0],)
    assert cloud.shape(user) == {
        "keys": [("new-0", "Active"), ("new-1", "Active")],
        "held": ["new-0", "new-1"],
        "held works": [True, True],
        "old works": [False, False],
        "previous": [False, False],
    }


@pytest.mark.usefixtures("run")
def test_two_keys_without_a_secret_keep_both_successors(cloud: Cloud) -> None:
    """The first successor is no stranger to the second, however new its secret; run again, nothing changes."""
    user = cloud.user(2, kept=False)
    keys = tuple(f"{user.name}/{key}" for key, _ in user.keys)

    act(rotate_aws.rotate_aws_keys, "cloud", keys, tuple(user.ids))
    again = act(rotate_aws.rotate_aws_keys, "cloud", keys, tuple(user.ids))

    held = [cloud.held(f"access-keys/{key}") for key in keys]
    assert [one is not None and cloud.works(one) for one in held] == [True, True]
    assert [cloud.works(key) for key in user.keys] == [False, False]
    assert again.state == "none"
    off = {f"{user.name}/{key}" for key, status in cloud.keys_of(user.name).items() if status == "Inactive"}
    assert set(again.facts["dead"]) >= off  # what stand-down deletes


def calls_of(cloud: Cloud, keys: int, *, kept: bool = True) -> int:
    """Count the calls of an undisturbed rotation."""
    wire = DeadlyWire(0)
    rotate(cloud, cloud.user(keys, kept=kept), 0, wire)
    return wire.sent


@pytest.mark.parametrize("keys", [1, 2], ids=["one key", "both slots in use"])
def test_killed_after_any_call_it_ends_as_undisturbed(cloud: Cloud, keys: int) -> None:
    """Killed after each outside call in turn and started again, no key is orphaned, lost or made twice."""
    undisturbed = cloud.user(keys)
    rotate(cloud, undisturbed)
    wanted = cloud.shape(undisturbed)
    total = calls_of(cloud, keys)
    shapes = {}
    for after in range(1, total + 1):
        user = cloud.user(keys)
        with pytest.raises(Death):
            rotate(cloud, user, 0, DeadlyWire(after))
        rotate(cloud, user)
        shapes[after] = cloud.shape(user)

    assert total > 10
    assert {after: shape for after, shape in shapes.items() if shape != wanted} == {}


def test_killed_after_any_call_a_new_secret_is_not_lost(cloud: Cloud) -> None:
    """The same where the key had no secret: one successor, kept once, that works."""
    total = calls_of(cloud, 1, kept=False)
    wrong = {}
    for after in range(1, total + 1):
        user = cloud.user(kept=False)
        with pytest.raises(Death):
            rotate(cloud, user, 0, DeadlyWire(after))
        done = rotate(cloud, user)
        held, keys = cloud.held(done.kept_at), cloud.keys_of(user.name)
        if held is None or not cloud.works(held) or keys != {user.keys[0][0]: "Inactive", held[0]: "Active"}:
            wrong[after] = keys

    assert wrong == {}


@pytest.mark.parametrize("kind", ["lost", "error", "throttle"])
@pytest.mark.parametrize(
    "operation",
    ["ListAccessKeys", "UpdateAccessKey", "CreateAccessKey", "PutSecretValue", "UpdateSecretVersionStage",
     "GetCallerIdentity", "GetSecretValue", "DescribeSecret", "ListSecrets"],
)  # fmt: skip
def test_one_failed_call_is_survived(cloud: Cloud, operation: str, kind: str) -> None:
    """A lost answer, a 500 or a throttle of any call ends, with the engine's tries, as if it had not been."""
    user = cloud.user()
    cloud.plan({"operation": operation, "kind": kind})

    persist(lambda: rotate(cloud, user))

    assert cloud.shape(user) == UNDISTURBED


def test_a_key_that_deactivates_and_still_works_is_named(cloud: Cloud) -> None:
    """Nothing is called dead that is not: the run fails by the key's id, and no successor was made for it."""
    user = cloud.user()
    cloud.weather(zombies=[user.keys[0][0]])

    with (
        pytest.raises(UnprovenError, match=user.keys[0][0]) as caught,
        aws.connect(cloud.system(patience=timedelta(seconds=1))) as account,
    ):
        Rotation(account, user.name, user.keys[0][0], user.ids).run()

    assert cloud.keys_of(user.name) == {user.keys[0][0]: "Inactive"}
    assert (caught.value.wanted, caught.value.saw) == ("refused by AWS", "accepted")
    assert "contain its user" in caught.value.then


def test_a_late_account_is_waited_for(cloud: Cloud) -> None:
    """A dead key that works for two seconds more, and a new one that does not work yet, are waited out."""
    user = cloud.user()
    cloud.weather(dead_key=2.0, new_key=2.0)

    done = rotate(cloud, user)

    cloud.clear()
    assert cloud.shape(user) == UNDISTURBED
    assert done.seconds >= 4.0


def test_a_key_of_an_attacker_dies_too(cloud: Cloud) -> None:
    """A key that was made since the plan, and that nobody keeps, is switched off and named."""
    user = cloud.user()
    made = cloud.boto("iam", None).create_access_key(UserName=user.name)["AccessKey"]
    stranger = (made["AccessKeyId"], made["SecretAccessKey"])

    done = rotate(cloud, user)

    assert not cloud.works(stranger)
    assert done.strangers == (stranger[0],)
    assert cloud.shape(user) == UNDISTURBED


def test_a_half_permitted_role_names_what_it_lacks(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the permission to make keys, the error says which; the old key is dead, and a later run goes on."""
    user, robot = cloud.user(), cloud.user()
    cloud.boto("iam").put_user_policy(UserName=robot.name, PolicyName="half", PolicyDocument=HALF)
    monkeypatch.setenv("CRISIS_TEST_AWS_ID", robot.keys[0][0])
    monkeypatch.setenv("CRISIS_TEST_AWS_SECRET", robot.keys[0][1])

    with pytest.raises(RefusedError, match="iam:CreateAccessKey") as caught:
        rotate(cloud, user)

    cloud.as_admin(monkeypatch.setenv)
    dead = not cloud.works(user.keys[0])
    rotate(cloud, user)
    assert dead
    assert caught.value.then == "allow iam:CreateAccessKey in the policy of our credentials"
    assert cloud.shape(user) == UNDISTURBED


HALF = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": ["iam:ListAccessKeys", "iam:UpdateAccessKey", "secretsmanager:*"], "Resource": "*"}]}"""


def test_our_own_key_is_left_alone(cloud: Cloud) -> None:
    """The hand that holds the tool is not cut off."""
    with aws.connect(cloud.system()) as account, pytest.raises(UnprovenError, match="our own"):
        Rotation(account, "crisis-admin", cloud.admin[0], frozenset()).run()

    assert cloud.works(cloud.admin)


def test_no_room_beside_two_living_keys_is_said(cloud: Cloud) -> None:
    """Where the old key is gone and two known ones live, neither is taken: people are told to choose."""
    user = cloud.user(2)
    with aws.connect(cloud.system()) as account:
        gone = "AKIAGONEGONEGONEGONE"
        account.store.begin(account.store.name_for(user.name, gone))
        with pytest.raises(UnprovenError, match="room for a new key"):
            Rotation(account, user.name, gone, user.ids).run()

    assert set(cloud.keys_of(user.name).values()) == {"Active"}


def test_no_error_tells_a_secret(cloud: Cloud) -> None:
    """Whatever call fails, neither the text nor what hangs on the error holds a secret."""
    told = []
    for operation in ("CreateAccessKey", "PutSecretValue", "GetSecretValue", "GetCallerIdentity"):
        cloud.clear()
        user = cloud.user()
        cloud.plan({"operation": operation, "kind": "error", "times": 99})
        with pytest.raises(CrisisError) as caught, aws.connect(cloud.system(patience=timedelta(seconds=1))) as account:
            Rotation(account, user.name, user.keys[0][0], user.ids).run()
        error = caught.value
        told.append((operation, user.keys[0][1] in repr(error.__dict__) + str(error), error.__context__))

    assert told == [(name, False, None) for name, _, _ in told]
    assert len(told) == 4


def test_another_key_that_is_switched_off_is_not_deleted(cloud: Cloud) -> None:
    """A holder was contained, so both keys are off; one alone is rotated: it makes the room itself."""
    user = cloud.user(2)
    for key, _ in user.keys:
        cloud.boto("iam").update_access_key(UserName=user.name, AccessKeyId=key, Status="Inactive")

    done = rotate(cloud, user)

    other = user.keys[1][0]
    assert cloud.keys_of(user.name) == {other: "Inactive", done.new: "Active"}
    assert done.deleted == (user.keys[0][0],)
