"""Inventory at AWS: which credentials there are, and who is still using one that is dead."""

from dataclasses import dataclass

from crisis.clients.aws import inventory
from crisis.clients.aws.batch import each_key
from crisis.clients.aws.keys import LastUse
from crisis.domain.clock import parse_time, utc_now
from crisis.domain.credential import Inventory
from crisis.engine.look import observation
from tasks.contain_aws import open_account


@dataclass(frozen=True, slots=True)
class Stragglers:
    """Consumers that go on presenting a dead key, one line each."""

    lines: tuple[str, ...]
    keys: int

    @property
    def says(self) -> str:
        """The finding in one line."""
        if not self.lines:
            return f"nobody presented any of {self.keys} dead keys since; CloudTrail may say so later"
        return f"{len(self.lines)} of {self.keys} dead keys are still presented: {'; '.join(self.lines)[:300]}"


@observation
def list_aws_credentials(system: str) -> Inventory:
    """List every credential of an AWS account, in every region, with its gaps."""
    with open_account(system) as account:
        return _named(inventory.take(account, system), system)


@observation
def find_aws_holders(system: str, keys: tuple[str, ...]) -> Inventory:
    """List what the holders of these access keys (ids) hold: a few calls, and not the whole account."""
    with open_account(system) as account:
        parts = [inventory.of_holder(account, system, one) for one in keys]
    return Inventory.of(parts, utc_now())


def _named(found: Inventory, system: str) -> Inventory:
    """Say of each gap in which account it is."""
    return found.model_copy(update={"unseen": tuple(f"{system}: {line}" for line in found.unseen)})


@observation
def find_stragglers(system: str, keys: tuple[str, ...], since: str) -> Stragglers:
    """Find who still presents a dead key (`user/ID`) after a moment (ISO time): AWS notes refused calls too."""
    moment = parse_time(since)
    with open_account(system) as account:
        uses = each_key(keys, lambda _, key_id: account.keys.last_use(key_id)).insist(system, "the last use of each")
    late = {key: use for key, use in uses.items() if use.at is not None and use.at > moment}
    return Stragglers(tuple(_line(key, use) for key, use in sorted(late.items())), len(uses))


def _line(key: str, use: LastUse) -> str:
    where = " ".join(one for one in (use.service, use.region) if one not in ("", "N/A"))
    return f"{key} was presented at {use.at:%H:%M:%S} UTC to {where or 'AWS'}: its consumer has not taken the new one"
