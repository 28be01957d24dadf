"""The password of a database's master, rotated at a real PostgreSQL server behind the account."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from crisis.clients import aws
from crisis.clients.aws import inventory
from crisis.clients.aws.databases import Databases, Named
from crisis.clients.aws.masters import Masters, Replaced
from crisis.domain.credential import Credential
from crisis.errors import RefusedError, TransientError, UnprovenError
from tasks import rotate_rds
from tests.aws.account import REGION, Cloud, DeadlyWire, Death
from tests.aws.databases import OLD, Base
from tests.aws.test_contain import act

Make = Callable[..., Base]
WRITES = ("CreateSecret", "PutSecretValue", "UpdateSecretVersionStage", "RotateSecret", "ModifyDB")


def listed(cloud: Cloud, base: Base) -> Credential:
    """Return how the inventory lists the master of a database."""
    with aws.connect(cloud.system()) as account:
        found = inventory.take(account, "cloud").credentials
    (one,) = [one for one in found if one.kind == "database master" and Named.parse(one.name).database == base.name]
    return one


def named(base: Base) -> str:
    """Name the password that is in force, without a whole inventory."""
    with aws.connect(base.cloud.system()) as account:
        databases = Databases(account.session, REGION)
        found = databases.find(base.name)
        assert found is not None
        return str(databases.named(found))


def rotate(base: Base, name: str, wire: DeadlyWire | None = None, **patience: timedelta) -> Replaced:
    """Rotate once."""
    with aws.connect(base.cloud.system(**patience), wire) as account:
        return Masters(account, Named.parse(name), "INC-1").run()


@pytest.mark.parametrize("cluster", [False, True], ids=["instance", "cluster"])
@pytest.mark.usefixtures("run")
def test_the_old_password_dies_and_its_sessions_end(make: Make, cluster: bool) -> None:
    """The server refuses the old one and takes the new one; what the old one had opened is closed; late or not."""
    base = make(cluster=cluster)
    base.tie(lag=0.4)
    thief, name = base.enter(OLD), listed(base.cloud, base).name

    change = act(rotate_rds.rotate_rds_master, "cloud", name)

    new = base.password()
    assert new is not None
    assert (base.opens(OLD), base.opens(new), base.alive(thief)) == (False, True, False)
    assert (base.password("AWSPREVIOUS"), base.password("AWSPENDING")) == (None, None)
    assert change.facts["rotated"] == {name: named(base)}
    assert new not in change.model_dump_json()
    assert named(base) != name


def test_what_stands_beside_the_password_stays(make: Make) -> None:
    """Consumers read other fields of the secret too."""
    base = make()
    rotate(base, named(base))

    text = base.cloud.boto("secretsmanager").get_secret_value(SecretId=base.secret, VersionStage="AWSCURRENT")
    assert json.loads(text["SecretString"])["note"] == "stays"


def test_a_second_run_changes_nothing_and_lets_new_sessions_be(make: Make) -> None:
    """Run again with the same name, nobody is thrown out; under its new name it is rotated once more."""
    base = make()
    name = named(base)
    first = rotate(base, name)
    new = base.password()
    consumer = base.enter(str(new))

    second = rotate(base, name)

    assert (first.changed, second.changed, second.new) == (True, False, first.new)
    assert base.alive(consumer)
    assert rotate(base, first.new).new != first.new
    assert (base.opens(str(new)), base.alive(consumer)) == (False, False)


def test_a_password_that_no_secret_kept_gets_one(make: Make) -> None:
    """Nobody knows the old one: a made-up one is refused, the new one is taken, and a role has one password."""
    base = make(kept=False)
    name = named(base)

    done = rotate(base, name)

    assert (name, done.kept_at) == (f"{REGION}:{base.name}", base.secret)
    assert (base.opens(OLD), base.opens(str(base.password()))) == (False, True)
    assert not rotate(base, name).changed


@pytest.mark.parametrize("cluster", [False, True], ids=["instance", "cluster"])
def test_a_managed_password_is_rotated_by_rds(make: Make, cluster: bool) -> None:
    """RDS makes the password; the old one is refused, its sessions end, and a second run makes no other."""
    base = make(cluster=cluster, managed=True)
    base.tie(lag=0.3)
    old = str(base.password())
    thief, name = base.enter(old), named(base)

    done = rotate(base, name)
    again = rotate(base, name)

    assert (base.opens(old), base.opens(str(base.password())), base.alive(thief)) == (False, True, False)
    assert (again.changed, again.new) == (False, done.new)


class DeadlyWrite(DeadlyWire):
    """Dies after the n-th call that changes something; between two of those it is all the same when."""

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send one request; die when it is the last change."""
        asked = f"{request.headers.get('X-Amz-Target', '')} {request.body!r}"
        if any(word in asked for word in WRITES):
            return super().send(request)
        return self.http.send(request)


def survivors(make: Make, **how: bool) -> dict[int, tuple[object, ...]]:
    """Kill a rotation after each change in turn and start it again; return what the world looks like."""
    wire, base = DeadlyWrite(0), make(**how)
    rotate(base, named(base), wire)
    assert wire.sent
    worlds = dict[int, tuple[object, ...]]()
    for after in range(1, wire.sent + 1):
        base = make(**how)
        name, old = named(base), OLD if not how.get("managed") else str(base.password())
        thief = base.enter(old)
        with pytest.raises(Death):
            rotate(base, name, DeadlyWrite(after))
        rotate(base, name)
        described = base.cloud.boto("secretsmanager").describe_secret(SecretId=base.secret)
        previous, number = base.password("AWSPREVIOUS"), len(described["VersionIdsToStages"])
        worlds[after] = (base.opens(str(base.password())), base.opens(old), base.alive(thief), previous, number)
    return worlds


@pytest.mark.parametrize("kept", [True, False], ids=["in a secret", "in none"])
def test_killed_after_any_change_no_password_is_lost(make: Make, kept: bool) -> None:
    """Started again: one new password, kept, which opens the database; the old one and its session do not."""
    worlds = survivors(make, kept=kept)

    assert set(worlds.values()) == {(True, False, False, None, 2 if kept else 1)}
    assert len(worlds) >= 4


def test_killed_after_any_change_rds_makes_one_password(make: Make) -> None:
    """A managed one is not rotated twice, however the first run ended."""
    worlds = survivors(make, managed=True)

    assert [world[:3] for world in worlds.values()] == [(True, False, False)]
    assert [world[4] for world in worlds.values()] == [2]


@pytest.mark.parametrize("managed", [False, True], ids=["ours", "managed"])
def test_a_password_that_is_taken_and_not_set_is_named(make: Make, managed: bool) -> None:
    """The account says yes and the server knows nothing of it: that is no rotation."""
    base = make(managed=managed)
    base.tie(lying=True)
    name = named(base)

    with pytest.raises(UnprovenError, match=base.name):
        rotate(base, name, rotation_patience=timedelta(seconds=1))


def test_where_nobody_can_log_in_nothing_is_changed(make: Make) -> None:
    """A server that crisis cannot reach keeps its password: a new one could not be proved."""
    base = make()
    name = named(base)
    base.cloud.clear()  # the server has no address any more that leads anywhere

    with pytest.raises(TransientError):
        rotate(base, name)

    assert base.password("AWSPENDING") is None
    assert base.opens(OLD)


def test_another_engine_is_for_a_person(cloud: Cloud) -> None:
    """The inventory says what has to be shown; the action refuses to change what it cannot prove."""
    rds = cloud.boto("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="ledger", Engine="mysql", DBInstanceClass="db.m5.large", AllocatedStorage=10,
        MasterUsername="root", MasterUserPassword=OLD,
    )  # fmt: skip

    with aws.connect(cloud.system()) as account:
        found = inventory.take(account, "cloud").credentials
        (one,) = [one for one in found if one.name == f"{REGION}:ledger"]
        with pytest.raises(RefusedError, match="mysql"):
            Masters(account, Named.parse(one.name), "INC-1").run()

    assert one.fate == "by hand"
    assert "show that the old one is refused" in one.note
    rds.delete_db_instance(DBInstanceIdentifier="ledger", SkipFinalSnapshot=True)


@pytest.mark.usefixtures("run")
def test_a_database_that_is_gone_needs_nothing() -> None:
    """Somebody deleted it since the plan."""
    change = act(rotate_rds.rotate_rds_master, "cloud", f"{REGION}:no-such-base")

    assert (change.state, change.note) == ("none", "the database is gone")


def test_the_secret_of_a_master_reaches_it(make: Make) -> None:
    """Who can read the secret holds the database: the scope of a breach goes on from there."""
    base = make()
    with aws.connect(base.cloud.system()) as account:
        found = inventory.take(account, "cloud").credentials
    (secret,) = [one for one in found if one.kind == "secret" and one.holder == base.secret]

    assert secret.reach == (listed(base.cloud, base).key,)
