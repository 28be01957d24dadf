"""Rulings and clocks of the law that comes with crisis, on facts that contradict, are missing, late or withdrawn."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from crisis.domain.law.clocks import Clock, run_clocks
from crisis.domain.law.duties import Case, Ruling, judge_duties, unknown_places
from crisis.domain.law.fact import Facts
from crisis.domain.law.instrument import Span
from crisis.domain.protocol import Law
from crisis.law import calendar_of
from tests.law.cases import LIBRARY, OPENED, at, case, facts

CONTROLLER = Law(jurisdictions=("EU",), roles=("controller",), not_roles=("processor",))
NOW = OPENED + timedelta(hours=10)
SURE: dict[str, Any] = {"personal_data": True, "risk": "high", "people": {"DE": (10, 20), "elsewhere": (0, 0)}}


def ruling(found: Case, duty: str, now: datetime = NOW) -> Ruling:
    """Return what is ruled of a duty."""
    return next(one for one in judge_duties(LIBRARY.instruments, found, now) if one.duty.id == duty)


def clock(found: Case, duty: str, now: datetime = NOW) -> Clock:
    """Return the clock of a duty."""
    rulings = judge_duties(LIBRARY.instruments, found, now)
    return next(one for one in run_clocks(rulings, found, now, calendar_of) if one.ruling.duty.id == duty)


def test_a_duty_applies_with_its_reasons() -> None:
    """Each claim that was needed stands in it."""
    found = ruling(case(CONTROLLER, **SURE), "eu-gdpr-33")

    assert found.verdict == "yes"
    assert "risk: high" in found.because
    assert "the company is: controller" in found.because


def test_what_is_missing_is_asked_in_words() -> None:
    """Unclear, with the question that a person can answer."""
    found = ruling(case(CONTROLLER, personal_data=True), "eu-gdpr-33")

    assert found.verdict == "unclear"
    assert found.missing == ("How likely is a risk to the people whose data it is?",)


def test_a_role_that_nobody_has_named_leaves_it_unclear() -> None:
    """Silence in protocol.yaml is no answer."""
    found = ruling(case(Law(jurisdictions=("EU",)), **SURE), "eu-gdpr-33")

    assert (found.verdict, found.missing) == ("unclear", ("is the company a controller?",))


def test_an_exemption_frees_only_when_it_is_shown() -> None:
    """Encrypted data needs no message to the people; where nobody knows, it does."""
    shown, unknown = case(CONTROLLER, **SURE, encrypted=True), case(CONTROLLER, **SURE)

    assert ruling(shown, "eu-gdpr-34").verdict == "no"
    assert ruling(shown, "eu-gdpr-34").because[0].startswith("exempt: ")
    assert ruling(unknown, "eu-gdpr-34").verdict == "yes"
    assert any("not shown, so not counted" in note for note in ruling(unknown, "eu-gdpr-34").notes)


def test_two_people_who_contradict_each_other_decide_nothing() -> None:
    """Both are named, and the duty is unclear until one is withdrawn."""
    one, other = facts(("personal_data", True), ("risk", "high")), facts(("risk", "unlikely"), by="dan")
    both = Facts(statements=(*one.statements, other.statements[0].model_copy(update={"number": 9})))
    found = ruling(Case(OPENED, both, CONTROLLER, LIBRARY.kinds), "eu-gdpr-33")

    assert both.contradictions() == ("risk",)
    assert found.verdict == "unclear"
    assert found.missing == (
        "How likely is a risk to the people whose data it is? (cleo says high; dan says unlikely)",
    )


def test_of_two_moments_the_earliest_counts() -> None:
    """Its clock is the tightest."""
    one, other = facts(("aware", OPENED + timedelta(hours=5))), facts(("aware", OPENED), by="dan")
    both = Facts(statements=(*one.statements, other.statements[0].model_copy(update={"number": 9})))

    assert both.moment("aware") == OPENED


def test_the_clock_of_the_first_sign_is_always_beside() -> None:
    """As stated: Tuesday noon; had it been known at once: Monday."""
    told = case(CONTROLLER, **SURE, detected=OPENED, aware=OPENED + timedelta(hours=27))
    found = clock(told, "eu-gdpr-33", OPENED + timedelta(hours=28))

    assert found.due == OPENED + timedelta(hours=99)
    assert found.pessimistic == OPENED + timedelta(hours=72)


def test_without_awareness_the_alarms_go_by_the_first_sign() -> None:
    """Nobody can sleep through a deadline by not saying that they know."""
    found = clock(case(CONTROLLER, **SURE, detected=OPENED), "eu-gdpr-33")

    assert (found.state, found.due) == ("not started", None)
    assert found.alarm_at(0.5) == OPENED + timedelta(hours=36)
    assert found.alarms_due(OPENED + timedelta(hours=55)) == [0.5, 0.75]


def test_a_receipt_stops_a_clock_and_says_whether_it_was_in_time() -> None:
    """Filed, or filed late."""
    about: dict[str, Any] = {**SURE, "aware": OPENED}
    early = case(CONTROLLER, filed={"eu-gdpr-33": "2026-03-03T09:00Z"}, **about)
    late = case(CONTROLLER, filed={"eu-gdpr-33": "2026-03-09T09:00Z"}, **about)

    assert clock(early, "eu-gdpr-33").state == "filed"
    assert clock(early, "eu-gdpr-33").alarms_due(OPENED + timedelta(days=9)) == []
    assert clock(late, "eu-gdpr-33").state == "filed late"


def test_a_place_without_rules_is_named() -> None:
    """Nobody may think that nothing is due there."""
    told = case(CONTROLLER, people={"AQ": (3, 3), "DE": (1, 1), "TV": (0, 0)})

    assert unknown_places(LIBRARY.instruments, told) == ("AQ",)


@pytest.mark.parametrize(
    ("people", "place", "says"),
    [
        ({"DE": (1, 2), "FR": (10, None)}, "EU", "at least 11"),
        ({"DE": (1, 2), "elsewhere": (0, 0)}, "US", "0"),
        ({"DE": (1, 2)}, "US", "unknown"),
        ({"US-CA": (5, 5), "US": (7, 7)}, "US", "12"),
        ({"US-CA": (5, 5), "elsewhere": (0, 4)}, "US", "5 to 9"),
        ({"EU": (100, 100)}, "DE", "0 to 100"),
        ({"US": (600, None), "elsewhere": (0, 0)}, "US-CA", "unknown"),
    ],
)
def test_people_are_added_up_by_place(people: dict[str, tuple[int, int | None]], place: str, says: str) -> None:
    """With bounds: what nobody knows stays open."""
    assert str(facts(("people", people)).people(place)) == says


def test_a_rule_that_changes_while_an_incident_is_open_is_there_twice() -> None:
    """Counsel says which one counts."""
    gdpr = next(one for one in LIBRARY.instruments if one.id == "eu-gdpr")
    before = gdpr.duties[0].model_copy(update={"in_force": Span(to=date(2026, 3, 2))})
    after = before.model_copy(update={"in_force": Span(**{"from": date(2026, 3, 3)}), "article": "Art. 33(1) new"})
    changed = gdpr.model_copy(update={"duties": (before, after)})
    found = judge_duties([changed], case(CONTROLLER, **SURE), OPENED + timedelta(days=1))

    assert [one.duty.article for one in found] == ["Art. 33(1)", "Art. 33(1) new"]
    assert [one.notes[0].partition(":")[0] for one in found] == [
        "in force when the incident began, changed since",
        "in force since after the incident began",
    ]


def test_a_law_that_is_not_in_force_says_since_when_it_will_be() -> None:
    """The table does not leave it out."""
    gdpr = next(one for one in LIBRARY.instruments if one.id == "eu-gdpr")
    coming = gdpr.model_copy(update={"in_force": Span(**{"from": date(2027, 5, 13)})})
    found = judge_duties([coming], case(CONTROLLER, **SURE), NOW)

    assert {one.verdict for one in found} == {"no"}
    assert found[0].because == ("not in force before 2027-05-13",)


def test_law_enforcement_may_hold_a_notice_back_where_the_law_says_so() -> None:
    """GDPR knows no such thing."""
    told = case(CONTROLLER, **SURE, aware=OPENED, law_enforcement_hold=datetime(2026, 4, 1, tzinfo=UTC))

    assert clock(told, "eu-gdpr-33").state == "running"


def test_a_moment_that_never_came_is_an_answer() -> None:
    """No ransom was paid: what follows from a payment is not due, and no clock of it starts."""
    told = case(Law(jurisdictions=("US-NY",), roles=("nydfs-covered-entity",)), ransom_paid="never")
    found = [one for one in judge_duties(LIBRARY.instruments, told, NOW) if "ransom paid: never" in one.because]

    assert {one.verdict for one in found} == {"no"}
    assert told.facts.moment("ransom_paid") is None


def test_a_role_of_a_place_where_the_company_is_not_is_no_question() -> None:
    """A shop in Germany is not asked whether it is a bank in New York."""
    assert ruling(case(CONTROLLER), "us-ny-dfs-500-17-notice").verdict == "no"
    assert (
        ruling(case(Law(jurisdictions=("US-NY",))), "us-ny-dfs-500-17-notice").missing[0].startswith("is the company")
    )


def test_a_number_that_nobody_knows_hides_no_clock_where_the_company_is_bound() -> None:
    """How many Texans is asked, and the Attorney General's clock runs meanwhile."""
    texan = case(Law(jurisdictions=("US-TX",), roles=("controller",)), personal_data=True, determined=OPENED)
    remote = case(CONTROLLER, personal_data=True, determined=OPENED)

    assert any(one.verdict == "unclear" and not one.is_remote for one in _of("us-tx-521-053", texan))
    assert all(one.is_remote for one in _of("us-tx-521-053", remote) if one.verdict != "no")


def _of(instrument: str, told: Case) -> list[Ruling]:
    return [one for one in judge_duties(LIBRARY.instruments, told, NOW) if one.instrument.id == instrument]


@pytest.mark.parametrize(
    "people",
    [{"US-CA": (600, 600), "GB": (5, 5)}, {"US-CA": (0, None), "GB": (0, None)}, {"US-CA": (0, 900), "GB": (0, 9)}],
)
def test_a_number_that_is_contradicted_or_unknown_hides_no_clock(people: dict[str, Any]) -> None:
    """Somebody says that people are affected there: until all agree that none are, the clock runs."""
    about: dict[str, Any] = {**SURE, "people": people, "detected": OPENED, "discovered": OPENED, "aware": OPENED}
    said = facts(*about.items(), ("data_kinds", ["credentials"]), ("breach_of", ["confidentiality"]))
    other = facts(("people", {"US-CA": (601, 601), "GB": (5, 5)}), by="dan").statements[0]
    both = Facts(statements=(*said.statements, other.model_copy(update={"number": 90})))
    found = Case(OPENED, both, CONTROLLER, LIBRARY.kinds)
    clocks = run_clocks(judge_duties(LIBRARY.instruments, found, NOW), found, NOW, calendar_of)

    assert {"us-ca-1798-82-people", "gb-gdpr-33"} <= {one.ruling.duty.id for one in clocks if one.due}


@pytest.mark.parametrize("known", ["processor_told_us", "suspected", "confirmed_personal_data", "discovered"])
def test_whatever_was_known_first_starts_the_clock_of_the_first_sign(known: str) -> None:
    """A company to whom its processor has told it cannot wait until it calls itself aware."""
    about: dict[str, Any] = {**SURE, known: OPENED}
    found = clock(case(CONTROLLER, **about), "eu-gdpr-33")

    assert found.pessimistic == OPENED + timedelta(hours=72)
    assert found.alarms_due(OPENED + timedelta(hours=80)) == [0.5, 0.75, 0.9, 1.0]


def test_only_counsel_can_say_that_there_was_no_breach() -> None:
    """Then nothing applies, and a notice that was filed is to be withdrawn."""
    company = CONTROLLER.model_copy(update={"counsel": ("cleo",)})
    filed = {"eu-gdpr-33": "2026-03-03T09:00Z"}
    by_counsel = case(company, **SURE, is_none=True, filed=filed)
    statements = (*by_counsel.facts.statements[:-1], by_counsel.facts.statements[-1].model_copy(update={"by": "dan"}))
    by_dan = Case(OPENED, Facts(statements=statements), company, LIBRARY.kinds, by_counsel.receipts)

    assert ruling(by_counsel, "eu-gdpr-33").verdict == "no"
    assert ruling(by_counsel, "eu-gdpr-33").notes == ("a notice was filed: withdraw it",)
    assert ruling(by_dan, "eu-gdpr-33").verdict == "yes"


def test_a_late_notice_needs_reasons() -> None:
    """The clock says so until somebody has stated them."""
    after = OPENED + timedelta(hours=80)
    without, given = (
        case(CONTROLLER, **SURE, aware=OPENED),
        case(CONTROLLER, **SURE, aware=OPENED, reasons_for_delay="x"),
    )

    assert clock(without, "eu-gdpr-33", after).notes[0].startswith("late: state reasons_for_delay (reasons")
    assert not any(one.startswith("late:") for one in clock(given, "eu-gdpr-33", after).notes)


def test_only_counsel_can_hold_a_notice_back() -> None:
    """Anybody else could silence every clock that may be held."""
    company = Law(jurisdictions=("US-CA",), roles=("controller",), counsel=("dan",))
    about: dict[str, Any] = {**SURE, "discovered": OPENED, "law_enforcement_hold": OPENED + timedelta(days=300)}
    about |= {"data_kinds": ["credentials"], "breach_of": ["confidentiality"], "people": {"US-CA": (600, 600)}}
    anybody, counsel = case(company, **about), case(company.model_copy(update={"counsel": ("cleo",)}), **about)

    assert clock(anybody, "us-ca-1798-82-people").state == "running"
    assert clock(counsel, "us-ca-1798-82-people").state == "held"


def test_the_tightest_clock_comes_first() -> None:
    """Whatever the order of the files."""
    told = case(CONTROLLER, **SURE, detected=OPENED, aware=OPENED)
    clocks = run_clocks(judge_duties(LIBRARY.instruments, told, NOW), told, NOW, calendar_of)
    due = [one.due for one in clocks if one.state == "running" and one.due]

    assert due == sorted(due)
    assert at("2026-03-05T09:00Z") in due
