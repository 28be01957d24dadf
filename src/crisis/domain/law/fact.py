"""
Fact: what people have stated about an incident for the law, each with time, zone, author and evidence.

Nothing here is derived from an alert. Two people may state different things: both stand until one is withdrawn; the
earliest of two moments counts, and of two other values neither.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from crisis.domain.clock import parse_time
from crisis.domain.entry import Entry
from crisis.domain.law.place import lies_in
from crisis.domain.model import Strict, Text
from crisis.domain.seal import is_sealed, seal

__all__ = [
    "ELSEWHERE",
    "NEVER",
    "STATED",
    "WITHDRAWN",
    "FactKind",
    "Facts",
    "Number",
    "Statement",
    "fold_facts",
    "is_ours",
    "say_value",
    "sealed",
]

STATED = "fact stated"
"""The kind of the entry by which a person states a fact."""

WITHDRAWN = "fact withdrawn"
"""The kind of the entry by which a person takes a statement back."""

NEVER = "never"
"""The value of a moment that did not come: no ransom was paid."""

ELSEWHERE = "elsewhere"
"""In a number of people by place: everywhere that is not named."""

FactName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]


class Number(Strict):
    """How many, as far as it is known: between `least` and `most`; `most` is None where nobody knows a bound."""

    least: int = Field(default=0, ge=0)
    most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.most is not None and self.most < self.least:
            msg = f"{self.least} is more than {self.most}"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        """Say it: `1200`, `1000 to 1200`, `at least 1000`, `unknown`."""
        if self.most is None:
            return f"at least {self.least}" if self.least else "unknown"
        return str(self.least) if self.most == self.least else f"{self.least} to {self.most}"

    def __add__(self, other: "Number") -> "Number":
        """Add two numbers of which each is known within bounds."""
        most = None if self.most is None or other.most is None else self.most + other.most
        return Number(least=self.least + other.least, most=most)


class FactKind(Strict):
    """
    One fact that the law asks for: what kind of value it has, and the question as people are asked it.

    `pessimistic` names the moment that counts as the start while this one is not stated, in a clock shown beside.
    """

    name: FactName
    kind: Literal["moment", "answer", "choice", "choices", "number", "people", "text"]
    asks: Text
    choices: tuple[str, ...] = ()
    pessimistic: FactName | None = None
    source: str = ""

    @model_validator(mode="after")
    def _choices_where_needed(self) -> Self:
        if bool(self.choices) != (self.kind in ("choice", "choices")):
            msg = f"{self.name}: a choice lists its choices, and nothing else does"
            raise ValueError(msg)
        return self


class Statement(Strict):
    """What one person said about one fact, and when; withdrawn or replaced, it stays on record and counts no more."""

    number: int
    fact: FactName
    value: Any
    by: Text
    stated: AwareDatetime
    zone: str = "UTC"
    evidence: str = ""
    counts: bool = True

    @property
    def moment(self) -> datetime:
        """The value of a fact that is a moment, in UTC."""
        return parse_time(str(self.value))


class Facts(Strict):
    """All that was stated in an incident, in the order in which it was said."""

    statements: tuple[Statement, ...] = ()

    def of(self, fact: str) -> tuple[Statement, ...]:
        """Return the statements about a fact that count."""
        return tuple(one for one in self.statements if one.fact == fact and one.counts)

    def contradictions(self) -> tuple[str, ...]:
        """Return the facts about which different people say different things."""
        names = dict.fromkeys(one.fact for one in self.statements)
        return tuple(name for name in names if len({_plain(one.value) for one in self.of(name)}) > 1)

    def moment(self, fact: str) -> datetime | None:
        """Return a moment; of several the earliest, because its clock is the tightest."""
        return min((one.moment for one in self.of(fact) if one.value != NEVER), default=None)

    def value(self, fact: str) -> Any:
        """Return what is stated; None where nothing is, or where people contradict each other."""
        said = self.of(fact)
        return said[-1].value if said and len({_plain(one.value) for one in said}) == 1 else None

    def people(self, place: str = "") -> Number:
        """
        Return how many people are affected in a place and all that lies in it; everywhere without a place.

        Where people contradict each other, it is between the least and the most that anybody says.
        """
        said = [_people_in(one.value, place) for one in self.of("people")]
        if not said:
            return Number()
        most = [one.most for one in said]
        highest = None if None in most else max(one for one in most if one is not None)
        return Number(least=min(one.least for one in said), most=highest)

    def places(self) -> tuple[str, ...]:
        """Return the places that anybody has named, where the number of people is not said to be zero."""
        every = {
            place: Number.model_validate(number) for one in self.of("people") for place, number in one.value.items()
        }
        return tuple(place for place, number in every.items() if place != ELSEWHERE and number.most != 0)


def _people_in(by_place: Mapping[str, Any], place: str) -> Number:
    known = {name: Number.model_validate(number) for name, number in by_place.items()}
    inside = sum(
        (number for name, number in known.items() if not place or (name != ELSEWHERE and lies_in(name, place))),
        start=Number(most=0),
    )
    if place in known or (not place and ELSEWHERE in known):
        return inside
    # Of 600 in the US, any number may be in California: a whole that was named says that much of its parts.
    around = [number for name, number in known.items() if place and name != ELSEWHERE and lies_in(place, name)]
    if around:
        return inside + sum((Number(most=one.most) for one in around), start=Number(most=0))
    return inside + known.get(ELSEWHERE, Number())


def fold_facts(entries: Iterable[Entry], key: bytes | None = None) -> Facts:
    """Read what was stated out of an incident's entries; with `key`, the signing key, only what we have sealed."""
    found = list[Statement]()
    for entry in entries:
        if entry.kind == STATED and is_ours(entry, key):
            about = {name: entry.body[name] for name in ("fact", "value", "zone", "evidence")}
            before = [one.model_copy(update={"counts": False}) if _replaces(entry, one) else one for one in found]
            found = [*before, Statement(number=entry.seq, by=entry.actor, stated=entry.time, **about)]
        elif entry.kind == WITHDRAWN and is_ours(entry, key):
            gone = entry.body["number"]
            found = [one.model_copy(update={"counts": False}) if one.number == gone else one for one in found]
    return Facts(statements=tuple(found))


def sealed(kind: str, incident: str, who: str, body: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """Return the body of an entry by which a person states or withdraws; the seal binds person, incident and words."""
    return {**body, "seal": seal(key, kind, {**body, "incident": incident, "who": who})}


def is_ours(entry: Entry, key: bytes | None) -> bool:
    """Whether we have sealed an entry by which a person says something; without `key` nobody asks."""
    said = {name: value for name, value in entry.body.items() if name != "seal"}
    bound = {**said, "incident": entry.incident, "who": entry.actor}
    return key is None or is_sealed(key, entry.kind, bound, str(entry.body.get("seal", "")))


def say_value(value: Any, zone: str = "UTC") -> str:
    """Say what was stated: a moment as the clock showed in a zone, numbers with their bounds."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping) and set(value) == {"least", "most"}:
        return str(Number.model_validate(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{place} {Number.model_validate(number)}" for place, number in value.items())
    try:
        return f"{parse_time(str(value)).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        return str(value)


def _replaces(entry: Entry, before: Statement) -> bool:
    """Whether the same person says something else about the same fact."""
    return (before.fact, before.by) == (entry.body["fact"], entry.actor)


def _plain(value: Any) -> str:
    return repr(sorted(value.items()) if isinstance(value, Mapping) else value)
