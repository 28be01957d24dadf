"""Worked deadlines: a table that was counted by hand from the text of the law, for every rule that has a number."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from crisis.domain.law.clocks import Clock, run_clocks
from crisis.domain.law.condition import Verdict
from crisis.domain.law.duties import Case, Ruling, judge_duties
from crisis.domain.law.fact import FactKind
from crisis.domain.law.instrument import Duty, Instrument
from crisis.domain.model import Strict, Text
from crisis.domain.protocol import Law
from crisis.law import calendar_of
from tests.law.cases import LIBRARY, at, case

NOBODY_KNOWS = date.max
"""From when a law is in force of which nobody knows the day: it can have no worked deadline."""


class Row(Strict):
    """One worked deadline, as `deadlines.yaml` explains it. Moments stay text: their offset is part of the answer."""

    duty: Text
    says: Text
    company: Law
    opened: Text
    facts: Mapping[str, Any]
    filed: Mapping[str, str] = {}
    due: str | None
    pessimistic: str | None = None
    latest: str | None = None
    verdict: Verdict = "yes"
    why: Text
    source: Text

    @property
    def case(self) -> Case:
        """What is known in it."""
        said = {name: _value(LIBRARY.kinds[name], value) for name, value in self.facts.items()}
        return case(self.company, opened=at(self.opened), filed=dict(self.filed), **said)

    @property
    def ruling(self) -> Ruling:
        """What is ruled at the moment at which the incident begins, when one version of each rule is in force."""
        law = [one for one in LIBRARY.instruments if self.duty in {duty.id for duty in one.duties}]
        (found,) = (one for one in judge_duties(law, self.case, at(self.opened)) if one.duty.id == self.duty)
        return found

    @property
    def clock(self) -> Clock | None:
        """The duty's clock; None where it has none."""
        found = run_clocks([self.ruling], self.case, at(self.opened), calendar_of)
        return found[0] if found else None

    def odd_choices(self) -> set[str]:
        """Return the choices that facts.yaml does not offer."""
        choices = {name: LIBRARY.kinds[name].choices for name in self.facts}
        made = {name: self.facts[name] for name in self.facts if choices[name]}
        return {one for name, given in made.items() for one in _listed(given) if one not in choices[name]}


def _value(kind: FactKind, value: Any) -> Any:
    return at(str(value)) if kind.kind == "moment" else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _rows() -> list[Row]:
    data = YAML(typ="safe").load(Path(__file__).with_name("deadlines.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(list[Row]).validate_python(data)


def _each(rows: Iterable[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.duty}: {row.says}") for row in rows])


ROWS = _rows()
each_row = _each(ROWS)
each_dated_row = _each(row for row in ROWS if row.due or row.pessimistic)
each_row_with_a_later_law = _each(row for row in ROWS if row.latest)


def _moment(text: str | None) -> datetime | None:
    return at(text) if text is not None else None


def _versions() -> Iterator[tuple[Instrument, Duty]]:
    yield from ((instrument, duty) for instrument in LIBRARY.instruments for duty in instrument.duties)


@each_row
def test_a_duty_applies_as_the_table_says(row: Row) -> None:
    """Yes, no or unclear, by the version that was in force when the incident began."""
    assert row.verdict == row.ruling.verdict


@each_row
def test_a_deadline_is_the_one_that_was_counted_by_hand(row: Row) -> None:
    """To the minute, and beside it the one that counts from the first sign, where the table has that."""
    clock = row.clock

    assert _moment(row.due) == (clock.due if clock else None)
    if row.pessimistic is not None or row.due is None:
        assert _moment(row.pessimistic) == (clock.pessimistic if clock else None)


@each_dated_row
def test_a_deadline_is_told_in_the_recipients_time(row: Row) -> None:
    """Also on the day on which that time changes: the offset in the table is that of the instrument's zone."""
    zone = ZoneInfo(row.ruling.instrument.zone)
    written = [at(one) for one in (row.due, row.pessimistic, row.latest) if one is not None]

    assert [one.utcoffset() for one in written] == [one.astimezone(zone).utcoffset() for one in written]


@each_row_with_a_later_law
def test_a_deadline_is_never_later_than_the_law(row: Row) -> None:
    """Where the law would move it to a working day, or may be read more kindly, ours is the earlier one."""
    clock, latest = row.clock, _moment(row.latest)

    assert clock is not None
    assert clock.due is not None
    assert latest is not None
    assert clock.due < latest


def test_rows_state_what_somebody_could_state() -> None:
    """A choice is one that facts.yaml offers, and what was filed is a duty that there is."""
    filed = {duty for row in ROWS for duty in row.filed}

    assert {(row.duty, one) for row in ROWS for one in row.odd_choices()} == set()
    assert filed - {duty.id for _, duty in _versions()} == set()


def test_there_are_many_rows_and_no_two_have_the_same_name() -> None:
    """At least seventy."""
    assert len(ROWS) >= 70
    assert len({(row.duty, row.says) for row in ROWS}) == len(ROWS)


def test_every_instrument_has_a_row() -> None:
    """A new file of law needs one."""
    assert {one.id for one in LIBRARY.instruments} - {row.ruling.instrument.id for row in ROWS} == set()


def test_every_version_of_a_duty_with_a_term_has_a_row() -> None:
    """A new rule, or a change of one, needs a deadline that somebody has worked out."""
    worked = {(row.duty, row.ruling.duty.in_force.from_) for row in ROWS}
    wanted = {(duty.id, duty.in_force.from_) for _, duty in _versions() if duty.terms}

    assert wanted - worked == set()


def test_every_term_decides_the_deadline_of_a_row() -> None:
    """So that none of them was only ever the later one; a law with no known day of coming into force has none."""
    clocks = [(row, row.clock) for row in ROWS]
    worked = {(row.duty, row.ruling.duty.in_force.from_, clock.starts) for row, clock in clocks if clock and clock.due}
    known = [(law, duty) for law, duty in _versions() if law.in_force.from_ != NOBODY_KNOWS]
    wanted = {(duty.id, duty.in_force.from_, term.starts) for _, duty in known for term in duty.terms}

    assert wanted - worked == set()
