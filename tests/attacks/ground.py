"""A whole gate under attack: real journal, real engine, a world of one list, and a clock that waits for nobody."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
from sqlalchemy import text, update

from crisis.domain.change import Change
from crisis.domain.clock import write_time
from crisis.domain.decision import Decision, Gate, fold_gates
from crisis.domain.entry import Entry, canonical, entry_hash
from crisis.domain.plan import Choice, Plan, Step
from crisis.domain.protocol import Protocol
from crisis.domain.seal import seal
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.mirror import NoMirror
from crisis.engine.run import Run
from crisis.engine.votes import cast, open_gates
from crisis.errors import CrisisError
from crisis.journal.lease import Lease, Leases
from crisis.journal.schema import ENTRIES, HEADS
from crisis.journal.store import Journal
from crisis.settings import Settings

__all__ = ["INCIDENT", "OTHER", "RUN", "SECRETS", "Clock", "Ground", "Killed", "Moment", "a_protocol", "two_ways"]

INCIDENT, OTHER = "INC-20261124-a77ac4", "INC-20261124-0f4e12"
RUN = "7e0f2c55-1f0a-4c6e-8a39-6d1d4c0f9a10"
SECRETS = {who: pyotp.random_base32() for who in ("ada", "ben", "cleo", "dan")}
Moment = Callable[[Gate], object]
"""What happens when a question is put for the first time."""


class Killed(BaseException):
    """The process that drives the run dies here."""


class Clock:
    """The time of everybody in a test. Whoever sleeps moves it; it also stands in for the engine's `time`."""

    def __init__(self, now: datetime, stride: float = 20.0) -> None:
        self.now, self.stride = now, stride
        self.looks: Callable[[], bool] = lambda: False

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def sleep(self, _seconds: float) -> None:
        """Wait, unless something happens now; how long somebody means to sleep does not matter."""
        if not self.looks():
            self.advance(self.stride)

    def monotonic(self) -> float:
        """Return the moment in seconds."""
        return self.now.timestamp()

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Let somebody lie about the time."""
        true, self.now = self.now, moment
        try:
            yield
        finally:
            self.now = true


def a_protocol(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sandbox's protocol, in which the actions of these tests may be done at Defcon 1 and 2."""
    changed = deepcopy(dict(data))
    for level in (1, 2):
        changed["levels"][level]["authorised"] += ["touch_release", "burn_release"]
    changed["gates"]["restore"] = {"ask": "decision maker", "deputy_after": "3m", "wait": "15m", "hold": "1h"}
    changed["gates"]["destroy"] = {"ask": "two people", "deputy_after": "5m", "wait": "30m", "hold": "1h"}
    return changed


def two_ways(action: str = "touch_release", title: str = "Touch it?", *, severable: bool = True, **more: Any) -> Plan:
    """Return a plan with two ways to go: `go` touches a and b, `other` touches c."""

    def touch(what: str) -> Step:
        return Step(action=action, target=what, arguments={"what": what}, now="as it is", wanted="touched", undo="none")

    go = Choice(name="go", summary="Both.", steps=(touch("a"), touch("b")), severable=severable, **more)
    other = Choice(name="other", summary="The other.", steps=(touch("c"),))
    return Plan(gate="touch", title=title, choices=(go, other), takes=timedelta(seconds=1), on_no="nothing is done")


@dataclass
class Ground:
    """One incident with one run, whose gate is attacked. `touched` is the world."""

    home: Path
    clock: Clock
    journal: Journal
    data: dict[str, Any]
    touched: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    forged: set[int] = field(default_factory=set)
    moments: list[Moment] = field(default_factory=list)
    later: list[tuple[Callable[[Gate], bool], Moment]] = field(default_factory=list)
    plan: Plan = field(default_factory=two_ways)
    level: int = 1
    requester: str = ""
    incident_requester: str = ""
    driver: str = RUN

    def __post_init__(self) -> None:
        self.settings = Settings(home=self.home, public_url="http://crisis.test")
        self.questions: set[int] = set()
        self._asked: set[int] = set()
        self._leases: dict[str, Lease] = {}

    @property
    def protocol(self) -> Protocol:
        """The protocol in force."""
        return Protocol.model_validate(self.data)

    @property
    def booth(self) -> Booth:
        """Where answers are taken."""
        return Booth.of(self.journal, self.protocol, self.settings)

    def silence_proceeds(self) -> None:
        """Let silence touch at Defcon 1."""
        self.data["gates"]["restore"]["proceed_on_silence"] = {"touch_release": [1]}

    # What the engine does.

    def run(self) -> Run:
        """Return the run, as the process that now drives it knows it."""
        if not self._leases:
            body = {"service": "shop", "playbook": "attack", "source": "cli", "requester": self.incident_requester}
            self.journal.append(INCIDENT, "opened", "cli", {**body, "summary": "it fails", "drill": False})
            self.journal.append(INCIDENT, "level", "responder", {"level": self.level, "because": "it fails"})
        if self.driver not in self._leases:
            taken = Leases(self.journal.database, 3600).take(self.driver, INCIDENT, "attack", "here", 1)
            assert taken is not None
            self._leases[self.driver] = taken
            self.journal.append(INCIDENT, "started", "responder", {"run": self.driver, "playbook": "attack"})
        given = (self.journal, self.protocol, self.settings, self._leases[self.driver], NoMirror(), self.requester)
        return Run(self.driver, INCIDENT, "attack", *given)

    def play(self, *moments: Moment) -> None:
        """Plan, ask and act until the run is over; each moment comes with the next new question."""
        from crisis.engine.gate import carry_out  # noqa: PLC0415 - loads Prefect

        self.moments = list(moments)
        self.driven(lambda: carry_out("touch", lambda: self.plan, self.tell))

    def approve(self, *moments: Moment, then: Callable[[Decision], object]) -> None:
        """Ask, and let the playbook do something of its own with the decision."""
        from crisis.engine.gate import approve  # noqa: PLC0415 - loads Prefect

        self.moments = list(moments)
        self.driven(lambda: then(approve(self.plan, self.tell)))

    def act(self, *targets: str, action: str = "touch_release") -> None:
        """Do something outside any plan, as a playbook might."""
        from crisis.engine.action import ACTIONS  # noqa: PLC0415 - loads Prefect

        self.driven(lambda: [ACTIONS[action].run(what) for what in targets])

    def driven(self, work: Callable[[], object]) -> None:
        self.clock.looks = self.happens
        with self.run():
            try:
                work()
            except CrisisError as error:
                self.said.append(str(error))
            except Killed:
                self._asked.clear()  # the next process asks again

    def tell(self, who: str, title: str, page: str, question: int, mark: str, says: str) -> Change:
        """Keep what somebody is told."""
        self.told.append((who, mark, says))
        self.questions.add(question)
        return Change.none(who, because=f"{title} {page}")

    def happens(self) -> bool:
        """Let happen what the test planned, while the engine waits: a moment for each new question."""
        gate = self.gate()
        if gate.asked_as not in self._asked:
            self._asked.add(gate.asked_as)
            if self.moments:
                self.moments.pop(0)(gate)
                return True
        due = next((one for one in self.later if one[0](gate)), None)
        if due is not None:
            self.later.remove(due)
            due[1](gate)
        return due is not None

    def gate(self, incident: str = INCIDENT, name: str = "touch") -> Gate:
        """Return the question as it stands."""
        return fold_gates(self.journal.entries(incident))[self.driver, name]

    def entries(self, *kinds: str) -> list[Entry]:
        """Return the incident's entries of these kinds."""
        return [entry for entry in self.journal.entries(INCIDENT) if entry.kind in kinds]

    # What people do.

    def code(self, who: str, *, ago: float = 0) -> str:
        """Return what a phone shows, or showed."""
        return pyotp.TOTP(SECRETS[who]).at(self.clock.now - timedelta(seconds=ago))

    def vote(
        self, gate: Gate, who: str, answer: str = "go", code: str | None = None, *, owner: str = "", **more: Any
    ) -> Decision | RefusedVote | None:
        """Answer with a fresh code, half a minute after whoever came before; `owner` holds the phone."""
        if code is None:
            self.clock.advance(30)
            code = self.code(owner or who)
        result = cast(self.booth, gate, Answer(who=who, answer=answer, code=code, **more))
        if isinstance(result, RefusedVote):
            self.said.append(result.because)
        return result

    # What an attacker who writes to the database does: the chain always verifies afterwards.

    def forge(self, kind: str, actor: str, body: Mapping[str, Any], *, incident: str = INCIDENT) -> Entry:
        """Append an entry by hand."""
        entry = self.journal.append(incident, kind, actor, body)
        self.forged.add(entry.seq)
        return entry

    def ballot(self, gate: Gate, answer: str = "go", **more: Any) -> dict[str, Any]:
        """Return the body of a vote, without its seal."""
        body = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
        body |= {"answer": answer, "how": "page", "reason": "", "proof": "one-time code"}
        return {**body, "proved_at": write_time(self.clock.now), **more}

    def sealed(self, gate: Gate, who: str, answer: str = "go", **more: Any) -> dict[str, Any]:
        """Return the body of a genuine vote."""
        body = self.ballot(gate, answer, **more)
        return {**body, "seal": self.booth.mark(gate.incident, who, body)}

    def decided(self, gate: Gate, outcome: str = "approved", choice: str = "go", **more: Any) -> None:
        """Write a decision by hand; a silence with our seal under it, unless `seal` says otherwise."""
        body = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
        body |= {"outcome": outcome, "choice": choice, "by": [], "reason": "as planned"}
        body |= {"seal": self.booth.mark_silence(gate)} if outcome.startswith("silence") else {}
        self.forge("decided", "ada", {**body, **more})

    def asked_again(self, gate: Gate, /, **changed: Any) -> Gate:
        """Write the question once more, with something changed."""
        asked = next(entry for entry in self.journal.entries(gate.incident) if entry.seq == gate.asked_as)
        self.forge("asked", "responder", {**asked.body, "nonce": f"forged {asked.seq}", **changed})
        return self.gate()

    def question(self, incident: str, name: str = "touch", *, up_to: int = 0) -> Gate:
        """
        Ask ada and ben the plan elsewhere, by our own hand: in another incident, or at another gate of this one.

        `up_to` makes the question there the same entry as here.
        """
        asked = self.entries("asked")[-1].body
        for number in range(1, up_to):
            self.journal.append(incident, "seen", "responder", {"run": self.driver, "look": f"look {number}"})
        plan = self.plan.model_copy(update={"gate": name})
        body = {key: said for key, said in asked.items() if key != "seal"}
        body |= {"nonce": f"{incident} {name}", "gate": name, "plan": plan.model_dump(mode="json"), "hash": plan.hash}
        body["seal"] = self.booth.mark_question(incident, body)
        self.journal.append(incident, "asked", "responder", body)
        return self.gate(incident, name)

    def rewrite(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Change entries in the file, past its triggers, and chain them anew with the head."""
        with self.journal.database.writing() as connection:
            names = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
            for name, _ in names:
                connection.execute(text(f'DROP TRIGGER "{name}"'))
            prev = ""
            for entry in self.journal.entries(INCIDENT):
                fields = {**entry.as_dict(), "body": json.loads(canonical(entry.body))}
                fields["prev"] = prev or fields["prev"]
                edit(fields)
                fields["hash"] = prev = entry_hash(fields)
                where = (ENTRIES.c.incident == INCIDENT, ENTRIES.c.seq == entry.seq)
                connection.execute(update(ENTRIES).where(*where).values({**fields, "body": canonical(fields["body"])}))
            connection.execute(update(HEADS).where(HEADS.c.incident == INCIDENT).values(hash=prev))
            for _, sql in names:
                connection.execute(text(sql))

    def seal_for(self, purpose: str, who: str, body: Mapping[str, Any], key: bytes = b"") -> str:
        """Return a mark made for another purpose or with another key."""
        return seal(key or self.booth.key, purpose, {**body, "incident": INCIDENT, "who": who})

    # What became of it.

    def reasons(self) -> str:
        """Return every refusal, from the answers and from the journal."""
        kept = [str(entry.body.get("says") or entry.body.get("error")) for entry in self.entries("drifted", "failed")]
        kept += [str(entry.body["because"]) for entry in self.entries("vote refused")]
        return "\n".join([*self.said, *kept])

    def outcomes(self) -> list[tuple[int, str]]:
        """Return each question with the outcome that the engine wrote; what was forged is left out."""
        kept = [entry for entry in self.entries("decided") if entry.seq not in self.forged]
        return [(entry.body["asked_as"], entry.body["outcome"]) for entry in kept]

    def is_open(self) -> bool:
        """Whether a question waits."""
        return bool(open_gates(self.journal, INCIDENT))

    def at_once(self, *works: Callable[[], object]) -> list[object]:
        """Let several threads do something at one instant; return what each got."""
        barrier, results = threading.Barrier(len(works)), list[object]([None] * len(works))

        def work(at: int) -> None:
            barrier.wait(10)
            results[at] = works[at]()

        threads = [threading.Thread(target=work, args=(at,)) for at in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return results
