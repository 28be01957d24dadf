"""Rotate at AWS: access keys die and their successors stand where consumers look; what is dead is deleted later."""

from crisis.clients.aws.batch import each_key, split
from crisis.clients.aws.knock import prove_refused
from crisis.clients.aws.rotation import Rotated, Rotation
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.errors import UnprovenError
from tasks.contain_aws import open_account


@action(
    kind="destroy",
    needs=(
        "iam:ListAccessKeys", "iam:UpdateAccessKey", "iam:CreateAccessKey", "iam:DeleteAccessKey",
        "secretsmanager:ListSecrets", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
        "secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
    ),
    undo="none",
)  # fmt: skip
def rotate_aws_keys(system: str, keys: tuple[str, ...], known: tuple[str, ...]) -> Change:
    """
    Rotate access keys (`user/ID`): dead, proved, replaced, kept in Secrets Manager, proved again.

    `known` are the ids of all keys at the time of the plan: one that is neither there nor kept in a secret, an
    attacker's or a crash's, is switched off. A user at the limit of two loses a dead key to make room.

    Again  takes each up where it stands; a key that has a successor gets no second one.
    Undo   none: the old keys stay inactive until delete_aws_keys.
    Fails  UnprovenError that names each key which goes on working; the others are rotated all the same.
    """
    there = frozenset(known)
    with open_account(system) as account:

        def rotate(user: str, key_id: str) -> Rotated:
            siblings = frozenset(split(key)[1] for key in keys if split(key)[0] == user)
            return Rotation(account, user, key_id, there, siblings).run()

        outcome = each_key(keys, rotate)
    done = outcome.insist(system, f"{len(keys)} keys rotated and proved")
    made = {key: one for key, one in done.items() if one.new}
    facts = {
        "rotated": {key: one.new for key, one in made.items()},
        "successors": sorted(f"{system}/access key/{one.new}" for one in made.values()),
        "kept_at": sorted(one.kept_at for one in made.values()),
        "dead": _dead(done),
        "report": _report(done),
    }
    if not any(one.changed for one in done.values()):
        return Change.none(system, because=f"{len(done)} keys were rotated already; the old ones are refused", **facts)
    return Change.done(system, _note(done), **facts)


@action(kind="destroy", needs=("iam:ListAccessKeys", "iam:DeleteAccessKey"), undo="none")
def delete_aws_keys(system: str, keys: tuple[str, ...]) -> Change:
    """
    Delete access keys (`user/ID`) that are inactive, once CloudTrail has been searched for them.

    Again  finds them gone and changes nothing.
    Undo   none.
    Fails  UnprovenError for a key that is active: it is not deleted.
    """
    with open_account(system) as account:

        def delete(user: str, key_id: str) -> bool:
            key = next((one for one in account.keys.of(user) if one.id == key_id), None)
            if key is None:
                return False
            if key.active:
                then = "rotate it first, or find out who activated it"
                raise UnprovenError(f"access key {key_id}", wanted="an inactive key", saw="an active one", then=then)
            prove_refused(account.session, key_id, account.patience)
            account.keys.delete(key)
            if any(one.id == key_id for one in account.keys.of(user)):
                raise UnprovenError(
                    f"access key {key_id}", wanted="no such key", saw="it is there", then="run it again"
                )
            return True

        gone = each_key(keys, delete).insist(system, "every dead key deleted")
    if not any(gone.values()):
        return Change.none(system, because=f"{len(gone)} keys are gone already")
    return Change.done(system, f"{sum(gone.values())} dead keys deleted", deleted=sorted(gone))


def _note(done: dict[str, Rotated]) -> str:
    strangers = sum(len(one.strangers) for one in done.values())
    also = f"; {strangers} keys that nobody knew were switched off" if strangers else ""
    new = sum(bool(one.new) for one in done.values())
    return f"{new} of {len(done)} keys rotated: every old one is refused by AWS, every new one works{also}"


def _dead(done: dict[str, Rotated]) -> list[str]:
    """Name what was switched off and is still there, `user/ID`: what delete_aws_keys takes at stand-down."""
    off = {f"{one.user}/{key}" for one in done.values() if one.new for key in (one.old, *one.strangers)}
    return sorted(off - {f"{one.user}/{key}" for one in done.values() for key in one.deleted})


def _report(done: dict[str, Rotated]) -> list[str]:
    """Say, key by key, what a person has to know: where the successor is kept, who else had a key."""
    lines = []
    for key, one in sorted(done.items()):
        if not one.new:
            lines.append(f"{key}: gone before we came")
            continue
        lines.append(f"{key}: refused; {one.new} is kept at {one.kept_at}")
        lines.extend(f"{key}: {found} was made by nobody we know; search CloudTrail for it" for found in one.strangers)
        lines.extend(f"{key}: {found} was deleted to make room" for found in one.deleted)
    return lines
