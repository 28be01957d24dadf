"""Rotate secrets: what rotates itself in Secrets Manager is told to do so now, and its old value is taken away."""

from crisis.clients.aws.turning import Turning
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.engine.run import current_run
from tasks.contain_aws import open_account


@action(
    kind="destroy",
    needs=(
        "secretsmanager:DescribeSecret", "secretsmanager:RotateSecret", "secretsmanager:UpdateSecretVersionStage",
    ),
    undo="none",
)  # fmt: skip
def rotate_aws_secret(system: str, name: str) -> Change:
    """
    Let a secret's own rotation function make its next value, as the inventory names it: `ARN@version`.

    A version that somebody else left pending is given time to become current, and is set aside where it does not.

    Again  finds a newer version current, and starts no second rotation.
    Undo   none.
    Fails  UnprovenError when the next version does not become current in time: see the function's log.
    """
    with open_account(system) as account:
        done = Turning(account, name, current_run().incident).run()
    target = f"{system} {name.rpartition('@')[0]}"
    if not done.new:
        return Change.none(target, because="the secret is gone")
    facts = {"rotated": {name: done.new}, "successors": [f"{system}/secret/{done.new}"]}
    if not done.changed:
        return Change.none(target, because="a newer version is current, and the old value is not read back", **facts)
    return Change.done(target, "its function made a new value, which is current; the old one is taken away", **facts)
