"""Isolate at AWS: machines cut off with their discs kept, KMS keys switched off, users of a pool signed out."""

from concurrent.futures import ThreadPoolExecutor

from crisis.clients.aws.ciphers import Ciphers
from crisis.clients.aws.machines import Machines
from crisis.clients.aws.pools import Pools
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.errors import UnprovenError
from tasks.contain_aws import open_account

_THREADS = 16


@action(
    kind="contain",
    needs=("ec2:DescribeInstances", "ec2:ModifyInstanceAttribute", "ec2:CreateTags", "ec2:CreateSnapshot",
           "ec2:DescribeSnapshots", "ec2:DescribeSecurityGroups", "ec2:CreateSecurityGroup",
           "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupIngress"),
    undo="release_aws_machine", measure=True,
)  # fmt: skip
def isolate_aws_machine(system: str, region: str, instance: str) -> Change:
    """
    Cut an EC2 instance off from the network and keep its discs as snapshots; it goes on running, for its memory.

    Again  finds it cut off and its discs kept.
    Undo   release_aws_machine, at stand-down; the snapshots stay as evidence.
    Fails  UnprovenError when it has another security group afterwards, or a disc was not kept.
    """
    with open_account(system) as account:
        machines = Machines(account.session, region)
        machine = machines.find(instance)
        alone = machines.is_isolated(machine)
        if not alone:
            machines.isolate(machine)
        had = len(machines.snapshots(machine))
        kept = machines.keep_discs(machine)
        now = machines.find(instance)
        if not machines.is_isolated(now):
            saw, then = ", ".join(now.groups) or "none", "give it an empty security group by hand"
            raise UnprovenError(instance, wanted="an empty security group alone", saw=saw, then=then)
    if alone and had == len(kept):
        return Change.none(instance, because="cut off already, every disc kept", snapshots=kept)
    return Change.done(instance, f"cut off; {len(kept)} discs kept", snapshots=kept, groups=list(now.before))


@action(
    kind="restore",
    needs=("ec2:DescribeInstances", "ec2:ModifyInstanceAttribute", "ec2:DeleteTags", "ec2:DescribeSecurityGroups"),
    undo="isolate_aws_machine",
)
def release_aws_machine(system: str, region: str, instance: str) -> Change:
    """
    Give an EC2 instance back the security groups that it had.

    Again  finds nothing of ours on it and changes nothing.
    Undo   isolate_aws_machine.
    Fails  UnprovenError when it has other groups afterwards.
    """
    with open_account(system) as account:
        machines = Machines(account.session, region)
        machine = machines.find(instance)
        if not machine.before:
            return Change.none(instance, because="we did not cut it off")
        machines.release(machine)
        now = machines.find(instance)
        if now.groups != tuple(sorted(machine.before)):
            wanted, saw = ", ".join(machine.before), ", ".join(now.groups)
            raise UnprovenError(instance, wanted=wanted, saw=saw, then="set its security groups by hand")
    return Change.done(instance, f"on the network again, in {', '.join(now.groups)}")


@action(kind="contain", needs=("kms:DescribeKey", "kms:DisableKey"), undo="enable_aws_cipher", measure=True)
def disable_aws_cipher(system: str, region: str, key: str) -> Change:
    """
    Switch a KMS key off: nothing that it encrypted can be read by anybody, ourselves included.

    Again  finds it off and changes nothing.
    Undo   enable_aws_cipher, at stand-down.
    Fails  UnprovenError when it is on afterwards.
    """
    return _switch_cipher(system, region, key, on=False)


@action(kind="restore", needs=("kms:DescribeKey", "kms:EnableKey"), undo="disable_aws_cipher")
def enable_aws_cipher(system: str, region: str, key: str) -> Change:
    """
    Switch a KMS key on again.

    Again  finds it on and changes nothing.
    Undo   disable_aws_cipher.
    Fails  UnprovenError when it is off afterwards.
    """
    return _switch_cipher(system, region, key, on=True)


@action(kind="contain", needs=("cognito-idp:ListUsers", "cognito-idp:AdminUserGlobalSignOut"), undo="none")
def sign_out_aws_pool(system: str, region: str, pool: str) -> Change:
    """
    Sign every user of a Cognito pool out; services that verify tokens offline take them until they expire.

    Again  signs everybody out once more, who logged in since as well.
    Undo   none: users log in again.
    Fails  TransientError or RefusedError for the first user that could not be signed out.
    """
    with open_account(system) as account:
        pools = Pools(account.session, region)
        users = list(pools.users(pool))
        with ThreadPoolExecutor(_THREADS) as pool_of_threads:
            list(pool_of_threads.map(lambda user: pools.sign_out(pool, user), users))
    note = f"{len(users)} users signed out; tokens verified offline live on until they expire"
    return Change.done(pool, note) if users else Change.none(pool, because="it has no users")


def _switch_cipher(system: str, region: str, key: str, *, on: bool) -> Change:
    wanted = "on" if on else "off"
    with open_account(system) as account:
        ciphers = Ciphers(account.session, region)
        if ciphers.is_enabled(key) == on:
            return Change.none(key, because=f"{wanted} already")
        ciphers.switch(key, on=on)
        if ciphers.is_enabled(key) != on:
            raise UnprovenError(key, wanted=f"a KMS key that is {wanted}", saw="the opposite", then="run it again")
    return Change.done(key, f"switched {wanted}")
