"""Rotate at RDS: a master's password dies, what it had opened is ended, and consumers find another one."""

from crisis.clients.aws.databases import Named
from crisis.clients.aws.masters import Masters
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.engine.run import current_run
from tasks.contain_aws import open_account


@action(
    kind="destroy",
    needs=(
        "rds:DescribeDBInstances", "rds:DescribeDBClusters", "rds:ModifyDBInstance", "rds:ModifyDBCluster",
        "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:CreateSecret",
        "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage", "secretsmanager:RotateSecret",
        "postgresql:login",
    ),
    undo="none",
)  # fmt: skip
def rotate_rds_master(system: str, name: str) -> Change:
    """
    Rotate the password of a database's master, as the inventory names it: `region:instance@version`.

    Kept in Secrets Manager before RDS hears of it; proved by logging in to every server of the database; then whatever
    the old one had opened is ended. RDS takes a password late and leaves open sessions open.

    Again  takes it up where it stands; a password that this incident has replaced gets no second successor.
    Undo   none.
    Fails  UnprovenError when the old one still opens a server, or the new one does not; RefusedError for an engine
           that we cannot log in to.
    """
    target = f"{system} master of {name}"
    with open_account(system) as account:
        done = Masters(account, Named.parse(name), current_run().incident).run()
    if not done.new:
        return Change.none(target, because="the database is gone")
    facts = {
        "rotated": {name: done.new},
        "successors": [f"{system}/database master/{done.new}"],
        "kept_at": [done.kept_at],
        "elsewhere": list(done.elsewhere),
    }
    proof = f"the old password is refused by {done.servers} servers, the new one is kept at {done.kept_at} and works"
    if not done.changed:
        return Change.none(target, because=f"done already: {proof}", **facts)
    return Change.done(target, f"{proof}; {done.ended} sessions were ended", **facts)
