"""What Secrets Manager and Parameter Store keep beside access keys: turned by its function, or left to its owner."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from crisis.clients import aws
from crisis.clients.aws import inventory
from crisis.clients.aws.turning import Turned, Turning
from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory
from crisis.errors import UnprovenError
from tasks import kill, rotate_secrets
from tests.aws.account import REGION, Cloud, DeadlyWire, Death
from tests.aws.test_contain import act

_numbers = count(1)
OTHER = "0" * 32


@dataclass
class Turnable:
    """A secret with a rotation function, at its first version."""

    cloud: Cloud
    arn: str
    first: str

    @property
    def name(self) -> str:
        """How the plan names its first version."""
        return f"{self.arn}@{self.first}"

    def stages(self) -> dict[str, str]:
        """Return the version of each stage."""
        found = self.cloud.boto("secretsmanager").describe_secret(SecretId=self.arn)["VersionIdsToStages"]
        return {stage: version for version, stages in found.items() for stage in stages}

    def versions(self) -> int:
        """Count the versions there are."""
        return len(self.cloud.boto("secretsmanager").describe_secret(SecretId=self.arn)["VersionIdsToStages"])

    def rotate(self, wire: DeadlyWire | None = None, **more: Any) -> Turned:
        """Rotate it once."""
        with aws.connect(self.cloud.system(**more), wire) as account:
            return Turning(account, self.name, "INC-1").run()


@pytest.fixture
def make(cloud: Cloud) -> Iterator[Callable[..., Turnable]]:
    """Make secrets with functions that this test has to itself."""
    made = list[str]()

    def work(**function: Any) -> Turnable:
        name = f"mail-{next(_numbers)}"
        found = cloud.boto("secretsmanager").create_secret(Name=name, SecretString="x")
        made.append(found["ARN"])
        asked = {"region": REGION, "secret": name, **function}
        with closing(httpx.post(f"{cloud.url}/_sandbox/rotation", json=asked, timeout=60)) as answer:
            answer.raise_for_status()
        return Turnable(cloud, found["ARN"], found["VersionId"])

    yield work
    for arn in made:
        cloud.boto("secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def listed(cloud: Cloud, name: str) -> Credential:
    """Return how the inventory lists a secret or a parameter."""
    with aws.connect(cloud.system()) as account:
        found = inventory.take(account, "cloud").credentials
    (one,) = [one for one in found if one.holder == name or one.name.startswith(name)]
    return one


@pytest.mark.usefixtures("run")
def test_a_secret_with_a_function_is_turned_to_the_end(make: Callable[..., Turnable]) -> None:
    """A newer version is current, the old one has no label; the inventory names the two apart."""
    secret = make(lag=0.3)
    before = listed(secret.cloud, secret.arn)

    change = act(rotate_secrets.rotate_aws_secret, "cloud", before.name)
    again = act(rotate_secrets.rotate_aws_secret, "cloud", before.name)

    assert (before.name, before.fate) == (secret.name, "rotate")
    assert set(secret.stages()) == {"AWSCURRENT"}
    assert change.facts["rotated"] == {secret.name: f"{secret.arn}@{secret.stages()['AWSCURRENT']}"}
    assert secret.stages()["AWSCURRENT"] != secret.first
    assert (again.state, secret.versions()) == ("none", 2)


def test_killed_after_any_call_it_is_turned_once(make: Callable[..., Turnable]) -> None:
    """However often it is asked in one incident, the function makes one version."""
    wire = DeadlyWire(0)
    make().rotate(wire)
    seen = {}
    for after in range(1, wire.sent + 1):
        secret = make()
        with pytest.raises(Death):
            secret.rotate(DeadlyWire(after))
        secret.rotate()
        seen[after] = (set(secret.stages()) == {"AWSCURRENT"}, secret.versions())

    assert set(seen.values()) == {(True, 2)}


def test_a_rotation_that_never_ends_is_named(make: Callable[..., Turnable]) -> None:
    """The function made a version and stopped: nothing is called rotated, and the log is where to look."""
    secret = make(broken=True)

    with pytest.raises(UnprovenError, match="rotation function"):
        secret.rotate(rotation_patience=timedelta(seconds=1))


def test_a_version_that_somebody_left_pending_is_set_aside(make: Callable[..., Turnable]) -> None:
    """AWS starts no rotation while one stands half way; it is given time first."""
    secret = make()
    secret.cloud.boto("secretsmanager").put_secret_value(
        SecretId=secret.arn, SecretString="left", ClientRequestToken=OTHER, VersionStages=["AWSPENDING"]
    )

    secret.rotate(patience=timedelta(seconds=1))

    assert set(secret.stages()) == {"AWSCURRENT"}
    assert secret.stages()["AWSCURRENT"] not in (secret.first, OTHER)


@pytest.mark.usefixtures("run")
def test_a_secret_that_is_gone_needs_nothing() -> None:
    """Somebody deleted it since the plan."""
    name = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:gone-abcdef@{OTHER}"

    assert act(rotate_secrets.rotate_aws_secret, "cloud", name).note == "the secret is gone"


def test_what_only_its_owner_knows_is_by_hand(cloud: Cloud) -> None:
    """A secret without a function and a secure parameter are for a person; no value is read for it."""
    secrets, ssm = cloud.boto("secretsmanager"), cloud.boto("ssm")
    arn = secrets.create_secret(Name="licence", SecretString="never to be seen")["ARN"]
    ssm.put_parameter(Name="/shop/licence", Value="never to be seen", Type="SecureString", Overwrite=True)
    cloud.clear()
    secret, parameter = listed(cloud, "licence"), listed(cloud, "/shop/licence")
    called = cloud.counted()["calls"]

    assert (secret.name, secret.fate, parameter.name, parameter.fate) == (
        arn, "by hand", f"{REGION}:/shop/licence", "by hand",
    )  # fmt: skip
    assert "version 1 under" in parameter.note
    assert parameter.created is not None
    assert {"GetSecretValue", "GetParameter", "GetParameters"} & set(called) == set()
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


@pytest.mark.usefixtures("run")
def test_the_plan_ends_what_a_secret_holds_and_turns_the_others() -> None:
    """A leaked secret with a password in it is a step for the database, once; one with a function is its own step."""
    base = Credential(system="cloud", kind="database master", name=f"{REGION}:shop@1", fate="rotate")
    held = Credential(
        system="cloud", kind="secret", name="arn:held", holder="database-masters/shop", fate="by hand",
        reach=(base.key,),
    )  # fmt: skip
    turned = Credential(system="cloud", kind="secret", name="arn:mail@1", holder="mail", fate="rotate")
    found = Inventory(taken_at=utc_now(), credentials=(base, held, turned))

    plan = kill.plan_kill(found, (held.key, turned.key), "credential")

    steps = {(step.action, step.arguments["name"]) for step in plan.choices[0].steps}
    assert steps == {("rotate_rds_master", base.name), ("rotate_aws_secret", turned.name)}
    assert len(plan.choices[0].steps) == 2
