"""The timeline: the journal's entries as rows that a person can read."""

from datetime import timedelta
from typing import Any

from crisis.domain.timeline import Row, fold_timeline, waiting
from tests.domain.story import RUN, START, Story, a_bad_deploy, a_plan


def row(story: Story, title: str) -> Row:
    """Return the one row of that title."""
    (found,) = [row for row in fold_timeline(story.entries) if row.title == title]
    return found


def test_no_entries_are_no_rows() -> None:
    """Nothing happened, so there is nothing to show."""
    assert fold_timeline([]) == []


def test_both_ends_of_a_call_are_one_row() -> None:
    """What was intended and then done is one row with its duration."""
    found = row(a_bad_deploy(), "Start maintenance")

    assert (found.lane, found.state, found.detail) == ("world", "ok", "shop: the maintenance page is up")
    assert found.seconds is not None
    assert abs(found.seconds - 0.4) < 0.001
    assert found.offset == timedelta(seconds=0.5)


def test_call_that_outlived_a_crash_is_one_row() -> None:
    """An intention said again after a crash belongs to the same row, which lasts over both starts."""
    story = a_bad_deploy()

    assert row(story, "Revert release").seconds == 29.6
    assert row(story, "Trying again: Revert release").state == "warn"
    assert row(story, "Playbook bad-deploy went on").detail == "start 2, after its process was lost"


def test_question_and_decision_are_one_row() -> None:
    """From asked to decided is one row of the people's lane, which says who decided what."""
    found = row(a_bad_deploy(), "Take release 4f2c back?")

    assert (found.lane, found.state, found.seconds) == ("people", "ok", 164.0)
    assert found.detail == "ada approved `revert`: the safe way, main must be clean"


def test_open_question_waits() -> None:
    """A question without a decision is a row that waits and has no length yet."""
    found = row(a_bad_deploy(until="asked"), "Take release 4f2c back?")

    assert (found.state, found.seconds, found.detail) == ("wait", None, "waiting for ada and ben")


def test_single_answers_are_shown_where_two_must_agree() -> None:
    """Where one answer does not decide, each answer is a row of its own."""
    story = Story()
    story.ask(0, a_plan(), needed=2)
    where = {"run": RUN, "gate": "revert", "hash": a_plan().hash}
    story.tell(5, "voted", "ada", **where, answer="revert", reason="", how="page")

    assert row(story, "ada answered `revert`").lane == "people"


def test_plan_asked_again_closes_the_first_question() -> None:
    """When the situation changes, the first question ends and the second waits."""
    story = Story()
    story.ask(0, a_plan())
    story.tell(9, "drifted", run=RUN, gate="revert", hash=a_plan().hash, says="main has moved")
    story.ask(10, a_plan("Again?"))

    assert row(story, "Take release 4f2c back?").detail == "asked again, because the plan changed"
    assert row(story, "Again?").state == "wait"


def test_end_of_a_run_closes_what_was_open() -> None:
    """What was not answered or finished when the run ended does not wait for ever."""
    story = a_bad_deploy(until="asked")
    story.tell(20, "intended", run=RUN, action="revert_release", target="shop", call="r1")
    story.tell(30, "ended", run=RUN, playbook="bad-deploy", outcome="failed", says="lost", error_kind="RefusedError")

    assert row(story, "Revert release").detail == "not finished when the run ended"
    assert row(story, "Take release 4f2c back?").state == "warn"
    assert row(story, "Playbook ended: failed").state == "bad"
    assert waiting(story.entries, START) is None


def test_every_outcome_has_words() -> None:
    """No, silence, failure and nothing to do are each said plainly."""
    for outcome, words in (
        ("declined", "ada said no: too risky"),
        ("silence: proceed", "no answer in time; as agreed beforehand, `revert` goes ahead"),
        ("silence: stop", "no answer in time; as agreed beforehand, nothing is done"),
    ):
        story = Story()
        body = {
            "run": RUN,
            "gate": "revert",
            "hash": "h",
            "outcome": outcome,
            "choice": "revert",
            "reason": "too risky",
        }
        story.tell(0, "decided", "ada", **body, by=["ada"])

        assert row(story, "Decision").detail == words
    story = Story()
    same: dict[str, Any] = {"run": RUN, "target": "shop", "facts": {}, "seconds": 2.0, "measure": False, "undo": "none"}
    story.tell(0, "note", says="hello")
    story.tell(3, "none", action="lift_freeze", call="1", note="was not frozen", **same)
    story.tell(4, "failed", action="file_ticket", call="2", error="github: 422", error_kind="RefusedError", **same)
    story.tell(5, "something new")

    assert row(story, "Lift freeze").detail == "shop: nothing to do: was not frozen"
    assert row(story, "Lift freeze").offset == timedelta(seconds=1)
    assert row(story, "File ticket").state == "bad"
    assert row(story, "Something new").state == "info"


def test_look_that_failed_is_no_proof() -> None:
    """A look that found the world otherwise is a problem, although it is called a verification."""
    story = Story()
    story.tell(9, "seen", run=RUN, look="verify_recovery", target="shop", says="checkout fails", ok=False, seconds=2)

    assert row(story, "Verify recovery").state == "bad"


def test_waiting_names_people_choices_and_time() -> None:
    """What an incident waits for is said in one line."""
    story = a_bad_deploy(until="asked")
    said = waiting(story.entries, START + timedelta(seconds=7 + 900 - 130))

    assert said == "waiting for ada or ben to decide `revert` or `roll-back`, 2 min 10 s left"


def test_waiting_leaves_out_who_has_answered() -> None:
    """Who said yes already, and who started the run, is not waited for."""
    story = Story()
    story.ask(0, a_plan(), needed=2, people=["ada", "ben", "cleo"], requester="cleo")
    where = {"run": RUN, "gate": "revert", "hash": a_plan().hash}
    story.tell(5, "voted", "ada", **where, answer="revert", reason="", how="page")

    assert (waiting(story.entries, START) or "").startswith("waiting for ben to decide")
    assert (waiting(story.entries, START + timedelta(hours=1)) or "").endswith("the time to answer is over")
    assert waiting(a_bad_deploy().entries, START) is None


def test_a_long_look_shows_while_it_lasts() -> None:
    """What is being looked at stands there as under way; what was seen takes its place."""
    story = Story()
    story.tell(0, "opened", "cli", service="shop", summary="", playbook="bad-deploy", source="cli", requester="")
    story.tell(1, "looking", run=RUN, look="verify_recovery", target="shop")
    (under_way,) = [one for one in fold_timeline(story.entries) if one.state == "wait"]
    story.tell(9, "seen", run=RUN, look="verify_recovery", target="shop", says="20 rounds in a row", seconds=11.0)
    seen = [one for one in fold_timeline(story.entries) if one.title == "Verify recovery"]

    assert (under_way.title, under_way.detail) == ("Verify recovery", "shop: being looked at")
    assert [(one.detail, one.state) for one in seen] == [("shop: 20 rounds in a row", "ok")]
