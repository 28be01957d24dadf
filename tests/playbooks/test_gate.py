"""The gate in a playbook: its ladder, its answers, and what a decision is good for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from crisis.domain.change import Change
from crisis.domain.clock import parse_time, utc_now
from crisis.domain.decision import Decision, Gate
from crisis.domain.person import PEOPLE
from crisis.domain.plan import Choice, Plan
from crisis.engine.booth import Answer, RefusedVote
from crisis.engine.votes import cast, open_gates
from crisis.errors import CrisisError, DeclinedError
from tests.playbooks.conftest import Ground

DAY = timedelta(days=1)
WHILE = "30s"


@dataclass
class Desk:
    """A calm ground, a playbook of one gate, and whatever anybody was told."""

    ground: Ground
    steps: tuple[str, ...] = ("aaa",)
    severable: bool = False
    authors: tuple[str, ...] = ()
    drift: list[str] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    plans: int = 0

    def rule(self, **rule: Any) -> None:
        """Say what protocol.yaml says of the gate."""
        full = {"ask": "decision maker", "deputy_after": "10s", "wait": WHILE, **rule}
        self.ground.change(lambda protocol: protocol["gates"].update(restore=full))

    def tell(self, who: str, title: str, page: str, question: int, mark: str, says: str) -> Change:
        """Remember who was told what."""
        self.told.append((who, mark, says))
        return Change.none(who, because=f"{title} {page} {question}")

    def heard(self, who: str) -> list[str]:
        """Return the marks of what somebody heard, in order."""
        return [mark for name, mark, _ in self.told if name == who]

    def plan(self, service: str) -> Plan:
        """Plan the steps, as the playbook does."""
        from crisis.engine.action import ACTIONS, step  # noqa: PLC0415 - loads Prefect

        self.plans += 1
        touch = ACTIONS["touch_release"].run
        steps = tuple(
            step(touch, now="as it is", wanted="touched", service=service, commit=commit) for commit in self.steps
        )
        way = Choice(name="go", summary="Touch it.", steps=steps, severable=self.severable, authors=self.authors)
        return Plan(gate="touch", title="Touch the shop", choices=(way,), takes="1s", on_no="nothing is touched")

    def play(self, **parameters: Any) -> CrisisError | None:
        """Run the playbook to its end."""

        def one_gate(service: str) -> None:
            from crisis.engine.gate import carry_out  # noqa: PLC0415 - loads Prefect

            carry_out("touch", lambda: self.plan(service), self.tell)

        return self.ground.play_body(one_gate, **parameters)

    def touched(self) -> list[str]:
        """Return what was done to the world."""
        return [entry.body["note"] for entry in self.ground.done("touch_release")]

    def says(self, who: str, answer: str, **more: Any) -> Decision | RefusedVote | None:
        """Let somebody answer with the code that their phone shows."""
        gate = self.ground.question()
        assert gate is not None
        said = Answer(who, answer, self.ground.world.one_time_code(who), more.pop("reason", "as planned"), **more)
        return cast(self.ground.booth(), gate, said)

    def when(self, ready: Callable[[], object], act: Callable[[], object]) -> None:
        """Let something happen as soon as a fact holds."""
        self.ground.meanwhile(ready, act)


@pytest.fixture
def desk(calm: Ground) -> Iterator[Desk]:
    """Set up the desk; its action is known for one test only."""
    from crisis.engine.action import ACTIONS, action  # noqa: PLC0415 - loads Prefect
    from crisis.errors import DriftError  # noqa: PLC0415

    made = Desk(calm)

    @action(kind="restore", needs=(), undo="none")
    def touch_release(service: str, commit: str) -> Change:
        if commit in made.drift:
            made.drift.remove(commit)
            raise DriftError(f"{service} {commit}", wanted="the world of the plan", saw="another", then="asked again")
        return Change.done(service, f"touched {commit}")

    calm.change(lambda protocol: protocol["levels"][1]["authorised"].append("touch_release"))
    made.rule()
    yield made
    del ACTIONS["touch_release"]


def asked(desk: Desk, times: int = 1) -> Callable[[], Gate | None]:
    """Say when a question is open."""
    return lambda: desk.ground.question(plan=times)


def away(desk: Desk, who: str) -> None:
    """Let protocol.yaml say that somebody is on holiday."""
    now = utc_now()
    absence = [{"from": (now - DAY).isoformat(), "to": (now + DAY).isoformat()}]
    desk.ground.change(lambda protocol: protocol["people"][who].update(away=absence))


def makers(desk: Desk, *who: str) -> None:
    """Say who decides at level 1."""
    desk.ground.change(lambda protocol: protocol["levels"][1].update(decision_makers=list(who)))


def test_who_is_away_is_replaced_at_once(desk: Desk) -> None:
    """The CTO is on holiday: her deputy is asked from the first moment, and she is not."""
    makers(desk, "ada")
    away(desk, "ada")
    desk.when(asked(desk), lambda: desk.says("ben", "go"))

    assert desk.play() is None
    assert desk.heard("ada") == []
    assert desk.heard("ben") == [""]
    assert desk.ground.entries("escalated") == []


def test_a_vote_from_holiday_does_not_count(desk: Desk) -> None:
    """Who is away according to the calendar cannot be counted, whoever holds their phone."""
    makers(desk, "ada")
    away(desk, "ada")
    answers: list[Decision | RefusedVote | None] = []
    desk.when(asked(desk), lambda: answers.extend([desk.says("ada", "go"), desk.says("ben", "no")]))

    assert isinstance(desk.play(), DeclinedError)
    assert isinstance(answers[0], RefusedVote)
    assert "away until" in answers[0].because


def test_the_level_above_is_asked_last(desk: Desk) -> None:
    """The deputy after t1, everybody of the level above after t2; each rung is on record with its name."""
    makers(desk, "ada")
    desk.ground.change(lambda protocol: protocol["levels"][1].update(above=["dan"]))
    desk.rule(deputy_after="200ms", above_after="500ms", wait=WHILE)
    desk.when(lambda: len(desk.ground.entries("escalated")) == 2, lambda: desk.says("dan", "go"))

    assert desk.play() is None
    rungs = [(entry.body["rung"], entry.body["people"]) for entry in desk.ground.entries("escalated")]
    assert rungs == [("deputies", ["ben"]), ("the level above", ["dan"])]
    assert desk.heard("dan") == [""]


def test_reminders_go_out_ever_more_rarely(desk: Desk) -> None:
    """Who has not answered is reminded; each wait is twice the one before."""
    desk.rule(remind_every="200ms", wait="2s", deputy_after="1900ms")

    assert isinstance(desk.play(), DeclinedError)
    question, *reminders = desk.ground.entries("asked", "reminded")
    since = parse_time(question.body["asked_at"])
    after = [(entry.time - since).total_seconds() for entry in reminders]
    assert [entry.body["number"] for entry in reminders] == [1, 2, 3]
    assert all(late >= due for late, due in zip(after, (0.2, 0.6, 1.4), strict=True))
    assert desk.heard("ada")[:3] == ["", "reminder 1", "reminder 2"]


def test_silence_without_a_word_in_protocol_yaml_stops(desk: Desk) -> None:
    """Silence proceeds for the named action at the named level alone."""
    desk.rule(wait="300ms", deputy_after="200ms", proceed_on_silence={"touch_release": [2], "revert_release": [1]})

    assert isinstance(desk.play(), DeclinedError)
    assert desk.touched() == []
    assert [entry.body["outcome"] for entry in desk.ground.entries("decided")] == ["silence: stop"]


def test_silence_goes_ahead_where_protocol_yaml_says_so(desk: Desk) -> None:
    """The honest twin: the same silence at a level that names the action."""
    desk.rule(wait="300ms", deputy_after="200ms", proceed_on_silence={"touch_release": [1]})

    assert desk.play() is None
    assert desk.touched() == ["touched aaa"]


def test_a_part_can_be_approved(desk: Desk) -> None:
    """Steps that make sense alone may be approved alone; what was left out is not done."""
    desk.steps, desk.severable = ("aaa", "bbb", "ccc"), True
    desk.when(asked(desk), lambda: desk.says("ada", "go", steps=(0, 2)))

    assert desk.play() is None
    assert desk.touched() == ["touched aaa", "touched ccc"]


def test_two_people_approve_what_both_approve(desk: Desk) -> None:
    """Where two must agree on parts, what is done is what both named."""
    desk.steps, desk.severable = ("aaa", "bbb", "ccc"), True
    desk.rule(ask="two people")
    desk.when(asked(desk), lambda: (desk.says("ada", "go", steps=(0, 1)), desk.says("ben", "go", steps=(1, 2))))

    assert desk.play() is None
    assert desk.touched() == ["touched bbb"]


def test_the_second_person_is_asked_for_an_objection(desk: Desk) -> None:
    """Once somebody said yes, the others are asked in so many words whether they object; a no ends the wait."""
    desk.rule(ask="two people")
    desk.when(asked(desk), lambda: desk.says("ada", "go"))
    desk.when(lambda: "objection 1" in desk.heard("ben"), lambda: desk.says("ben", "no", reason="wrong release"))

    assert isinstance(desk.play(), DeclinedError)
    assert any("Any strong objection?" in says for who, _, says in desk.told if who == "ben")
    assert desk.touched() == []


def test_a_change_that_is_asked_for_is_planned_and_asked_again(desk: Desk) -> None:
    """The plan is made again with the wish under it, and the new plan needs a decision of its own."""
    desk.when(asked(desk), lambda: desk.says("ada", "change", reason="leave out the cache"))
    desk.when(asked(desk, 2), lambda: desk.says("ben", "go"))

    assert desk.play() is None
    first, second = desk.ground.entries("asked")
    assert second.body["plan"]["notes"] == ["asked for by ada: leave out the cache"]
    assert first.body["hash"] != second.body["hash"]
    assert [entry.body["outcome"] for entry in desk.ground.entries("decided")] == ["change asked", "approved"]
    assert desk.plans == 2


def test_a_drift_is_shown_with_the_next_question(desk: Desk) -> None:
    """The world moved between answer and action: the action finds it, and the next question says what is different."""
    desk.drift.append("aaa")
    desk.when(asked(desk), lambda: desk.says("ada", "go"))
    desk.when(asked(desk, 2), lambda: desk.says("ben", "go"))

    assert desk.play() is None
    _, second = desk.ground.entries("asked")
    assert second.body["plan"]["notes"][0].startswith(
        "moved since it was asked: shop aaa: wanted the world of the plan"
    )
    assert desk.touched() == ["touched aaa"]


def test_a_decision_runs_out(desk: Desk) -> None:
    """What was approved too long ago is asked again before it is done."""
    desk.rule(good_for="1ms")
    desk.when(asked(desk), lambda: desk.says("ada", "go"))
    desk.when(asked(desk, 2), lambda: desk.says("ben", "no"))

    assert isinstance(desk.play(), DeclinedError)
    assert desk.touched() == []
    assert "has run out" in desk.ground.entries("drifted")[0].body["says"]


def test_a_decision_of_another_level_is_asked_again(desk: Desk) -> None:
    """The level rises between answer and action: who decides at the new one must say yes too."""
    desk.ground.change(lambda protocol: protocol["levels"][2]["authorised"].append("touch_release"))

    def rise() -> None:
        desk.ground.journal.append(desk.ground.incident, "level", "cleo", {"level": 1, "because": "checkout fails now"})
        desk.says("cleo", "go")

    desk.when(asked(desk), rise)
    desk.when(asked(desk, 2), lambda: desk.says("ada", "no"))

    assert isinstance(desk.play(level=2), DeclinedError)
    assert [entry.body["level"] for entry in desk.ground.entries("asked")] == [2, 1]
    assert "taken at Defcon 2" in desk.ground.entries("drifted")[0].body["says"]


def test_who_wrote_it_cannot_approve_it(desk: Desk) -> None:
    """The author of what would be carried out is known by any of her accounts, and her yes is refused."""
    desk.authors = ("Ada Okafor", "ADA@shop.example")
    answers: list[Decision | RefusedVote | None] = []
    desk.when(asked(desk), lambda: answers.extend([desk.says("ada", "go"), desk.says("ben", "go")]))

    assert desk.play() is None
    assert isinstance(answers[0], RefusedVote)
    assert answers[0].because.startswith("who wrote what go carries out cannot approve it")


def test_two_people_break_glass_and_everybody_hears(desk: Desk) -> None:
    """When the ladder stays silent, any two of those named decide; it is loud, and it stands in the report."""
    from crisis.domain.report import write_report  # noqa: PLC0415

    desk.ground.change(lambda protocol: protocol["break_glass"].update(after="100ms"))
    desk.when(lambda: _old(asked(desk)(), 0.2), lambda: [desk.says(who, "go", glass=True) for who in ("cleo", "dan")])

    assert desk.play() is None
    (decided,) = desk.ground.entries("decided")
    assert (decided.body["by"], decided.body["glass"]) == (["cleo", "dan"], True)
    assert {who for who, mark, _ in desk.told if mark == "glass"} == {"ada", "ben", "cleo", "dan"}
    assert "Glass was broken" in write_report(desk.ground.entries())


def test_glass_lasts_a_short_time(desk: Desk) -> None:
    """A decision by broken glass runs out on its own, shorter, time."""
    desk.ground.change(lambda protocol: protocol["break_glass"].update(after="1ms", good_for="1ms"))
    desk.when(asked(desk), lambda: (desk.says("cleo", "go", glass=True), desk.says("dan", "go", glass=True)))
    desk.when(asked(desk, 2), lambda: desk.says("ben", "no"))

    assert isinstance(desk.play(), DeclinedError)
    assert desk.touched() == []


def test_a_lock_is_told_to_the_others(desk: Desk) -> None:
    """After five wrong codes for ada, ben hears that somebody may be guessing."""

    def guess() -> None:
        gate = desk.ground.question()
        assert gate is not None
        for _ in range(5):
            cast(desk.ground.booth(), gate, Answer("ada", "go", "000000"))

    desk.when(asked(desk), guess)
    desk.when(lambda: any(mark.startswith("locked") for mark in desk.heard("ben")), lambda: desk.says("ben", "go"))

    assert desk.play() is None
    assert [entry.actor for entry in desk.ground.journal.entries(PEOPLE) if entry.kind == "locked"] == ["ada"]
    assert not any(mark.startswith("locked") for mark in desk.heard("ada"))


def test_a_decision_in_the_journal_that_nobody_made_does_nothing(desk: Desk) -> None:
    """Whoever writes `decided` past us, naming ada, starts nothing: the question is put again."""

    def forge() -> None:
        gate = desk.ground.question()
        assert gate is not None
        body = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "outcome": "approved", "choice": "go"}
        desk.ground.journal.append(gate.incident, "decided", "ada", {**body, "by": ["ada"], "reason": ""})

    desk.when(asked(desk), forge)
    desk.when(asked(desk, 2), lambda: desk.says("ada", "no"))

    assert isinstance(desk.play(), DeclinedError)
    assert desk.touched() == []
    assert "fewer valid votes" in desk.ground.entries("drifted")[0].body["says"]


def test_a_no_that_nobody_said_stops_nothing(desk: Desk) -> None:
    """Words put into ada's mouth past us are not hers: the question is put again, and her own answer counts."""

    def forge() -> None:
        gate = desk.ground.question()
        assert gate is not None
        body = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "outcome": "declined", "choice": ""}
        desk.ground.journal.append(gate.incident, "decided", "ada", {**body, "by": ["ada"], "reason": "wrong release"})

    desk.when(asked(desk), forge)
    desk.when(asked(desk, 2), lambda: desk.says("ada", "go"))

    assert desk.play() is None
    assert desk.touched() == ["touched aaa"]


def test_two_gates_wait_side_by_side(desk: Desk) -> None:
    """A playbook may have several open questions; each is answered by itself, in any order."""

    def both(service: str) -> None:
        from crisis.engine.gate import carry_out  # noqa: PLC0415 - loads Prefect
        from crisis.engine.together import together  # noqa: PLC0415

        def one(name: str, commit: str) -> None:
            plan = desk.plan(service)
            step = plan.choices[0].steps[0]
            step = step.model_copy(update={"arguments": {**step.arguments, "commit": commit}})
            way = plan.choices[0].model_copy(update={"steps": (step,)})
            made = plan.model_copy(update={"gate": name, "choices": (way,)})
            carry_out(name, lambda: made, desk.tell)

        together(lambda: one("keys", "aaa"), lambda: one("letters", "bbb"))

    def answer_both() -> None:
        letters, keys = sorted(
            open_gates(desk.ground.journal, desk.ground.incident), key=lambda gate: gate.name, reverse=True
        )
        for who, gate in (("ada", letters), ("ben", keys)):
            cast(desk.ground.booth(), gate, Answer(who, "go", desk.ground.world.one_time_code(who)))

    desk.when(lambda: len(open_gates(desk.ground.journal, desk.ground.incident)) == 2, answer_both)

    assert desk.ground.play_body(both) is None
    assert sorted(desk.touched()) == ["touched aaa", "touched bbb"]
    assert [entry.body["gate"] for entry in desk.ground.entries("decided")] == ["letters", "keys"]


def _old(gate: Gate | None, seconds: float) -> bool:
    return gate is not None and utc_now() > gate.asked_at + timedelta(seconds=seconds)
