"""Contain at AWS: stop a principal, its keys, its sessions and its console, so that it can be given back."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from crisis.clients import aws
from crisis.clients.aws.batch import each_key
from crisis.clients.aws.knock import prove_accepted_by_id, prove_refused
from crisis.clients.aws.principals import Principal
from crisis.domain.change import Change
from crisis.domain.clock import parse_time, utc_now
from crisis.domain.systems import Aws
from crisis.engine.action import action
from crisis.engine.run import current_run
from crisis.errors import ProtocolError, UnprovenError

_SETTLE = timedelta(seconds=4)
"""How long a fresh deny can still be taken away by whom it stops: AWS needs that long to hear of it."""
_AHEAD = timedelta(seconds=5)
"""By how much sessions are cut off in the future: some are issued while AWS hears of it."""
_TRIES = 4
_THREADS, _SHOWN = 8, 6


def open_account(system: str) -> aws.Account:
    """Open the AWS account of a name in protocol.yaml; ProtocolError where it is another kind of system."""
    found = current_run().protocol.systems.get(system)
    if not isinstance(found, Aws):
        saw = "nothing of that name" if found is None else found.kind
        raise ProtocolError(f"systems.{system}", wanted="an AWS account", saw=saw, then="name one from protocol.yaml")
    return aws.connect(found)


@action(
    kind="contain",
    needs=("iam:PutUserPolicy", "iam:GetUserPolicy", "iam:PutRolePolicy", "iam:GetRolePolicy"),
    undo="restore_aws_principal",
    measure=True,
)
def contain_aws_principal(system: str, principal: str) -> Change:
    """
    Deny a user or role (`user/NAME`, `role/NAME`) everything; by an SCP first, where protocol.yaml names one.

    Again  finds the deny and leaves it; one that was rewritten is set right.
    Undo   restore_aws_principal, at stand-down.
    Fails  RefusedError without permission; UnprovenError when somebody takes the deny away as fast as it is set.
    """
    who = Principal.parse(principal)
    with open_account(system) as account:
        _refuse_ourselves(account, who)
        guarded = _guard(account, who)
        if account.principals.is_contained(who) and not guarded:
            return Change.none(principal, because="denied everything already")
        taken_away = _deny_until_it_stays(account, who)
    note = "denied everything" + (" by an SCP and" if guarded else "") + " by an inline policy"
    note += f"; it was taken away {taken_away} times meanwhile" if taken_away else ""
    return Change.done(principal, note, principal=principal)


@action(
    kind="contain",
    needs=("iam:DeleteUserPolicy", "iam:DeleteRolePolicy", "iam:GetUserPolicy", "iam:GetRolePolicy"),
    undo="contain_aws_principal",
)
def restore_aws_principal(system: str, principal: str) -> Change:
    """
    Take our deny away from a user or role.

    Again  finds no deny of ours and changes nothing.
    Undo   contain_aws_principal.
    Fails  UnprovenError when the deny is still there afterwards.
    """
    who = Principal.parse(principal)
    with open_account(system) as account:
        target = account.session.system.guardrail_on
        lifted = account.guardrails.restore(who, target) if target else False
        lifted = account.principals.restore(who) or lifted
        if account.principals.is_contained(who):
            raise UnprovenError(principal, wanted="no deny of ours", saw="one", then="delete CrisisContainment by hand")
    if not lifted:
        return Change.none(principal, because="no deny of ours")
    return Change.done(principal, "what it was allowed before, it is allowed again")


@action(kind="contain", needs=("iam:UpdateAccessKey", "iam:ListAccessKeys"), undo="enable_aws_keys", measure=True)
def disable_aws_keys(system: str, keys: tuple[str, ...]) -> Change:
    """
    Deactivate access keys (`user/ID`) and prove that AWS refuses each.

    Again  finds them inactive and proves it once more.
    Undo   enable_aws_keys.
    Fails  UnprovenError that names each key which goes on working; the others are dead all the same.
    """
    with open_account(system) as account:

        def disable(user: str, key_id: str) -> bool:
            key = next((one for one in account.keys.of(user) if one.id == key_id), None)
            if key is not None and key.active:
                account.keys.switch(key, on=False)
            prove_refused(account.session, key_id, account.patience)
            return key is not None and key.active

        changed = each_key(keys, disable).insist(system, "every key refused by AWS")
    if not any(changed.values()):
        return Change.none(system, because=f"{len(changed)} keys refused already", proved=sorted(changed))
    return Change.done(system, f"{len(changed)} keys deactivated and refused by AWS", proved=sorted(changed))


@action(kind="restore", needs=("iam:UpdateAccessKey", "iam:ListAccessKeys"), undo="disable_aws_keys")
def enable_aws_keys(system: str, keys: tuple[str, ...]) -> Change:
    """
    Activate access keys (`user/ID`) again, where it turned out that nobody else had them.

    Again  finds them active and changes nothing.
    Undo   disable_aws_keys.
    Fails  UnprovenError that names each key which AWS does not take.
    """
    with open_account(system) as account:

        def enable(user: str, key_id: str) -> bool:
            key = next((one for one in account.keys.of(user) if one.id == key_id), None)
            if key is None:
                raise UnprovenError(f"access key {key_id}", wanted="a key", saw="none", then="make a new one")
            if not key.active:
                account.keys.switch(key, on=True)
            prove_accepted_by_id(account.session, key_id, account.patience)
            return not key.active

        changed = each_key(keys, enable).insist(system, "every key taken by AWS")
    if not any(changed.values()):
        return Change.none(system, because=f"{len(changed)} keys active already")
    return Change.done(system, f"{len(changed)} keys activated and taken by AWS")


@action(
    kind="contain",
    needs=("iam:PutRolePolicy", "iam:GetRolePolicy", "iam:PutUserPolicy", "iam:GetUserPolicy"),
    undo="none",
)
def revoke_aws_sessions(system: str, principals: tuple[str, ...], until: str) -> Change:
    """
    Deny every session that roles or users (`role/NAME`) were given so far; those that are issued later work.

    At least those issued `until` then (ISO time) are denied. Whom we ourselves speak for is left out.

    Again  finds cut-offs that are as late and leaves them.
    Undo   none is needed: whoever may have a session gets a new one; instances fetch theirs within the hour.
    Fails  UnprovenError when a cut-off is not there afterwards.
    """
    latest = parse_time(until)
    with open_account(system) as account, ThreadPoolExecutor(_THREADS) as pool:
        us = account.principals.ourselves()
        everybody = {str(who): who for who in map(Principal.parse, principals) if who != us}
        before = dict(zip(everybody, pool.map(account.principals.cut_off, everybody.values()), strict=True))
        due = {name: who for name, who in everybody.items() if (cut := before[name]) is None or cut < latest}
        if not due:
            return Change.none(system, because=f"sessions issued until {_say(latest)} are denied already")
        for _ in range(2):  # a session that was issued while AWS heard of the first cut-off falls to the second
            cut_at = utc_now() + _AHEAD
            list(pool.map(lambda who: account.principals.revoke_sessions(who, cut_at), due.values()))  # noqa: B023
            time.sleep(_settle(account).total_seconds())
        after = dict(zip(due, pool.map(account.principals.cut_off, due.values()), strict=True))
    for name, cut in after.items():
        if cut is None or cut < cut_at.replace(microsecond=0):
            saw = _say(cut) if cut else "none"
            raise UnprovenError(name, wanted=f"a cut-off at {_say(cut_at)}", saw=saw, then="run it again")
    says = (
        f"sessions of {', '.join(list(due)[:_SHOWN])}{' …' if len(due) > _SHOWN else ''} issued before {_say(cut_at)}"
    )
    return Change.done(system, f"{says} are denied", issued_before=cut_at.isoformat(), principals=sorted(due))


@action(kind="destroy", needs=("iam:GetLoginProfile", "iam:DeleteLoginProfile"), undo="none")
def close_aws_console(system: str, user: str) -> Change:
    """
    Take a user's console password away. Sessions that are open live on: revoke_aws_sessions ends them.

    Again  finds no password and changes nothing.
    Undo   none: a person sets a new password.
    Fails  UnprovenError when the password is still there afterwards.
    """
    with open_account(system) as account:
        if not account.principals.has_login(user):
            return Change.none(user, because="no console password")
        account.principals.delete_login(user)
        if account.principals.has_login(user):
            raise UnprovenError(user, wanted="no console password", saw="one", then="delete it by hand")
    return Change.done(user, "console password deleted")


def _deny_until_it_stays(account: aws.Account, who: Principal) -> int:
    """Set the deny, and again if it goes; return how often it was taken away."""
    for times in range(_TRIES):
        account.principals.contain(who)
        until = time.monotonic() + _settle(account).total_seconds()
        while account.principals.is_contained(who):
            if time.monotonic() > until:
                return times
            time.sleep(0.5)
    then = "set guardrail_on in protocol.yaml, or move the account to a quarantine unit by hand"
    raise UnprovenError(str(who), wanted="a deny that stays", saw=f"it was taken away {_TRIES} times", then=then)


def _guard(account: aws.Account, who: Principal) -> bool:
    """Put the SCP into force where there is to be one; say whether it had to be."""
    target = account.session.system.guardrail_on
    if target is None or account.guardrails.is_contained(who, account.number(), target):
        return False
    account.guardrails.contain(who, account.number(), target)
    if not account.guardrails.is_contained(who, account.number(), target):
        raise UnprovenError(str(who), wanted="a denying SCP", saw="none", then=f"attach one to {target} by hand")
    return True


def _refuse_ourselves(account: aws.Account, who: Principal) -> None:
    ours = account.principals.ourselves()
    if ours == who:
        raise UnprovenError(str(who), wanted="somebody else", saw="ourselves", then="contain it from another account")


def _settle(account: aws.Account) -> timedelta:
    return min(_SETTLE, account.patience)


def _say(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
