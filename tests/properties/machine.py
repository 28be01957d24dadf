"""Machine: a gate under random votes, times, absences, forgeries and restarts, next to an oracle."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Decision, Gate, fold_gates
from crisis.domain.incident import ended_runs
from crisis.domain.mandate import ladder, tally
from crisis.domain.plan import Plan
from crisis.engine.booth import Answer, RefusedVote
from crisis.engine.votes import cast, decide_by_silence
from crisis.errors import DriftError, UnauthorisedError
from crisis.journal.store import Journal
from tests.attacks.ground import INCIDENT, RUN, SECRETS, Clock, Ground, a_protocol, two_ways
from tests.properties.oracle import Ballot, Question, Rules

__all__ = ["Gates"]

NAMES = {
    "ada": "ada",
    "ADA": "ada",
    "ada-admin": "ada",
    "Ada Okafor": "ada",
    "ben": "ben",
    "cleo": "cleo",
    "dan": "dan",
    "mallory": "mallory",
}
TARGETS = ("a", "b", "c")

who_comes = st.sampled_from(["ada", "ben", "cleo", "dan"] * 3 + list(NAMES))
what_they_say = st.sampled_from(["go"] * 5 + ["other", "other", "no", "change", "maybe"])
which_steps = st.sampled_from([None, None, None, (0,), (1,), (0, 1), (), (7,)])
which_code = st.sampled_from(["right"] * 7 + ["wrong", "used", "another's", "late"])
ways_in = st.sampled_from(["page", "command line", "Prefect form", "Slack", "SMS", "phone"])
how_long = st.sampled_from([1, 20, 31, 31, 61, 181, 301, 601, 901, 3700])


class Gates(RuleBasedStateMachine):
    """A run with one gate, driven by the engine's own functions; `question` is what the oracle knows of it."""

    template: ClassVar[Path]
    written: ClassVar[dict[str, Any]]
    clock: ClassVar[Clock]
    folder: ClassVar[Path]
    attacked: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copy(self.template, self.home / "journal.db")
        self.clock.now = utc_now()
        self.ground = Ground(self.home, self.clock, self._open(), a_protocol(self.written))
        self.question: Question | None = None
        self.seen: list[tuple[int, str]] = []
        self.outcomes: dict[int, Decision] = {}
        self.used: set[str] = set()
        self.codes: list[str] = []
        self.gone: list[str] = []
        self.level = 1

    def _open(self) -> Journal:
        return Journal.open(f"sqlite:///{self.home / 'journal.db'}")

    def teardown(self) -> None:
        self.ground.journal.close()
        shutil.rmtree(self.home)

    # The engine, and what a process knows.

    @initialize(
        level=st.sampled_from([1, 1, 2]),
        destroys=st.booleans(),
        silence=st.sampled_from([True, True, False]),
        requester=st.sampled_from(["", "", "ada", "cleo", "ada-admin"]),
        author=st.sampled_from(["", "", "Ben Lindqvist"]),
        severable=st.sampled_from([True, True, False]),
    )
    def begin(self, *, level: int, destroys: bool, silence: bool, requester: str, author: str, severable: bool) -> None:
        """Open an incident with its protocol and its plan."""
        ground, action = self.ground, "burn_release" if destroys else "touch_release"
        if silence:
            ground.silence_proceeds()
        self.level = ground.level = level
        self.levels = [level, 3 - level]
        ground.requester, self.author = requester, author
        authors = (author,) if author else ()
        self.plans = [
            two_ways(action, f"Touch it, take {turn}?", severable=severable, authors=authors) for turn in (1, 2)
        ]
        self.action, self.silence = action, silence and not destroys
        self.run = ground.run()
        self.ask(0)

    @precondition(lambda self: self.question is None or self.question.settled or self.question.spoilt)
    @rule(turn=st.sampled_from([0, 0, 1]))
    def ask(self, turn: int) -> None:
        """Put the question, or put it again because the plan changed."""
        from crisis.engine.action import strictest_rule  # noqa: PLC0415 - loads Prefect
        from crisis.engine.question import ask  # noqa: PLC0415

        plan = self.plans[turn]
        with self.run:
            gate = ask(self.run, plan, strictest_rule(self.run.protocol, plan))
        self.question = self._as_asked(plan, gate)

    def _as_asked(self, plan: Plan, gate: Gate) -> Question:
        protocol, now = self.run.protocol, self.clock.now
        reach, found = [*protocol.levels[self.level].decision_makers], set[str]()  # type: ignore[index]
        if self.level > 1:
            reach += protocol.levels[1].decision_makers  # type: ignore[index]
        while reach:
            who = reach.pop()
            found.add(who)
            deputy = protocol.people[who].deputy
            reach += [deputy] if deputy and deputy not in found else []
        destroys = self.action == "burn_release"
        rules = Rules(
            needed=2 if destroys else 1,
            good_for=timedelta(hours=1),
            silence_at=frozenset({1}) if self.silence else frozenset(),
            glass=frozenset({"cleo", "dan"}),
            glass_after=timedelta(minutes=10),
            glass_good_for=timedelta(minutes=15),
        )
        return Question(
            asked_as=gate.asked_as,
            ways={"go": ("a", "b"), "other": ("c",)},
            authors=frozenset({"ben"}) if plan.choices[0].authors else frozenset(),
            rules=rules,
            level=self.level,
            asked_at=now,
            deadline=now + timedelta(minutes=30 if destroys else 15),
            ladder=frozenset(found),
            excluded=frozenset({NAMES[self.ground.requester]} if self.ground.requester else ()),
        )

    @rule(seconds=how_long)
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @precondition(lambda self: self.question is not None and not self.question.settled)
    @rule()
    def climb(self) -> None:
        """Let the ladder go on, as far as it is time."""
        from crisis.engine.action import strictest_rule  # noqa: PLC0415 - loads Prefect
        from crisis.engine.question import climb  # noqa: PLC0415

        gate = self.ground.gate()
        if gate.decision is None and self.run.booth.is_ours(gate):
            rungs = ladder(self.run.protocol, gate.level, gate.needed, gate.asked_at, gate.excluded)
            with self.run:
                climb(self.run, gate, strictest_rule(self.run.protocol, gate.plan), rungs, self.clock.now)

    @precondition(lambda self: self.question is not None and not self.question.settled)
    @rule()
    def give_up(self) -> None:
        """Record what silence means, once the time is over."""
        gate = self.ground.gate()
        if gate.decision is None and self.clock.now > gate.deadline and self.run.booth.is_ours(gate):
            decide_by_silence(self.ground.booth, gate)
            question = self.question
            if question is not None and not question.settled and gate.asked_as == question.asked_as:
                question.fell_silent()

    @precondition(lambda self: len(self.gone) < 2)
    @rule(who=st.sampled_from(["ada", "ben", "cleo", "dan"]))
    def leave(self, who: str) -> None:
        """Let somebody be away for an hour from now on."""
        self.clock.advance(1)  # whoever leaves has not voted at that very instant
        since = self.clock.now
        self.gone.append(who)
        self.ground.data["people"][who].setdefault("away", [])
        self.ground.data["people"][who]["away"].append({"from": since, "to": since + timedelta(hours=1)})
        self.run = self.ground.run()

    @precondition(lambda self: self.question is not None and self.question.settled and self.levels)
    @rule()
    def set_level(self) -> None:
        """Record another level, and later the first one again: it rises, and never falls."""
        level = self.levels.pop()
        self.level = min(self.level, level)
        self.ground.journal.append(INCIDENT, "level", "responder", {"level": level, "because": "it is so"})

    @precondition(lambda self: self.question is not None and self.question.settled)
    @rule(seconds=st.sampled_from([898, 902, 3598, 3602]))
    def outlast(self, seconds: int) -> None:
        """Let as much time pass as a decision lasts, or a little less or more."""
        self.clock.advance(seconds)

    @precondition(lambda self: self.question is not None and self.question.settled)
    @rule()
    def drift(self) -> None:
        """Let the world move: what was decided is recorded as overtaken, and the same plan is asked again."""
        gate = self.ground.gate()
        if gate.decision is not None:
            body = {"gate": gate.name, "hash": gate.plan.hash, "decided_as": gate.decision.seq, "says": "moved"}
            self.run.record("drifted", body)
            self.ask(0)

    @rule()
    def restart(self) -> None:
        """Throw away all that a process knows; the record reads the same."""
        before = fold_gates(self.ground.journal.entries(INCIDENT))
        self.ground.journal.close()
        self.ground.journal = self._open()
        self.run = self.ground.run()

        assert fold_gates(self.ground.journal.entries(INCIDENT)) == before

    # People.

    @rule(name=who_comes, answer=what_they_say, steps=which_steps, glass=st.booleans(), code=which_code, how=ways_in)
    def vote(self, *, name: str, answer: str, steps: tuple[int, ...] | None, glass: bool, code: str, how: Any) -> None:
        """Answer; a refused answer changes nothing, and what the oracle must refuse is refused."""
        gate, who, now = self.ground.gate(), NAMES[name], self.clock.now
        before = (len(gate.votes), tally(gate), gate.decision)
        shown = self._code(who, code)
        said = Answer(name, answer, shown, "because", how, steps, glass and who in ("cleo", "dan"))
        result = cast(self.run.booth, gate, said)
        after = self.ground.gate()
        if isinstance(result, RefusedVote):
            assert (len(after.votes), tally(after), after.decision) == before
            return
        assert code == "right", f"a {code} code was taken"
        assert f"{who} {shown}" not in self.used, "a code was taken twice"
        self.used.add(f"{who} {shown}")
        self.codes.append(shown)
        question = self.question
        if question is None or gate.asked_as != question.asked_as:
            return  # an answer to a question that somebody forged
        away = self.run.protocol.people[who].is_away(now)
        assert not question.must_refuse(who, answer, away=away, glass=said.glass, now=now)
        counted = frozenset(range(len(question.ways.get(answer, ()))) if steps is None else steps)
        question.answered(Ballot(who, answer, counted, said.glass, now))

    def _code(self, who: str, kind: str) -> str:
        if kind == "wrong" or who not in SECRETS:
            return "000000x"
        if kind == "used" and self.codes:
            return self.codes[-1]
        if kind == "another's":
            return self.ground.code("ben" if who == "ada" else "ada")
        return self.ground.code(who, ago=600 if kind in ("late", "used") else 0)

    @precondition(lambda self: self.question is not None and not self.question.settled)
    @rule(
        people=st.permutations(["ada", "ben", "cleo"]),
        answer=st.sampled_from(["go", "go", "go", "other"]),
        parts=st.lists(st.sampled_from([None, None, (0,), (1,), (0, 1)]), min_size=3, max_size=3),
        how=ways_in,
    )
    def agree(self, *, people: list[str], answer: str, parts: list[tuple[int, ...] | None], how: Any) -> None:
        """Let those who are asked agree, one after the other, each with a fresh code."""
        self._put_again()
        asked = [who for who in people if who in self.ground.gate().people]
        for who, steps in zip(asked, parts, strict=False):
            if self.question is not None and not self.question.settled:
                self.clock.advance(31)
                part = steps if answer == "go" else None
                self.vote(name=who, answer=answer, steps=part, glass=False, code="right", how=how)

    def _put_again(self) -> None:
        """Ask anew where somebody wrote over the question or its outcome, as the engine does when it comes by."""
        gate = self.ground.gate()
        if self.question is None or gate.asked_as != self.question.asked_as or gate.decision is not None:
            self.ask(0)

    @precondition(lambda self: self.question is not None and not self.question.settled)
    @rule(after=st.sampled_from([560, 605, 605]))
    def break_glass(self, after: int) -> None:
        """Let two break glass together, sometimes too early."""
        self._put_again()
        self.clock.advance(after)
        for who in ("cleo", "dan"):
            self.vote(name=who, answer="go", steps=None, glass=True, code="right", how="page")

    @precondition(lambda self: self.question is not None and not self.question.settled)
    @rule()
    def sit_out(self) -> None:
        """Let the time to answer run out."""
        self.clock.now = self.ground.gate().deadline + timedelta(seconds=1)
        self.give_up()

    # Somebody who writes into the journal.

    @precondition(lambda self: self.attacked and self.is_undecided())
    @rule(who=who_comes, answer=st.sampled_from(["go", "other", "no"]), glass=st.booleans())
    def forge_vote(self, who: str, answer: str, *, glass: bool) -> None:
        """Write a vote without a seal."""
        self._spoil()
        body = self.ground.ballot(self.ground.gate(), answer, glass=glass, seal="0" * 64)
        self.ground.forge("voted", who, body)

    @precondition(lambda self: self.attacked and self.is_undecided())
    @rule(at=st.integers(0, 5), who=st.sampled_from(["ada", "ben", "dan"]), alters=st.booleans())
    def copy_vote(self, at: int, who: str, *, alters: bool) -> None:
        """Write a genuine vote once more, as it was or under another name, and for the question of now or of then."""
        voted = [entry for entry in self.ground.entries("voted") if len(str(entry.body.get("seal"))) == 64]
        if not voted:
            return
        old = voted[-1 - at % len(voted)]
        self._spoil()
        gate = self.ground.gate()
        moved = {"asked_as": gate.asked_as, "hash": gate.plan.hash} if alters else {}
        self.ground.forge("voted", who if alters else old.actor, {**old.body, **moved})

    @precondition(lambda self: self.attacked)
    @rule(
        outcome=st.sampled_from(["approved", "silence: proceed", "declined"]),
        choice=st.sampled_from(["go", "other"]),
        by=st.lists(st.sampled_from(["ada", "ben", "cleo", "dan"]), max_size=2),
        glass=st.booleans(),
        later=st.sampled_from([0, 0, 901, 1801]),
    )
    def forge_decision(self, *, outcome: str, choice: str, by: list[str], glass: bool, later: int) -> None:
        """Write a decision by hand, dated now or later."""
        self._spoil()
        with self.clock.at(self.clock.now + timedelta(seconds=later)):
            self.ground.decided(self.ground.gate(), outcome, choice, by=by, glass=glass, seal="")

    @precondition(lambda self: self.attacked and self.is_undecided())
    @rule(which=st.sampled_from(["needed", "people", "excluded", "deadline", "silence", "plan", "copy"]))
    def forge_question(self, which: str) -> None:
        """Write the question once more, with something changed."""
        self._spoil()
        gate = self.ground.gate()
        evil = two_ways(self.action, "Touch it, take 3?")
        changes: dict[str, dict[str, Any]] = {
            "needed": {"needed": 1},
            "people": {"people": ["ada", "ben", "cleo", "dan"]},
            "excluded": {"excluded": [], "requester": ""},
            "deadline": {"deadline": write_time(self.clock.now)},
            "silence": {"silence": "proceed"},
            "plan": {"plan": evil.model_dump(mode="json"), "hash": evil.hash},
            "copy": {},
        }
        self.ground.asked_again(gate, **changes[which])

    @precondition(lambda self: self.attacked and self.is_undecided())
    @rule(
        people=st.permutations(["ada", "ben", "cleo", "dan"]),
        answer=st.sampled_from(["go", "go", "other"]),
        glass=st.booleans(),
    )
    def forge_quorum(self, people: list[str], answer: str, *, glass: bool) -> None:
        """Write two votes without seals and the decision that they would make."""
        self._spoil()
        gate = self.ground.gate()
        for who in people[:2]:
            self.ground.forge("voted", who, self.ground.ballot(gate, answer, glass=glass, seal=who))
        self.ground.decided(gate, "approved", answer, by=people[:2], glass=glass)

    @precondition(lambda self: self.attacked and self.silence and self.is_undecided())
    @rule(which=st.sampled_from(["deadline", "at once", "later"]))
    def forge_silence(self, which: str) -> None:
        """Make it look as if the time to answer were over."""
        self._spoil()
        gate = self.ground.gate()
        if which == "deadline":
            gate = self.ground.asked_again(gate, deadline=write_time(self.clock.now), silence="proceed")
        with self.clock.at(max(gate.deadline, self.clock.now) if which == "later" else self.clock.now):
            self.ground.decided(gate, "silence: proceed", seal="")  # without our key

    @precondition(lambda self: self.attacked and self.question is not None and not self.question.settled)
    @rule(pair=st.sampled_from([("ada", "ben"), ("ben", "ada")]))
    def change_of_mind(self, pair: tuple[str, str]) -> None:
        """Let one say go and then something else, an attacker copy the first answer, and the other say go."""
        self._put_again()
        said: dict[str, Any] = {"steps": None, "glass": False, "code": "right", "how": "page"}
        for answer in ("go", "other"):
            self.clock.advance(31)
            self.vote(name=pair[0], answer=answer, **said)
        asked_as = self.ground.gate().asked_as
        mine = [one for one in self.ground.entries("voted") if one.actor == pair[0]]
        first = next((one for one in mine if (one.body["asked_as"], one.body["answer"]) == (asked_as, "go")), None)
        if first is not None:
            self._spoil()
            self.ground.forge("voted", first.actor, first.body)
        self.clock.advance(31)
        self.vote(name=pair[1], answer="go", **said)

    @precondition(lambda self: self.attacked and self.is_undecided())
    @rule(who=st.sampled_from(["cleo", "dan", "mallory"]))
    def forge_rung(self, who: str) -> None:
        """Write that somebody off the ladder is asked."""
        self._spoil()
        gate = self.ground.gate()
        body = {"run": RUN, "gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
        self.ground.forge("escalated", "responder", {**body, "people": [who], "because": "", "rung": who})

    def is_undecided(self) -> bool:
        """Whether a row would still find a question to settle."""
        return self.ground.gate().decision is None

    def _spoil(self) -> None:
        if self.question is not None:
            self.question.spoilt = True

    # What holds after every step.

    @invariant()
    def nothing_is_authorised_that_nobody_decided(self) -> None:
        """A step may begin only where the oracle says so; and where nobody forged anything, exactly there."""
        if self.question is None:
            return
        for target in TARGETS:
            may = self._may_begin(target)
            should = self.question.carries(target, self.level, self.clock.now)
            assert should or not may, f"{target} would be touched without a decision that covers it"
            assert may or self.question.spoilt or not should, f"{target} was decided and is refused"

    def _may_begin(self, target: str) -> bool:
        from crisis.engine.action import ACTIONS, _check_decision  # noqa: PLC0415 - loads Prefect

        about = {"action": self.action, "target": target, "call": f"never {target}"}
        try:
            _check_decision(self.run, ACTIONS[self.action], {"what": target}, about)
        except (DriftError, UnauthorisedError):
            return False
        return True

    @invariant()
    def the_record_only_grows(self) -> None:
        """Entries stay what they are, the chain verifies, and folding twice gives the same."""
        entries = self.ground.journal.entries(INCIDENT)
        now = [(entry.seq, entry.hash) for entry in entries]

        assert now[: len(self.seen)] == self.seen
        assert list(self.ground.journal.verify(INCIDENT)) == []
        assert fold_gates(entries) == fold_gates(entries)
        assert ended_runs(entries) == set()
        self.seen = now

    @invariant()
    def no_question_has_two_outcomes(self) -> None:
        """An outcome never changes, and the engine writes one for each question."""
        if self.question is None:
            return
        gate = self.ground.gate()
        if gate.decision is not None:
            assert self.outcomes.setdefault(gate.asked_as, gate.decision) == gate.decision
        engines = [asked_as for asked_as, _ in self.ground.outcomes()]
        assert len(engines) == len(set(engines))
