"""Instrument: one law, contract or policy, with the duties it knows, as a file in `crisis/law` says them."""

from datetime import date
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from crisis.domain.law.condition import Condition, names_in
from crisis.domain.law.period import Period
from crisis.domain.model import Name, Place, Strict, Text

__all__ = ["RECEIPT", "Certainty", "Duty", "Instrument", "Item", "Term"]

RECEIPT = "receipt:"
"""A term that `starts` with this and the id of a duty starts when that one was filed."""

Certainty = Literal["high", "medium", "low"]
"""high: the instrument or official text was read; medium: a good secondary source; low: sources conflict."""

Starts = Annotated[str, StringConstraints(pattern=r"^(receipt:)?[a-z][a-z0-9_-]{1,59}$")]


class Span(Strict):
    """From and to which day something is in force; `to` is its last day, None while it is open."""

    from_: date | None = Field(default=None, alias="from")
    to: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day <= self.to)


class Term(Strict):
    """
    By when: a period from a fact or a receipt.

    after            where the period starts only when the year ends in which the fact lies
    not_later_than   a second term that cuts the first short, unless the first starts after it has run out
    note             what a lawyer would add, such as an extension that is not used here
    """

    starts: Starts
    period: Period
    after: Literal["end of the year"] | None = None
    not_later_than: "Term | None" = None
    note: str = ""


class Item(Strict):
    """One thing that a notice must contain. `from_facts` names what fills it; without them people write it."""

    id: Name
    says: Text
    from_facts: tuple[Text, ...] = ()
    where: str = ""


class Exempt(Strict):
    """What takes a duty away, in words, and as a condition where facts can decide it."""

    says: Text
    when: Condition | None = None


class Duty(Strict):
    """Whom to tell of what, when, and by when."""

    id: Name
    title: Text
    article: Text
    to: Text
    kind: Literal["authority", "people", "public", "media", "customers", "controller", "record", "other"]
    phase: Literal["initial", "intermediate", "final", "notice"] = "notice"
    when: Condition
    promptly: bool = Field(default=True, description="also without undue delay, within any term")
    terms: tuple[Term, ...] = Field(default=(), description="the tightest counts; none: without undue delay alone")
    must_contain: tuple[Item, ...] = ()
    exempt: tuple[Exempt, ...] = ()
    late: str = Field(default="", description="what the law asks for when the notice comes late, such as reasons")
    may_be_held: bool = Field(default=False, description="law enforcement may ask to wait")
    in_force: Span = Span()
    certainty: Certainty | None = Field(default=None, description="where it differs from the instrument's")
    unsure: str = Field(default="", description="what is not certain, in words")


class Instrument(Strict):
    """One law, with its source, the day it was last checked, and how sure we are."""

    id: Name
    title: Text
    citation: Text
    place: Place
    zone: Text
    version: Text
    checked: date
    certainty: Certainty
    unsure: str = ""
    in_force: Span = Span()
    binds: Condition = Field(description="whom it binds")
    sources: tuple[Text, ...] = Field(min_length=1)
    notes: tuple[Text, ...] = ()
    duties: tuple[Duty, ...] = Field(min_length=1)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            msg = f"{zone!r} is no time zone of the IANA database"
            raise ValueError(msg) from None
        return zone

    @model_validator(mode="after")
    def _whole(self) -> Self:
        ids = [duty.id for duty in self.duties]
        versions = {(duty.id, duty.in_force.from_) for duty in self.duties}
        if len(versions) != len(ids):
            msg = f"{self.id}: a duty stands twice with the same day of coming into force"
            raise ValueError(msg)
        return self

    def asks_for(self) -> set[str]:
        """Return the names of all facts that decide whether and by when something is due."""
        found = names_in(self.binds)
        for duty in self.duties:
            found |= names_in(duty.when)
            found |= {name for one in duty.exempt if one.when is not None for name in names_in(one.when)}
            found |= {one.starts for one in _terms(duty) if not one.starts.startswith(RECEIPT)}
        return found

    def waits_for(self) -> set[str]:
        """Return the ids of the duties from whose receipts a term of this instrument starts."""
        every = [one.starts for duty in self.duties for one in _terms(duty)]
        return {one.removeprefix(RECEIPT) for one in every if one.startswith(RECEIPT)}


def _terms(duty: Duty) -> list[Term]:
    return [*duty.terms, *(one.not_later_than for one in duty.terms if one.not_later_than is not None)]


Term.model_rebuild()
