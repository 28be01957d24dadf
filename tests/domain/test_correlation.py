"""Correlation: which incident an alert belongs to, when it waits, and when people get it instead of a playbook."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from crisis.domain.alerting import Cause, Intake, Maintenance
from crisis.domain.correlation import STORM_OVER, Case, Held, Join, Verdict, cause_of, fold_case, judge
from crisis.domain.entry import Entry
from crisis.domain.incident import HANDED_OVER, RECOVERED
from crisis.domain.level import Level
from crisis.domain.start import HAND_OVER, Start

NOW = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
WISH = Start("bad-deploy", "shop", "checkout fails", "INC-new", Level.CRITICAL, "alert:am")


def ago(minutes: float) -> datetime:
    """Return a moment some minutes ago."""
    return NOW - timedelta(minutes=minutes)


def case(**more: Any) -> Case:
    """Return an incident of the shop that is being worked on and began ten minutes ago."""
    first = Case("INC-old", "shop", "bad-deploy", Level.CRITICAL, ago(10), ago(10))
    return replace(first, **more)


def over(minutes: float, outcome: str, **more: Any) -> Case:
    """Return an incident of the shop that ended some minutes ago."""
    return case(**{"ended_at": ago(minutes), "touched_at": ago(minutes), "outcome": outcome, **more})


def say(
    *cases: Case, wish: Start = WISH, windows: Sequence[Maintenance] = (), cause: str = "", **intake: Any
) -> Verdict:
    """Judge an alert that has just begun."""
    rules = Intake.model_validate(intake)
    return judge(wish, cases, rules, windows, starts_at=NOW, received=NOW, now=NOW, cause=cause)


def joined(verdict: Verdict) -> Join:
    """Return a verdict that must be to join."""
    assert isinstance(verdict, Join)
    return verdict


def started(verdict: Verdict) -> Start:
    """Return a verdict that must be to start something."""
    assert isinstance(verdict, Start)
    return verdict


def test_nothing_known_starts_the_playbook() -> None:
    """The plain case."""
    assert say() == WISH


def test_a_run_at_work_takes_every_alert_of_its_service_and_playbook_in() -> None:
    """However long it has been waiting for somebody."""
    assert joined(say(case(opened_at=ago(900), touched_at=ago(900)))).case.incident == "INC-old"


def test_another_playbook_does_not_start_beside_one_at_work() -> None:
    """Two remedies on one service would fight; within the window the alert joins."""
    verdict = joined(say(case(playbook="api-outage", touched_at=ago(29))))

    assert verdict.because == "shop has trouble already: bad-deploy does not start beside it"
    assert verdict.call == ""


def test_another_playbook_starts_when_the_window_is_over() -> None:
    """What has been quiet for longer than the window is another story."""
    assert say(case(playbook="api-outage", touched_at=ago(31))) == WISH
    assert joined(say(case(playbook="api-outage", touched_at=ago(31)), window="1h")).case.incident == "INC-old"


def test_a_breach_is_never_one_with_an_outage() -> None:
    """In neither direction: a burglar may well cause an outage to be overlooked in."""
    breach = replace(WISH, playbook="security-breach")

    assert say(case(), wish=breach) == breach
    assert say(case(playbook="security-breach")) == WISH


def test_other_services_have_their_own_incident() -> None:
    """Unless a rule of protocol.yaml says that it is one cause."""
    other = case(service="blog", cause="payment provider")

    assert say(other) == WISH
    assert joined(say(other, cause="payment provider")).because == "one cause: payment provider"
    assert say(other, cause="database") == WISH


def test_a_cause_is_found_by_all_of_its_labels() -> None:
    """The first rule that fits counts."""
    rules = [Cause(name="eu", when={"vendor": "stripe", "zone": "eu"}), Cause(name="all", when={"vendor": "stripe"})]

    assert cause_of([("vendor", "stripe"), ("zone", "eu")], rules) == "eu"
    assert cause_of([("vendor", "stripe"), ("zone", "us")], rules) == "all"
    assert cause_of([("zone", "eu")], rules) == ""


def test_a_worse_alert_raises_the_level_and_people_hear_of_it() -> None:
    """Who decides at the new level has not been told by anybody."""
    assert joined(say(case(level=Level.DEGRADED))).call == f"raised to {Level.CRITICAL.title}"
    assert joined(say(case(), wish=replace(WISH, level=Level.MINOR))).call == ""


@pytest.mark.parametrize("outcome", ["UnprovenError", "DeclinedError", HANDED_OVER])
def test_an_incident_that_did_not_recover_stays_somebody_s(outcome: str) -> None:
    """Its alerts join within the window, and as long as something of ours is in force."""
    assert joined(say(over(29, outcome))).call == ""
    assert say(over(31, outcome)) == WISH
    assert joined(say(over(31, outcome, measures=True))).case.incident == "INC-old"


def test_one_that_was_forgotten_calls_again() -> None:
    """Contained, never recovered, quiet for hours, and alerts again: joining in silence would lose it."""
    verdict = joined(say(over(300, "UnprovenError", measures=True)))

    assert verdict.call == "quiet for 5 h 00 min, still not recovered, and alerts again"


def test_one_that_recovered_takes_nothing_in() -> None:
    """What begins a good while after it is new."""
    assert say(over(2, RECOVERED)) == WISH


@pytest.mark.parametrize(("minutes", "held"), [(0.9, True), (1.1, False)])
def test_what_begins_around_the_end_may_be_an_echo(minutes: float, held: bool) -> None:
    """It waits until nobody can take it for one any more."""
    verdict = say(over(minutes, RECOVERED))

    assert isinstance(verdict, Held) is held
    if isinstance(verdict, Held):
        assert (verdict.incident, verdict.until) == ("INC-old", ago(minutes) + timedelta(minutes=6))


def test_a_breach_is_no_echo_of_the_last_one() -> None:
    """Nothing of ours looks like a burglar, and six minutes are long; held, it is over once its alarm comes to rest."""
    breach = replace(WISH, playbook="security-breach")

    assert say(over(0.5, RECOVERED, playbook="security-breach"), wish=breach) == breach


def test_a_playbook_that_started_too_often_is_handed_to_people() -> None:
    """The fourth within the hour; older ones and other services do not count."""
    three = [over(at, RECOVERED, incident=f"INC-{at}", opened_at=ago(at + 1)) for at in (55, 35, 15)]
    verdict = started(say(*three))

    assert (verdict.playbook, verdict.service, verdict.incident) == (HAND_OVER, "shop", "INC-new")
    assert verdict.summary == (
        "bad-deploy started 3 times for shop within 1 h 00 min; a human must look: checkout fails"
    )
    assert say(*three[1:]) == WISH
    assert say(*three[1:], replace(three[0], opened_at=ago(61))) == WISH
    assert say(*three[1:], replace(three[0], service="blog")) == WISH
    assert started(say(*three[1:], flapping={"runs": 2})).playbook == HAND_OVER


def test_a_service_cools_down_after_a_rollback() -> None:
    """A second remedy within minutes would be a guess."""
    rolled_back = over(5, RECOVERED, changed={"roll_back_release": ago(14)})
    verdict = started(say(rolled_back))

    assert verdict.playbook == HAND_OVER
    assert "roll_back_release was done 14 min 00 s ago and shop fails again" in verdict.summary
    assert say(replace(rolled_back, changed={"roll_back_release": ago(16)})) == WISH
    assert say(replace(rolled_back, changed={"file_ticket": ago(1)})) == WISH
    assert say(rolled_back, cool_down={"lasts": "13m"}) == WISH
    assert say(rolled_back, cool_down={"after": []}) == WISH


def test_a_breach_waits_for_no_cool_down() -> None:
    """It is another matter than what the rollback was for."""
    breach = replace(WISH, playbook="security-breach")

    assert say(over(5, RECOVERED, changed={"roll_back_release": ago(5)}), wish=breach) == breach


def test_a_storm_takes_in_what_no_incident_does() -> None:
    """No remedy starts; what an incident has in its hands already stays there."""
    storm = case(incident="INC-storm", service="blog", playbook=HAND_OVER, storm=True)

    assert joined(say(storm)).case.incident == "INC-storm"
    assert joined(say(storm, case())).case.incident == "INC-old"
    assert joined(say(replace(storm, ended_at=ago(1), outcome=HANDED_OVER))).case.incident == "INC-storm"


def window(**more: Any) -> Maintenance:
    """Return planned work on the shop."""
    return Maintenance.model_validate({"service": "shop", **more})


def test_planned_work_holds_alerts_until_it_is_over() -> None:
    """Of its service alone; also when an incident is open, which would take them in."""
    until = datetime(2026, 11, 24, 4, tzinfo=UTC)
    work = window(**{"from": "2026-11-24T03:00:00Z", "to": "2026-11-24T04:00:00Z"})

    assert say(windows=[work]) == Held(until, "planned work on shop until 2026-11-24 04:00 UTC")
    assert say(windows=[work], wish=replace(WISH, service="blog")).service == "blog"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("when", "until"),
    [
        ({"from": "2026-11-24T03:12:00Z", "to": "2026-11-24T03:13:00Z"}, NOW + timedelta(minutes=1)),
        ({"from": "2026-11-24T03:00:00Z", "to": "2026-11-24T03:12:00Z"}, None),
        ({"from": "2026-11-24", "to": "2026-11-25"}, datetime(2026, 11, 25, tzinfo=UTC)),
        (
            {"from": "2026-11-24T04:00:00+02:00", "to": "2026-11-24T06:00:00+02:00"},
            datetime(2026, 11, 24, 4, tzinfo=UTC),
        ),
        ({"cron": "0 3 * * 2", "lasts": "2h"}, datetime(2026, 11, 24, 5, tzinfo=UTC)),
        ({"cron": "12 3 * * *", "lasts": "1m"}, datetime(2026, 11, 24, 3, 13, tzinfo=UTC)),
        ({"cron": "0 3 * * 2", "lasts": "12m"}, None),
        ({"cron": "0 22 * * 1", "lasts": "6h"}, datetime(2026, 11, 24, 4, tzinfo=UTC)),
        ({"cron": "* * * * *", "lasts": "30d"}, NOW + timedelta(days=30)),
    ],
)
def test_windows_end_when_they_say(when: dict[str, str], until: datetime | None) -> None:
    """Once or by cron; the beginning counts in, the end does not; times without a zone are UTC."""
    assert window(**when).until(NOW) == until


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"from": "2026-11-24"},
        {"cron": "0 3 * * 2"},
        {"cron": "never", "lasts": "1h"},
        {"from": "2026-11-25", "to": "2026-11-24"},
        {"from": "2026-11-24", "to": "2026-11-25", "cron": "0 3 * * 2", "lasts": "1h"},
        {"from": "2026-11-24", "to": "2026-11-25", "lasts": "1h"},
    ],
)
def test_windows_that_do_not_say_when_are_refused(when: dict[str, str]) -> None:
    """A window that never opens would be relied on."""
    with pytest.raises(ValidationError):
        window(**when)


def entry(kind: str, seq: int, key: str | None = None, **body: Any) -> Entry:
    """Return an entry of the old incident, a minute after the one before."""
    at = f"2026-11-24T03:{seq:02d}:00.000000Z"
    return Entry("INC-old", seq, at, kind, "responder", body, key, "", "")


OPENED: dict[str, Any] = {"service": "shop", "playbook": "hand-over", "source": "am", "summary": "many", "storm": True}


def test_a_case_is_read_out_of_its_chain() -> None:
    """Its last sign of life is an alert, a start or an end; a note or a vote is none."""
    chain = [
        entry("opened", 1, **OPENED, cause="payment provider"),
        entry("level", 2, level=2, because="so"),
        entry("started", 3, run="r", playbook="hand-over"),
        entry("alert", 4, status="firing"),
        entry("done", 5, run="r", action="roll_back_release", target="shop", note="", facts={}),
        entry("note", 6, says="so"),
    ]
    found = fold_case("INC-old", chain)

    assert found is not None
    assert (found.running, found.storm, found.cause, found.alerts) == (True, True, "payment provider", 1)
    assert (found.level, found.touched_at) == (Level.DEGRADED, datetime(2026, 11, 24, 3, 4, tzinfo=UTC))
    assert found.changed == {"roll_back_release": datetime(2026, 11, 24, 3, 5, tzinfo=UTC)}


def test_a_storm_that_was_called_over_is_none() -> None:
    """What is written under its key ends it."""
    found = fold_case("INC-old", [entry("opened", 1, **OPENED), entry("note", 2, STORM_OVER, says="calm")])

    assert found is not None
    assert not found.storm


def test_a_chain_that_nothing_opened_is_no_case() -> None:
    """Such as one that holds a note alone."""
    assert fold_case("INC-old", [entry("note", 1, says="so")]) is None
