"""Hunt: what an intruder left behind, in every system that can tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from crisis.domain.change import Change
from crisis.domain.clock import utc_now, write_time
from crisis.domain.credential import Credential, Inventory, Scope
from crisis.domain.systems import Aws
from crisis.engine.action import action, attempt
from crisis.engine.run import current_run
from tasks.checklist import open_task_for_ghost
from tasks.contain import first_decision_maker
from tasks.hunt_aws import find_aws_ghosts
from tasks.inventory import take_inventory
from tasks.inventory_aws import find_stragglers

_SHOWN = 300
_BEFORE = timedelta(days=1)
"""How long before we heard of it an intruder may have begun."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Credentials that nobody knew before the breach, by key, and whatever else looks wrong, one line each."""

    strangers: tuple[str, ...] = ()
    ghosts: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """The finding in one line."""
        found = f"{len(self.strangers)} live credentials that were not there before, {len(self.ghosts)} other traces"
        first = "; ".join((*self.strangers, *self.ghosts))[:_SHOWN]
        return f"{found}: {first}" if first else found


@action(kind="inform", needs=("crisis:journal",), undo="none")
def hunt(service: str, known: tuple[str, ...]) -> Change:
    """
    Find live credentials that are not among the known ones, and what differs from the baseline of each account.

    What was found is kept on record: what is ended after it has successors that nobody could know at that time.

    Again  takes the findings on record; a run that is tried again hunts anew.
    Undo   none.
    Fails  RefusedError or TransientError when a system cannot be listed.
    """
    run, now, ours = current_run(), take_inventory(), frozenset(known)
    strangers = sorted(one.key for one in now.credentials if one.alive and not one.ours and not _is_known(one, ours))
    since = write_time((run.state().opened_at or utc_now()) - _BEFORE)
    ghosts = list[str]()
    for name, system in run.protocol.systems.items():
        if isinstance(system, Aws):
            seen = attempt(find_aws_ghosts, name, since, known)
            ghosts += [f"{name}: {line}" for line in (seen.lines if seen else ("it could not be searched",))]
    found = Findings(tuple(strangers), tuple(ghosts))
    return Change.done(service, found.says, strangers=strangers, ghosts=ghosts)


def findings_of(hunted: Change) -> Findings:
    """Read what a hunt has found."""
    return Findings(tuple(hunted.facts["strangers"]), tuple(hunted.facts["ghosts"]))


def known_keys(found: Inventory, ended: Iterable[Change]) -> tuple[str, ...]:
    """
    Return the keys of what lived before the breach, and of the successors that we made of it.

    What was switched off then is none of it: whoever has switched it on again since is no friend.
    """
    before = {one.key for one in found.credentials if one.alive}
    return tuple(sorted(before | successors(ended) | {f"/secret/{name}" for name in _stores(ended)}))


def successors(ended: Iterable[Change]) -> set[str]:
    """Return the keys of the credentials that took the place of those which were ended."""
    return {str(key) for change in ended for key in change.facts.get("successors", ())}


def look_for_stragglers(ended: Iterable[Change]) -> None:
    """Look who has gone on presenting a key that was replaced: the timeline names consumers without the new one."""
    turns = [entry.time for entry in current_run().entries() if entry.body.get("action") == "rotate_aws_keys"]
    for change in ended:
        keys = tuple(sorted(change.facts.get("rotated", ())))
        if keys and any("/access key/" in str(key) for key in change.facts.get("successors", ())):
            attempt(find_stragglers, change.target, keys, write_time(turns[-1]))


def _stores(ended: Iterable[Change]) -> set[str]:
    return {str(name) for change in ended for name in change.facts.get("kept_at", ())}


def _is_known(one: Credential, known: frozenset[str]) -> bool:
    """Whether a credential was there before, or is ours: AWS adds six characters to the name of a secret."""
    name = one.name.rpartition(":secret:")[2].rpartition("-")[0]
    return one.key in known or (one.kind == "secret" and f"/secret/{name}" in known)


def open_tasks_for_ghosts(left: Findings, scope: Scope) -> None:
    """
    Put what an intruder may have left before a person: only somebody who knows the system can judge it.

    Credentials that nobody knew are among it where the scope is too narrow to end them.
    """
    strangers = [] if scope == "everything" else [key.replace("/", ": ", 1) for key in left.strangers]
    for ghost in (*strangers, *left.ghosts):
        system, _, what = ghost.partition(": ")
        attempt(open_task_for_ghost, system, what, first_decision_maker())
