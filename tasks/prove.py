"""Prove: what was ended is dead, told by looking at everything once more."""

from collections.abc import Iterable
from dataclasses import dataclass

from crisis.domain.credential import Inventory, Scope
from crisis.domain.systems.third import KINDS
from crisis.engine.look import observation
from crisis.engine.run import current_run
from crisis.errors import UnprovenError
from tasks.contain import matching, session_systems
from tasks.invalidate_sessions import verify_sessions_ended
from tasks.inventory import take_inventory

_TELLING = frozenset({"access key", "token", "secret-id", "database master", "signing key", *KINDS})
"""
Kinds whose listing shows that one is dead. The others were proved by the action that ended them: their names live on,
as that of a user with a new password does, and the prefix of what an application borrows anew.
"""

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Dead:
    """How many credentials were to die, and how many are dead."""

    dead: int
    of: int

    @property
    def says(self) -> str:
        """The proof in one line."""
        return f"{self.dead} of {self.of} looked up once more: dead"


def prove_dead(
    service: str, found: Inventory, leaked: Iterable[str], scope: Scope, strangers: Iterable[str] = ()
) -> None:
    """
    Prove what a breach covers dead, strangers (by key) too, and sessions ended. UnprovenError names what lives.

    What could not be listed at the beginning either stood in the plan, and people decided with it; a new gap is none.
    """
    covered = [one for one in found.within(scope, matching(found, leaked)) if one.fate != "by hand"]
    known_gaps = tuple(sorted({_about(line) for line in found.unseen}))
    keys = {one.key for one in covered if one.kind in _TELLING}
    keys |= {key for key in strangers if scope == "everything" and key.split("/")[1] in _TELLING}
    verify_dead(service, tuple(sorted(keys)), known_gaps)
    for name in session_systems(current_run().protocol.systems):
        verify_sessions_ended(name)


@observation
def verify_dead(service: str, keys: tuple[str, ...], gaps: tuple[str, ...]) -> Dead:
    """Look that none of these credentials (by key) is alive any more, and that the listing has no gap but the known."""
    now = take_inventory()
    alive = {one.key for one in now.credentials if one.alive and one.fate != "by hand"}
    left = [key for key in keys if key in alive]
    missing = [line for line in now.unseen if _about(line) not in gaps]
    if left or missing:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        saw = f"alive: {', '.join(left[:_SHOWN])}{more}" if left else f"not all could be listed: {'; '.join(missing)}"
        raise UnprovenError(
            service, wanted=f"{len(keys)} dead credentials", saw=saw, then="end them, then run it again"
        )
    return Dead(len(keys), len(keys))


def _about(gap: str) -> str:
    """Return what a gap is about, system and listing, without what the vendor said this time."""
    return ": ".join(gap.split(": ")[:2])
