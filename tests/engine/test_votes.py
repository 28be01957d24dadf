"""Votes: the one check behind every way to decide, against a real journal."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyotp
import pytest

from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Decision, Gate
from crisis.domain.entry import Entry
from crisis.domain.person import LOCK, STRIKES, fold_strikes, locked_until, matching_step
from crisis.domain.plan import Plan
from crisis.domain.protocol import Protocol
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.votes import cast, decide_by_silence, open_gates, settle
from crisis.errors import ProtocolError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from tests.domain.story import INCIDENT, RUN, Story, a_plan
from tests.journal.crowd import crowd

SECRETS = {who: pyotp.random_base32() for who in ("ada", "ben", "cleo", "dan")}
GOOD = "the vote counts"
KEY = b"k" * 32


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everybody a secret for their codes."""
    for who, secret in SECRETS.items():
        monkeypatch.setenv(f"CRISIS_SANDBOX_TOTP_{who.upper()}", secret)


@pytest.fixture
def journal(tmp_path: Path, migrated: Path) -> Iterator[Journal]:
    """Open a fresh journal."""
    shutil.copyfile(migrated, tmp_path / "journal.db")
    opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield opened
    opened.close()


@pytest.fixture
def protocol(project: Path) -> Protocol:
    """Read the sandbox's protocol."""
    return load_protocol(project / "protocol.yaml")


class Room:
    """An incident whose decision makers are asked, and who answer."""

    def __init__(self, journal: Journal, protocol: Protocol) -> None:
        self.journal, self.protocol = journal, protocol
        self.booth = Booth(journal, protocol, KEY)
        self.start = utc_now()
        self.steps = count(0)

    def ask(self, plan: Plan | None = None, wait: float = 3600, **more: Any) -> Gate:
        """Ask ada and ben for a plan, as the engine does."""
        plan = plan or a_plan()
        body: dict[str, Any] = {"run": RUN, "gate": plan.gate, "plan": plan.model_dump(mode="json"), "hash": plan.hash}
        body |= {"people": ["ada", "ben"], "needed": 1, "silence": "stop", "requester": "", **more}
        body["deadline"] = write_time(self.start + timedelta(seconds=wait))
        self.journal.append(INCIDENT, "asked", "responder", body)
        return next(gate for gate in open_gates(self.journal, INCIDENT) if gate.name == body["gate"])

    def answer(
        self, gate: Gate, who: str, answer: str = "revert", code: str | None = None, **more: Any
    ) -> Decision | RefusedVote | None:
        """Answer with a fresh code: each call is a step of the clock later than the one before."""
        now = more.pop("now", None) or self.start + timedelta(seconds=30 * next(self.steps))
        code = pyotp.TOTP(SECRETS[who]).at(now) if code is None else code
        said = Answer(who=who, answer=answer, code=code, **more)
        return cast(self.booth, gate, said, now=now)

    def kinds(self, kind: str, chain: str = INCIDENT) -> list[Entry]:
        """Return the entries of a kind."""
        return [entry for entry in self.journal.entries(chain) if entry.kind == kind]


@pytest.fixture
def room(journal: Journal, protocol: Protocol) -> Room:
    """Open the room."""
    return Room(journal, protocol)


def because(result: Decision | RefusedVote | None) -> str:
    """Say why a vote was refused."""
    return result.because if isinstance(result, RefusedVote) else GOOD


def test_a_good_answer_decides(room: Room) -> None:
    """A person who is asked and proves it decides; vote and decision are on record."""
    decision = room.answer(room.ask(), "ada", "roll-back", reason="quicker")

    assert isinstance(decision, Decision)
    assert (decision.outcome, decision.choice, decision.by) == ("approved", "roll-back", ("ada",))
    assert [entry.actor for entry in room.kinds("voted")] == ["ada"]
    assert [step.target for step in decision.steps] == ["shop"]


def test_a_no_declines_at_once(room: Room) -> None:
    """One no is a veto, also where two people are needed; nothing may be done."""
    decision = room.answer(room.ask(needed=2), "ben", "no", reason="wrong release")

    assert isinstance(decision, Decision)
    assert (decision.outcome, decision.by, decision.reason) == ("declined", ("ben",), "wrong release")
    assert decision.steps == ()


@pytest.mark.parametrize(
    ("asked", "said", "words"),
    [
        ({}, {"who": "cleo"}, "'cleo' is not asked; asked are: ada, ben"),
        ({}, {"answer": "change"}, "say in the reason what should be different"),
        ({}, {"who": ""}, "'' is not asked; asked are: ada, ben"),
        ({"people": ["ada", "eve"]}, {"who": "eve"}, "'eve' has no way to prove who they are"),
        ({"requester": "ada"}, {"who": "ada"}, "who started the run cannot approve it"),
        ({}, {"answer": "maybe"}, "'maybe' is no answer to this; say one of: revert, roll-back, change, no"),
        ({}, {"answer": ""}, "'' is no answer to this; say one of: revert, roll-back, change, no"),
        ({}, {"answer": "x" * 99}, f"'{'x' * 40}' is no answer to this; say one of: revert, roll-back, change, no"),
        ({"wait": -1}, {}, "the time to answer is over"),
        ({}, {"code": "000000x"}, "wrong or outdated code"),
        ({}, {"code": ""}, "wrong or outdated code"),
        ({}, {"code": "\u0661\u0662\u0663\u0664\u0665\u0666"}, "wrong or outdated code"),
        ({}, {"code": "\uff11\uff12\uff13\uff14\uff15\uff16"}, "wrong or outdated code"),
        ({}, {"code": "²²²²²²"}, "wrong or outdated code"),
    ],
)
def test_what_does_not_count_is_refused(room: Room, asked: dict[str, Any], said: dict[str, str], words: str) -> None:
    """Each refusal says why, is on record, and decides nothing."""
    gate = room.ask(**asked)
    who = said.get("who", "ada")
    code = said.get("code", pyotp.TOTP(SECRETS.get(who, SECRETS["ada"])).at(room.start))
    result = room.answer(gate, who, said.get("answer", "revert"), code, how="command line")

    assert because(result) == words
    assert [(entry.actor, entry.body["because"]) for entry in room.kinds("vote refused")] == [("command line", words)]
    assert (room.kinds("voted"), room.kinds("decided")) == ([], [])


def test_an_answer_to_nothing_is_refused(room: Room) -> None:
    """A gate that this incident never had cannot be answered."""
    gate = room.ask()
    gate.name = "other"

    assert because(room.answer(gate, "ada")) == "nothing waits for this answer"


def test_an_answer_after_the_run_has_ended_is_refused(room: Room) -> None:
    """Cancelled at the gate, a run waits for nobody: a late yes is no decision that a retry could find."""
    gate = room.ask()
    room.journal.append(INCIDENT, "ended", "responder", {"run": RUN, "outcome": "cancelled", "says": ""})

    assert because(room.answer(gate, "ada")) == "nothing waits for this answer"
    assert room.kinds("decided") == []
    assert open_gates(room.journal, INCIDENT) == []


def test_an_answer_to_an_older_plan_is_refused(room: Room) -> None:
    """Who opened the page before the plan changed must read it again."""
    old = room.ask(a_plan("Take release 4f2c back?"))
    room.ask(a_plan("Take releases 4f2c and 91be back?"))

    assert because(room.answer(old, "ada")) == "the plan has changed since you opened it; read it again"


def test_a_decided_question_is_closed(room: Room) -> None:
    """After the decision nobody decides again."""
    gate = room.ask()
    room.answer(gate, "ada")

    assert because(room.answer(gate, "ben", "no")) == "this was decided already: approved"
    assert len(room.kinds("decided")) == 1


def test_the_deadline_itself_still_counts(room: Room) -> None:
    """An answer in the very last instant is in time."""
    gate = room.ask(wait=60)

    assert because(room.answer(gate, "ada", now=gate.deadline)) == GOOD


def test_what_is_on_record_holds_no_code(room: Room) -> None:
    """Neither a good nor a wrong code is kept anywhere."""
    gate = room.ask()
    code = pyotp.TOTP(SECRETS["ada"]).at(room.start)
    room.answer(gate, "ada", code="987654321")
    room.answer(gate, "ada", code=code, now=room.start)
    kept = str([*room.journal.entries(INCIDENT), *room.journal.entries("PEOPLE")])

    assert "987654321" not in kept
    assert f"'{code}'" not in kept


def test_two_people_must_be_two(room: Room) -> None:
    """One person who agrees twice is one person."""
    gate = room.ask(needed=2)

    assert room.answer(gate, "ada") is None
    assert room.answer(gate, "ada") is None
    assert room.kinds("decided") == []


def test_two_people_decide_together(room: Room) -> None:
    """The second person settles it, and both are named."""
    gate = room.ask(needed=2)
    room.answer(gate, "ada")
    decision = room.answer(gate, "ben")

    assert isinstance(decision, Decision)
    assert (decision.outcome, decision.by) == ("approved", ("ada", "ben"))


def test_two_people_for_two_ways_decide_nothing(room: Room) -> None:
    """Two answers that differ are no agreement."""
    gate = room.ask(needed=2)

    assert room.answer(gate, "ada", "revert") is None
    assert room.answer(gate, "ben", "roll-back") is None


def test_a_vote_may_change_before_the_quorum(room: Room) -> None:
    """The last word of each person counts."""
    gate = room.ask(needed=2)
    room.answer(gate, "ada", "revert")
    room.answer(gate, "ben", "roll-back")
    decision = room.answer(gate, "ada", "roll-back")

    assert isinstance(decision, Decision)
    assert (decision.choice, set(decision.by)) == ("roll-back", {"ada", "ben"})


def test_people_asked_later_may_answer(room: Room) -> None:
    """A deputy who was called in decides like the others."""
    gate = room.ask(people=["ada"])
    body = {"run": RUN, "gate": gate.name, "hash": gate.plan.hash, "people": ["ben"], "because": "no answer yet"}
    room.journal.append(INCIDENT, "escalated", "responder", body)

    assert because(room.answer(gate, "ben")) == GOOD


def test_votes_for_an_older_plan_do_not_count(room: Room) -> None:
    """A plan that is asked anew starts without votes."""
    room.answer(room.ask(a_plan("Take one back?"), needed=2), "ada")
    gate = room.ask(a_plan("Take two back?"), needed=2)

    assert room.answer(gate, "ben") is None


def test_the_same_plan_asked_again_is_decided_again(room: Room) -> None:
    """When the world moved away and back, the old decision neither counts nor stands in the way."""
    room.answer(room.ask(a_plan("Take one back?")), "ada")
    room.answer(room.ask(a_plan("Take two back?")), "ada")
    again = room.ask(a_plan("Take one back?"))
    decision = room.answer(again, "ben", "no")

    assert isinstance(decision, Decision)
    assert (decision.outcome, decision.by) == ("declined", ("ben",))


@pytest.mark.parametrize(("silence", "choice"), [("stop", ""), ("proceed", "revert")])
def test_silence_has_its_stated_outcome(room: Room, silence: str, choice: str) -> None:
    """Nobody's answer is recorded as nobody's, and means what the question said."""
    decision = decide_by_silence(room.booth, room.ask(silence=silence))

    assert (decision.outcome, decision.choice, decision.by) == (f"silence: {silence}", choice, ())
    assert [entry.actor for entry in room.kinds("decided")] == ["silence"]


def test_silence_after_a_decision_changes_nothing(room: Room) -> None:
    """Somebody who decided in the last instant keeps the decision."""
    gate = room.ask()
    room.answer(gate, "ada")

    assert decide_by_silence(room.booth, gate).by == ("ada",)
    assert settle(room.booth, gate) == decide_by_silence(room.booth, gate)
    assert len(room.kinds("decided")) == 1


def voter(room: Room, project: Path, who: str, answer: str) -> list[str]:
    """Return the arguments of a process that answers now."""
    url = room.journal.database.url.render_as_string(hide_password=False)
    code = pyotp.TOTP(SECRETS[who]).at(room.start)
    return [
        "vote",
        KEY.decode(),
        url,
        str(project / "protocol.yaml"),
        INCIDENT,
        who,
        answer,
        code,
        room.start.isoformat(),
    ]


def test_of_two_people_who_race_one_decides(room: Room, project: Path) -> None:
    """Two processes with two answers make one decision, and both are told the same."""
    room.ask()
    one, other = crowd(voter(room, project, "ada", "revert"), voter(room, project, "ben", "roll-back"))
    (decided,) = room.kinds("decided")

    assert decided.body["outcome"] == "approved"
    assert "approved" in (one[0], other[0])
    assert {one[0], other[0]} <= {"approved", "refused: this was decided already: approved"}


def test_two_people_who_race_make_a_quorum(room: Room, project: Path) -> None:
    """Where two are needed and answer at the same moment, neither vote is lost."""
    room.ask(needed=2)
    said = crowd(voter(room, project, "ada", "revert"), voter(room, project, "ben", "revert"))
    (decided,) = room.kinds("decided")

    assert sorted(decided.body["by"]) == ["ada", "ben"]
    assert ["approved"] in said


def test_silence_and_a_vote_at_one_instant_have_one_outcome(room: Room, project: Path) -> None:
    """Whoever is faster, there is one decision, and the other side is told that one."""
    room.ask()
    voted, silent = crowd(voter(room, project, "ada", "revert"), voter(room, project, "ben", "silence"))
    (decided,) = room.kinds("decided")
    outcome = decided.body["outcome"]

    assert silent == [outcome]
    assert voted in ([outcome], [f"refused: this was decided already: {outcome}"])


def test_a_code_serves_one_of_two_processes(room: Room, project: Path) -> None:
    """The same code at two doors at once opens one of them."""
    room.ask(needed=2)
    said = crowd(voter(room, project, "ada", "revert"), voter(room, project, "ada", "roll-back"))

    assert sorted(said) == [["more needed"], ["refused: this code was used already; wait for the next one"]]
    assert len(room.kinds("voted")) == 1


@pytest.mark.parametrize("how", ["page", "command line", "Prefect form"])
def test_a_code_is_good_once(room: Room, how: str) -> None:
    """A code that was used is refused at another gate, whichever way it comes."""
    first = room.ask()
    second = room.ask(a_plan("Another?").model_copy(update={"gate": "another"}))
    code = pyotp.TOTP(SECRETS["ada"]).at(room.start)
    room.answer(first, "ada", code=code, now=room.start, how="page")
    result = room.answer(second, "ada", code=code, now=room.start, how=how)

    assert because(result) == "this code was used already; wait for the next one"


@pytest.mark.parametrize(("steps", "words"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_of_drift_is_allowed(room: Room, steps: int, *, words: bool) -> None:
    """A clock that is thirty seconds off is accepted, one that is a minute off is not."""
    code = pyotp.TOTP(SECRETS["ada"]).at(room.start + timedelta(seconds=30 * steps))
    result = room.answer(room.ask(), "ada", code=code, now=room.start)

    assert because(result) == (GOOD if words else "wrong or outdated code")


def test_spaces_around_a_code_do_not_matter(room: Room) -> None:
    """A code that was pasted with a space is the same code."""
    code = pyotp.TOTP(SECRETS["ada"]).at(room.start)

    assert because(room.answer(room.ask(), "ada", code=f" {code}\n", now=room.start)) == GOOD


def test_five_wrong_codes_lock(room: Room) -> None:
    """After five wrong codes even the right one is refused, and no further strike is counted."""
    gate = room.ask()
    for _ in range(STRIKES):
        room.answer(gate, "ada", code="000000x", now=room.start)
    result = room.answer(gate, "ada", now=room.start)

    assert because(result).startswith("locked after 5 wrong codes until ")
    assert len(room.kinds("code refused", "PEOPLE")) == STRIKES


def test_the_lock_ends_after_fifteen_minutes(room: Room) -> None:
    """A quarter of an hour later the right code counts again."""
    gate = room.ask()
    for _ in range(STRIKES):
        room.answer(gate, "ada", code="000000x", now=room.start)
    last = room.kinds("code refused", "PEOPLE")[-1].time

    assert because(room.answer(gate, "ada", now=last + LOCK - timedelta(seconds=1))).startswith("locked")
    assert because(room.answer(gate, "ada", now=last + LOCK)) == GOOD


def test_the_lock_is_one_person_s(room: Room) -> None:
    """Somebody else still decides."""
    gate = room.ask()
    for _ in range(STRIKES):
        room.answer(gate, "ada", code="000000x", now=room.start)

    assert because(room.answer(gate, "ben", now=room.start)) == GOOD


def test_a_good_code_forgives_wrong_ones(room: Room) -> None:
    """Four wrong codes, a good one, and four wrong ones again lock nobody."""
    gate = room.ask(needed=2)
    for code in (*["000000x"] * 4, None, *["000000x"] * 4, None):
        result = room.answer(gate, "ada", code=code)

    assert because(result) == GOOD


def test_strikes_at_one_moment_do_not_open_the_lock_later() -> None:
    """Six wrong codes at once and five after the lock ran out lock again: the sixth postpones nothing."""
    story = Story("PEOPLE", datetime(2026, 11, 24, 3, tzinfo=UTC))
    for number in range(6):
        story.tell(number, "code refused", "ada", because="wrong or outdated code")
    for number in range(5):
        story.tell(905 + number, "code refused", "ada", because="wrong or outdated code")
    until = locked_until(fold_strikes(story.entries, "ada"))

    assert until == story.start + timedelta(seconds=909) + LOCK


@pytest.mark.parametrize("secret", ["JBSWY3DPEHPK3PXP", "not base32 at all, not at all", "é" * 32, "A" * 22, "!"])
def test_a_broken_secret_is_said_without_it(room: Room, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    """A secret that is too short or none names the person and the reference, never the secret, and decides nothing."""
    monkeypatch.setenv("CRISIS_SANDBOX_TOTP_ADA", secret)
    gate = room.ask()

    with pytest.raises(ProtocolError, match=r"^ada: env:CRISIS_SANDBOX_TOTP_ADA: wanted a base32 secret") as caught:
        room.answer(gate, "ada", code="123456")

    assert secret not in str(caught.value)[40:]
    assert room.kinds("decided") == []


def test_a_missing_secret_is_said(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the secret nobody can prove who they are, and the error names the variable."""
    monkeypatch.delenv("CRISIS_SANDBOX_TOTP_ADA")
    gate = room.ask()

    with pytest.raises(ProtocolError, match="the variable CRISIS_SANDBOX_TOTP_ADA"):
        room.answer(gate, "ada")


def test_a_secret_may_be_written_in_groups() -> None:
    """Spaces, small letters and padding, as authenticators show a secret, change nothing."""
    secret, now = SECRETS["ada"], datetime(2026, 11, 24, tzinfo=UTC)
    written = " ".join(secret.lower()[at : at + 4] for at in range(0, len(secret), 4)) + "===="
    code = pyotp.TOTP(secret).at(now)

    assert matching_step(written, code, now) == int(now.timestamp()) // 30
