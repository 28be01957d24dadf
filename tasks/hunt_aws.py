"""Hunt at AWS: what an attacker left, told by what is not as the baseline has it and by what CloudTrail saw."""

import json
from dataclasses import dataclass
from datetime import datetime

from crisis.clients.aws import Account, baseline
from crisis.clients.aws.principals import CONTAINED, CUT_OFF
from crisis.clients.aws.regional import enabled_regions
from crisis.clients.aws.trail import Trail
from crisis.domain.clock import parse_time, utc_now
from crisis.engine.look import observation
from crisis.engine.run import current_run
from crisis.errors import ProtocolError, RefusedError, TransientError
from tasks.contain_aws import open_account

_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Ghosts:
    """What is there and should not be, one line each; `unseen` says where nobody could look."""

    differences: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person has to look into, one line each; what CloudTrail saw is one, for it may be long."""
        seen = f"{len(self.traces)} traces in CloudTrail: {'; '.join(self.traces)[:_SHOWN]}"
        gaps = (f"not looked at: {line}" for line in self.unseen)
        return (*self.trust, *self.differences, *((seen,) if self.traces else ()), *gaps)

    @property
    def says(self) -> str:
        """The finding in one line."""
        found = f"{len(self.differences)} differences from the baseline, {len(self.trust)} doubtful trusts, "
        found += f"{len(self.traces)} traces in CloudTrail"
        first = "; ".join((*self.trust, *self.differences))[:_SHOWN]
        gaps = f"; not looked at: {'; '.join(self.unseen)[:200]}" if self.unseen else ""
        return f"{found}{': ' + first if first else ''}{gaps}"


@dataclass(frozen=True, slots=True)
class Before:
    """The users that the baseline of an account knows; None where it is of no use."""

    users: frozenset[str] | None
    says: str

    def knows(self, holder: str) -> bool:
        """Whether a holder (`user/NAME`) was there before; without a baseline everybody counts as known."""
        kind, _, name = holder.partition("/")
        return self.users is None or kind != "user" or name in self.users


@observation
def look_at_baseline(system: str) -> Before:
    """Say which users the baseline of an account knows. One that is damaged, or of another account, knows nobody."""
    with open_account(system) as account:
        try:
            before = _baseline(system, account)
        except ProtocolError as error:
            return Before(None, str(error))
    if before is None:
        return Before(None, "no baseline: take one by `crisis baseline` while all is well")
    users = frozenset(before.get("users", {}))
    return Before(users, f"{len(users)} users were there before")


@observation
def find_aws_ghosts(system: str, since: str, known: tuple[str, ...]) -> Ghosts:
    """
    Find what is new, gone or changed since the baseline, who may assume roles, and what CloudTrail saw since.

    What we did ourselves is none of it: keys and passwords among the `known` credentials, denies of ours.
    """
    unseen, broken = list[str](), list[str]()
    with open_account(system) as account:
        try:
            before = _baseline(system, account)
        except ProtocolError as error:  # what else there is to see is looked at all the same
            before, broken = None, [str(error)]
        now = json.loads(json.dumps(baseline.take(account), default=str))
        accounts = frozenset(account.session.system.known_accounts)
        trust = baseline.doubtful_trust(now, account.number(), accounts)
        traces = _traces(account, parse_time(since), unseen)
    if before is None and not broken:
        unseen.append("no baseline: take one by `crisis baseline` while all is well")
    differ = baseline.differences(before, now) if before is not None else []
    found = [one.says for one in differ if not _is_ours(system, one, frozenset(known))]
    return Ghosts((*broken, *found), tuple(trust), tuple(traces), tuple(unseen))


def _baseline(system: str, account: Account) -> baseline.State | None:
    return baseline.read(baseline.file_of(current_run().settings.home, system), account.number())


def _is_ours(system: str, one: baseline.Difference, known: frozenset[str]) -> bool:
    kind, _, rest = one.what.partition(".")
    if kind == "keys":
        return f"{system}/access key/{rest.partition('.')[0]}" in known
    if kind == "users" and rest.endswith(".login"):
        return one.how == "changed" and f"{system}/login/{rest.removesuffix('.login')}" in known
    return rest.endswith((f".inline.{CONTAINED}", f".inline.{CUT_OFF}"))


def _traces(account: Account, since: datetime, unseen: list[str]) -> list[str]:
    trail, found = Trail(account.session), list[str]()
    for region in account.session.system.regions or enabled_regions(account):
        try:
            found.extend(one.says for one in trail.traces(region, since, utc_now()))
        except (RefusedError, TransientError) as error:
            unseen.append(f"CloudTrail in {region}: {error}")
    return sorted(found)
