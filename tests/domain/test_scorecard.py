"""The scorecard: how quickly an incident was handled."""

from datetime import timedelta

from crisis.domain.scorecard import fold_scorecard
from tests.domain.story import RUN, Story, a_bad_deploy, a_plan


def test_bad_deploy_is_measured() -> None:
    """Each time that counts is read out of the journal."""
    score = fold_scorecard(a_bad_deploy().entries)
    seconds = timedelta(seconds=1)

    assert (0.9 * seconds, 0.9 * seconds) == (score.first_action, score.maintenance_on)
    assert (7 * seconds, 164 * seconds) == (score.asked, score.decision)
    assert (0.4 * seconds, 30 * seconds) == (score.next_step, score.reverted)
    assert (232 * seconds, 233.6 * seconds) == (score.healthy, score.maintenance_off)
    assert (score.retries, score.restarts, score.outcome, score.open_measures) == (1, 1, "recovered", ())


def test_what_has_not_happened_has_no_time() -> None:
    """A running incident has gaps, and what stands is named."""
    score = fold_scorecard(a_bad_deploy(until="asked").entries)

    assert score.decision is score.next_step is score.reverted is score.healthy is None
    assert [measure.action for measure in score.open_measures] == ["start_maintenance", "freeze_deployments"]
    assert ("asked to decided", "-") in score.lines()
    assert ("outcome", "running") in score.lines()
    assert ("still in force", "start_maintenance on shop, freeze_deployments on shop") in score.lines()


def test_failed_look_is_not_healthy() -> None:
    """A verification that failed does not count as the moment of health."""
    story = a_bad_deploy(until="asked")
    told = {"run": RUN, "look": "verify_recovery", "target": "shop"}
    story.tell(20, "seen", **told, says="checkout fails", ok=False)
    story.tell(50, "seen", **told, says="20 rounds", ok=True)

    assert fold_scorecard(story.entries).healthy == timedelta(seconds=50)


def test_nothing_is_measured_as_nothing() -> None:
    """Without entries nothing is claimed."""
    score = fold_scorecard([])

    assert score.first_action is None
    assert score.outcome == ""


def test_decision_on_the_last_plan_counts() -> None:
    """When a plan was asked again, the answer to the plan that was carried out is measured."""
    story = Story()
    story.tell(0, "opened", "ben", service="shop", playbook="bad-deploy", source="cli", summary="broken")
    story.ask(10, a_plan())
    story.decide(40, a_plan(), "ada", "revert")
    story.ask(50, a_plan("Again?"))
    story.decide(55, a_plan("Again?"), "ada", "roll-back")
    story.act(56, 60, "roll_back_release", "rolled back")
    story.ask(70, a_plan("Lift the freeze?"))
    story.decide(75, a_plan("Lift the freeze?"), "ada", "revert")
    score = fold_scorecard(story.entries)

    assert (timedelta(seconds=10), timedelta(seconds=5)) == (score.asked, score.decision)
    assert (timedelta(seconds=1), timedelta(seconds=5)) == (score.next_step, score.reverted)
    assert story.entries[-1].run == RUN
