"""Hunt: what an intruder left behind, in every system that can tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from crisis.domain.change import Change
from crisis.domain.clock import utc_now, write_time
from crisis.domain.credential import Inventory
from crisis.domain.systems import Aws
from crisis.engine.action import attempt
from crisis.engine.look import observation
from crisis.engine.run import current_run
from tasks.hunt_aws import find_aws_ghosts
from tasks.inventory import take_inventory

_SHOWN = 300


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


@observation
def hunt(service: str, known: tuple[str, ...]) -> Findings:  # noqa: ARG001 - it names the look in the timeline
    """Find live credentials that are not among the known ones, and what differs from the baseline of each account."""
    run, now = current_run(), take_inventory()
    strangers = sorted(one.key for one in now.credentials if one.alive and not one.ours and one.key not in set(known))
    since = write_time(run.state().opened_at or utc_now())
    ghosts = list[str]()
    for name, system in run.protocol.systems.items():
        if isinstance(system, Aws):
            found = attempt(find_aws_ghosts, name, since)
            ghosts += [*found.trust, *found.differences, *found.traces] if found else [f"{name}: could not be searched"]
    return Findings(tuple(strangers), tuple(ghosts))


def known_keys(found: Inventory, ended: Iterable[Change]) -> tuple[str, ...]:
    """Return the keys of what was there before the breach, and of the successors that we made of it."""
    before = {one.key for one in found.credentials}
    made = {new for change in ended for new in change.facts.get("rotated", {}).values()}
    systems = {one.system for one in found.credentials if one.kind == "access key"}
    return tuple(sorted(before | {f"{system}/access key/{name}" for system in systems for name in made}))
