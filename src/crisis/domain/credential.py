"""Credential: what opens a door, by its public name. The secret itself is never part of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime

from crisis.domain.model import Strict

__all__ = ["Credential", "Fate", "Inventory", "Scope"]

Scope = Literal["credential", "principal", "reach", "everything"]
"""How far a breach goes: one leaked credential, all of its holder's, all that those open, or all there are."""

Fate = Literal["rotate", "revoke", "disable", "by hand"]
"""
How a credential dies.

rotate   a successor takes its place first, because something needs it
revoke   it is ended, and nothing takes its place
disable  it is switched off, to be deleted at stand-down
by hand  there is no API for it: a person does it and says what proves it
"""


class Credential(Strict):
    """
    One credential as its system lists it.

    `name` is what its system calls it in public: an access key id, an accessor, a path; never the secret. `holder` is
    the principal it speaks for, `used_by` who is known to need it, `reach` what it opens: keys of other credentials.
    `ours` is what this very program works with: it goes last, by a person, or nothing more can be done.
    """

    system: str
    kind: str
    name: str
    holder: str = ""
    fate: Fate
    created: AwareDatetime | None = None
    last_used: AwareDatetime | None = None
    used_by: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    alive: bool = True
    ours: bool = False
    note: str = ""

    @property
    def key(self) -> str:
        """Names it among all credentials: `system/kind/name`."""
        return f"{self.system}/{self.kind}/{self.name}"


class Inventory(Strict):
    """
    The credentials of some systems at a moment.

    `unseen` says what could not be listed and why, one line each: an inventory with gaps must never look whole.
    """

    taken_at: AwareDatetime
    credentials: tuple[Credential, ...] = ()
    unseen: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Self], taken_at: datetime) -> Self:
        """Put the inventories of several systems together."""
        listed = list(parts)
        return cls(
            taken_at=taken_at,
            credentials=tuple(one for part in listed for one in part.credentials),
            unseen=tuple(line for part in listed for line in part.unseen),
        )

    def since(self, earlier: Self) -> Self:
        """Return it with what an earlier inventory saw: what we have stopped since lived then, and is to be ended."""
        known = {one.key: one for one in earlier.credentials}
        listed = [
            one.model_copy(update={"alive": one.alive or (one.key in known and known.pop(one.key).alive)})
            for one in self.credentials
        ]
        gone = [one for one in known.values() if one.key not in {one.key for one in listed}]
        return self.model_copy(update={"credentials": (*listed, *gone)})

    @property
    def says(self) -> str:
        """What was found, in one line."""
        systems = {one.system for one in self.credentials}
        alive = sum(one.alive for one in self.credentials)
        gaps = f"; {len(self.unseen)} could not be listed: {'; '.join(self.unseen)[:200]}" if self.unseen else ""
        return f"{alive} live credentials in {len(systems)} systems{gaps}"

    def within(self, scope: Scope, leaked: Iterable[str]) -> tuple[Credential, ...]:
        """Return the live credentials that a breach of these (by `key`) covers, without those that we work with."""
        alive = [one for one in self.credentials if one.alive and not one.ours]
        known = set(leaked)
        if scope == "everything":
            return tuple(alive)
        mine = [one for one in self.credentials if one.key in known]
        if scope != "credential":
            holders = {(one.system, one.holder) for one in mine if one.holder}
            known |= {one.key for one in alive if (one.system, one.holder) in holders}
        if scope == "reach":
            known |= self._reached(known)
        return tuple(one for one in alive if one.key in known)

    def _reached(self, known: set[str]) -> set[str]:
        """Return what these open, and what that opens, to the end."""
        by_key = {one.key: one for one in self.credentials}
        found, open_still = set[str](), list(known)
        while open_still:
            one = by_key.get(open_still.pop())
            for key in one.reach if one is not None else ():
                if key not in found:
                    found.add(key)
                    open_still.append(key)
        return found
