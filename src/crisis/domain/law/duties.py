"""Duties: which laws ask to tell whom, as a reasoned table: applies, does not, or unclear and what is missing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from crisis.domain.law.condition import AllOf, Claim, Judgement, Verdict, judge, places_in
from crisis.domain.law.fact import NEVER, FactKind, Facts, Number, Statement
from crisis.domain.law.instrument import Duty, Instrument
from crisis.domain.law.place import lies_in
from crisis.domain.law.receipt import Receipt
from crisis.domain.model import Strict
from crisis.domain.protocol import Law

__all__ = ["Case", "Ruling", "judge_duties", "unknown_places"]

_EVERYWHERE = frozenset({"controller", "processor"})
"""Roles that follow from holding people's data, wherever the company sits."""

_NO_DAY = date.max


@dataclass(frozen=True)
class Case:
    """What is known of an incident and of the company: all that the law is applied to. `opened` is in UTC."""

    opened: datetime
    facts: Facts
    company: Law
    kinds: Mapping[str, FactKind]
    receipts: Mapping[str, Receipt] = field(default_factory=dict)

    def is_near(self, place: str) -> bool:
        """Whether the company says that it is bound in a place, in a part of it, or in all of what it lies in."""
        return any(lies_in(one, place) or lies_in(place, one) for one in self.company.jurisdictions)

    def may_reach(self, place: str) -> bool:
        """Whether the company is bound near a place, or anybody has said that people there may be affected."""
        return self.is_near(place) or any(lies_in(one, place) or lies_in(place, one) for one in self.facts.places())

    @property
    def is_none(self) -> bool:
        """Whether counsel has stated that there was no breach at all; where there is no counsel, anybody."""
        said = self._by_counsel("is_none")
        return bool(said) and all(one.value is True for one in said)

    @property
    def hold(self) -> datetime | None:
        """Until when law enforcement has asked to wait, as counsel states it; where there is no counsel, anybody."""
        return min((one.moment for one in self._by_counsel("law_enforcement_hold") if one.value != NEVER), default=None)

    def _by_counsel(self, fact: str) -> list[Statement]:
        counsel = self.company.counsel
        return [one for one in self.facts.of(fact) if not counsel or one.by in counsel]


class Ruling(Strict):
    """Whether one duty applies, why, and what would decide it. It is a reading for counsel, who decides."""

    instrument: Instrument
    duty: Duty
    verdict: Verdict
    because: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_remote: bool = False
    """Whether nothing speaks for it but that nobody has said where the people are who are affected."""


def judge_duties(law: Iterable[Instrument], case: Case, now: datetime) -> list[Ruling]:
    """Apply every duty to a case; where a rule has changed since the incident began, both versions are there."""
    return [ruling for instrument in law for ruling in _of_instrument(instrument, case, now)]


def unknown_places(law: Iterable[Instrument], case: Case) -> tuple[str, ...]:
    """Return the places with people affected that no instrument here knows: counsel must be asked about them."""
    known = {place for instrument in law for place in places_in(instrument.binds)}
    return tuple(one for one in case.facts.places() if not any(lies_in(one, place) for place in known))


def _of_instrument(instrument: Instrument, case: Case, now: datetime) -> Iterator[Ruling]:
    zone = ZoneInfo(instrument.zone)
    then, today = case.opened.astimezone(zone).date(), now.astimezone(zone).date()
    for versions in _versions(instrument).values():
        held = [one for one in versions if _in_force(instrument, one, then)]
        holds = [one for one in versions if _in_force(instrument, one, today)]
        if not held + holds:
            # The next to come, or the last that there was: the table says so rather than leaving it out.
            yield _not_in_force(instrument, versions[-1])
            continue
        for one in dict.fromkeys(held + holds):
            ruling = _rule(instrument, one, case)
            yield ruling if held == holds else _changed(ruling, was=one in held and one not in holds)


def _versions(instrument: Instrument) -> dict[str, list[Duty]]:
    found = dict[str, list[Duty]]()
    for duty in sorted(instrument.duties, key=lambda one: one.in_force.from_ or date.min):
        found.setdefault(duty.id, []).append(duty)
    order = {duty.id: None for duty in instrument.duties}
    return {name: found[name] for name in order}


def _in_force(instrument: Instrument, duty: Duty, day: date) -> bool:
    return instrument.in_force.holds_on(day) and duty.in_force.holds_on(day)


def _not_in_force(instrument: Instrument, duty: Duty) -> Ruling:
    dates = [one for one in (instrument.in_force.from_, duty.in_force.from_) if one is not None]
    known = bool(dates) and max(dates) != _NO_DAY
    says = f"not in force before {max(dates)}" if known else "not in force, and no day is known"
    notes = tuple(one for one in (instrument.unsure, duty.unsure) if one)
    return Ruling(instrument=instrument, duty=duty, verdict="no", because=(says,), notes=notes)


def _changed(ruling: Ruling, *, was: bool) -> Ruling:
    says = "in force when the incident began, changed since" if was else "in force since after the incident began"
    return ruling.model_copy(update={"notes": (f"{says}: counsel says which one counts", *ruling.notes)})


def _rule(instrument: Instrument, duty: Duty, case: Case) -> Ruling:
    if case.is_none:
        notes_then = ("a notice was filed: withdraw it",) if duty.id in case.receipts else ()
        because_then = ("counsel stated that there was no breach",)
        return Ruling(instrument=instrument, duty=duty, verdict="no", because=because_then, notes=notes_then)
    holds = _knowledge(case, instrument.place)
    bound = judge(instrument.binds, holds)
    found = judge(AllOf(all_of=(instrument.binds, duty.when)), holds)
    notes = [one for one in (instrument.unsure, duty.unsure) if one]
    verdict: Verdict = found.verdict
    because = found.because
    for exempt in duty.exempt if verdict != "no" else ():
        free = judge(exempt.when, holds) if exempt.when is not None else Judgement(verdict="unclear")
        if free.verdict == "yes":
            verdict, because = "no", (f"exempt: {exempt.says}", *free.because)
        elif free.verdict == "unclear":
            open_ones = f" ({'; '.join(free.missing)})" if free.missing else ""
            notes.append(f"not shown, so not counted: {exempt.says}{open_ones}")
    return Ruling(
        instrument=instrument,
        duty=duty,
        verdict=verdict,
        because=because,
        missing=found.missing if verdict == "unclear" else (),
        notes=tuple(notes),
        is_remote=verdict == "unclear" and bound.verdict == "unclear" and not case.may_reach(instrument.place),
    )


def _knowledge(case: Case, place: str) -> Callable[[Claim], Judgement]:
    """Return what is known of a claim in an instrument of a place."""
    special = {"jurisdiction": _jurisdiction, "people": _people}

    def holds(claim: Claim) -> Judgement:
        return _role(claim, case, place) if claim.fact == "role" else special.get(claim.fact, _stated)(claim, case)

    return holds


def _role(claim: Claim, case: Case, place: str) -> Judgement:
    wanted = claim.one_of or (str(claim.is_),)
    has = [one for one in wanted if one in case.company.roles]
    if has:
        return Judgement(verdict="yes", because=(f"the company is: {', '.join(has)}",))
    unsaid = [one for one in wanted if one not in case.company.not_roles]
    everywhere = [one for one in wanted if one in _EVERYWHERE]
    if unsaid and not everywhere and not case.is_near(place):
        says = f"the company is not bound in {place}, and does not say that it is: {', '.join(wanted)}"
        return Judgement(verdict="no", because=(says,))
    if unsaid:
        return Judgement(verdict="unclear", missing=tuple(f"is the company a {one}?" for one in unsaid))
    return Judgement(verdict="no", because=(f"the company is not: {', '.join(wanted)}",))


def _jurisdiction(claim: Claim, case: Case) -> Judgement:
    place = str(claim.is_)
    if any(lies_in(one, place) for one in case.company.jurisdictions):
        return Judgement(verdict="yes", because=(f"the company is bound in {place}",))
    return Judgement(verdict="no", because=(f"the company is not bound in {place}",))


def _people(claim: Claim, case: Case) -> Judgement:
    return _compare(claim, case.facts.people(claim.place or ""))


def _stated(claim: Claim, case: Case) -> Judgement:
    kind, said = case.kinds[claim.fact], case.facts.of(claim.fact)
    if not said:
        return Judgement(verdict="unclear", missing=(kind.asks,))
    if kind.kind == "moment" and any(one.value != NEVER for one in said):
        return Judgement(verdict="yes", because=(f"{kind.name.replace('_', ' ')} is stated",))
    if kind.kind == "moment":
        return Judgement(verdict="no", because=(f"{kind.name.replace('_', ' ')}: never",))
    value = case.facts.value(claim.fact)
    if value is None:
        says = "; ".join(f"{one.by} says {one.value}" for one in said)
        return Judgement(verdict="unclear", missing=(f"{kind.asks} ({says})",))
    if kind.kind == "number":
        return _compare(claim, Number.model_validate(value))
    wanted = claim.one_of if claim.one_of is not None else (claim.is_,)
    met = any(one in wanted for one in value) if isinstance(value, list) else value in wanted
    shown = ", ".join(value) if isinstance(value, list) else {True: "yes", False: "no"}.get(value, value)
    return Judgement(verdict="yes" if met else "no", because=(f"{kind.name.replace('_', ' ')}: {shown}",))


def _compare(claim: Claim, number: Number) -> Judgement:
    least = claim.at_least if claim.at_least is not None else (claim.more_than or 0) + 1
    place = f" in {claim.place}" if claim.place else ""
    if number.least >= least:
        return Judgement(verdict="yes", because=(f"{claim.fact.replace('_', ' ')}{place}: {number}",))
    if number.most is not None and number.most < least:
        return Judgement(verdict="no", because=(f"{claim.fact.replace('_', ' ')}{place}: {number}",))
    return Judgement(verdict="unclear", missing=(f"{claim.fact.replace('_', ' ')}{place}: {least} or more?",))
