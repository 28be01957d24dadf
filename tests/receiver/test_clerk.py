"""The clerk works the inbox off: what is wanted is started once, sooner or later, whatever is away meanwhile."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from crisis.domain.clock import utc_now, write_time
from crisis.domain.incident import RECOVERED
from crisis.domain.level import Level
from crisis.domain.start import Start
from crisis.errors import JournalError, ProtocolError, TransientError
from crisis.journal.inbox import Delivery, Settled
from crisis.journal.store import Journal
from crisis.receiver.clerk import Clerk
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle_all
from crisis.receiver.worker import Turn
from tests.receiver.payloads import alert, delivery
from tests.receiver.test_dispatch import put, state, wanted

WISH = Start("bad-deploy", "shop", "checkout fails", "INC-1", Level.CRITICAL, "alert:am")


@dataclass
class Prefect:
    """Something that starts runs: it remembers them by their key, as Prefect does, and can be away."""

    away: bool = False
    refuses: tuple[str, ...] = ()
    chokes: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)

    async def start(self, wish: Start) -> str:
        """Start a run, or say why not."""
        self.asked.append(wish.key)
        if wish.incident in self.chokes:
            raise TransientError(wish.playbook, vendor="prefect", operation="create a run", saw="500")
        if wish.playbook in self.refuses:
            raise ProtocolError(f"playbook {wish.playbook!r}", wanted="a known one", saw="an unknown one")
        if self.away:
            raise TransientError(wish.playbook, vendor="prefect", operation="create a run", saw="ConnectError")
        self.runs.add(wish.key)
        return wish.key


@pytest.fixture
def prefect_stub() -> Prefect:
    """Something that starts runs."""
    return Prefect()


def turn(context: Context, prefect: Prefect) -> None:
    """Let a clerk that has just started work once."""
    asyncio.run(Clerk(context, prefect.start).turn())


def test_what_came_is_started_and_settled(context: Context, prefect_stub: Prefect) -> None:
    """The run is known by incident and playbook."""
    put(context, delivery())
    turn(context, prefect_stub)

    (run,) = prefect_stub.runs
    assert run.endswith(":bad-deploy")
    assert state(context, "d1") == ("started", f"bad-deploy for {run.partition(':')[0]}")
    assert wanted(context, "d1") == []


def test_a_run_stays_wanted_while_prefect_is_away(context: Context, journal: Journal, prefect_stub: Prefect) -> None:
    """The incident is open at once; its run starts when it can, and once."""
    put(context, delivery())
    prefect_stub.away = True
    turn(context, prefect_stub)
    turn(context, prefect_stub)

    assert state(context, "d1")[0] == "opened"
    assert len([name for name in journal.incidents() if name.startswith("INC-")]) == 1
    prefect_stub.away = False
    turn(context, prefect_stub)
    turn(context, prefect_stub)
    assert (len(prefect_stub.runs), len(set(prefect_stub.asked))) == (1, 1)
    assert state(context, "d1")[0] == "started"


def test_a_run_that_prefect_chokes_on_holds_up_no_other(context: Context, prefect_stub: Prefect) -> None:
    """One answer of 500 is about that run; two in a row are about Prefect."""
    wishes = [replace(WISH, incident=f"INC-{number}") for number in range(4)]
    for number, wish in enumerate(wishes):
        put(context, delivery(), f"d{number}")
        context.inbox.settle_all([Settled(f"d{number}", "opened", "so", starts=json.dumps([wish.as_json()]))])
    prefect_stub.chokes = ("INC-0",)
    turn(context, prefect_stub)

    assert prefect_stub.runs == {wish.key for wish in wishes[1:]}
    assert state(context, "d0")[0] == "opened"
    prefect_stub.away, prefect_stub.asked = True, []
    for number, wish in enumerate(wishes):
        context.inbox.settle_all([Settled(f"d{number}", "opened", "so", starts=json.dumps([wish.as_json()]))])
    turn(context, prefect_stub)
    assert len(prefect_stub.asked) == 2


def test_runs_that_prefect_chokes_on_hold_up_no_other(context: Context, prefect_stub: Prefect) -> None:
    """However many they are, and also where they are wanted by one delivery with others."""
    wishes = [replace(WISH, incident=f"INC-{number}") for number in range(6)]
    for number in range(5):
        put(context, delivery(), f"d{number}")
        wanted = [one.as_json() for one in wishes[number : number + 1 + number // 4]]
        context.inbox.settle_all([Settled(f"d{number}", "opened", "so", starts=json.dumps(wanted))])
    prefect_stub.chokes = ("INC-0", "INC-1", "INC-2", "INC-4")
    clerk = Clerk(context, prefect_stub.start)

    async def work() -> None:
        for _ in range(3):
            await clerk.turn()
            await asyncio.sleep(1.1)  # as long as the clerk takes Prefect to be away

    asyncio.run(work())

    assert prefect_stub.runs == {wishes[3].key, wishes[5].key}


class Dying:
    """A worker whose process dies in every turn."""

    async def turn(self, *, again: bool) -> Turn:
        """Die."""
        raise JournalError("inbox", wanted="to judge", saw=f"a dead process (again: {again})")

    def close(self) -> None:
        """Do nothing."""


def test_a_worker_that_dies_again_and_again_is_no_sign_of_life(context: Context, prefect_stub: Prefect) -> None:
    """What is wanted already starts, and /readyz tells that nothing is judged."""
    context.beats.clear()
    put(context, delivery())
    context.inbox.settle_all([Settled("d1", "opened", "so", starts=json.dumps([WISH.as_json()]))])

    async def work() -> None:
        woken = asyncio.Event()
        woken.set()
        working = asyncio.create_task(Clerk(context, prefect_stub.start, Dying()).work(woken))
        while not prefect_stub.runs:  # noqa: ASYNC110 - the clerk tells nobody else
            await asyncio.sleep(0.01)
        working.cancel()

    asyncio.run(asyncio.wait_for(work(), 20))
    assert "inbox" not in context.beats


def test_others_are_taken_in_while_one_waits_for_prefect(context: Context, prefect_stub: Prefect) -> None:
    """What joins needs no run."""
    put(context, delivery())
    prefect_stub.away = True
    turn(context, prefect_stub)
    put(context, delivery(alert(fingerprint="f2")), "d2")
    turn(context, prefect_stub)

    assert state(context, "d2")[0] == "joined"


def test_a_start_that_is_refused_is_handed_to_people(context: Context, journal: Journal, prefect_stub: Prefect) -> None:
    """An incident that nobody works on says so, is over, and calls."""
    put(context, delivery())
    prefect_stub.refuses = ("bad-deploy",)
    turn(context, prefect_stub)
    turn(context, prefect_stub)

    (incident,) = [name for name in journal.incidents() if name.startswith("INC-")]
    notes = [str(entry.body["says"]) for entry in journal.entries(incident) if entry.kind == "note"]
    assert len(notes) == 1
    assert notes[0].startswith("bad-deploy cannot be started, a human must look: playbook 'bad-deploy'")
    assert [entry.body["outcome"] for entry in journal.entries(incident) if entry.kind == "ended"] == ["not started"]
    assert prefect_stub.runs == {f"{incident}:hand-over:refused-bad-deploy"}
    assert state(context, "d1")[0] == "started"
    assert "cannot be started" in state(context, "d1")[1]


def test_a_wish_that_cannot_be_read_holds_up_nobody(context: Context, prefect_stub: Prefect) -> None:
    """Such as one that another version has stored: it is said, and the others start."""
    put(context, delivery())
    handle_all(context, context.inbox.new())
    context.inbox.settle_all([Settled("d1", "opened", "so", starts='[{"level": "worst"}]')])
    put(context, delivery(alert(service="shop", fingerprint="f9"), groupKey="g9"), "d2")
    context.inbox.settle_all([Settled("d2", "opened", "so", starts=json.dumps([WISH.as_json()]))])
    turn(context, prefect_stub)

    assert prefect_stub.runs == {WISH.key}
    assert state(context, "d1") == ("started", "what it wanted cannot be read any more")


def test_ten_thousand_are_worked_off_in_one_turn(context: Context, prefect_stub: Prefect) -> None:
    """Batch by batch, to the end."""
    bodies = [delivery(alert(fingerprint=f"f{number}")) for number in range(1000)]
    came = write_time(utc_now())
    context.inbox.put_all([Delivery(f"{n:064x}", "alertmanager", came, body) for n, body in enumerate(bodies)])
    turn(context, prefect_stub)

    assert context.inbox.count() == {"new": 0, "held": 0, "opened": 0, "started": 1, "joined": 999, "ignored": 0}
    assert len(prefect_stub.runs) == 1


def test_a_large_backlog_is_read_in_pieces(context: Context) -> None:
    """Two hundred of five megabytes each would not fit into memory."""
    came = write_time(utc_now())
    context.inbox.put_all([Delivery(f"{n:064x}", "alertmanager", came, b"x" * 1000) for n in range(10)])

    assert len(context.inbox.new(size=3500)) == 3
    assert len(context.inbox.new(size=10)) == 1
    assert len(context.inbox.new()) == 10


def test_what_is_held_is_looked_at_again(context: Context, journal: Journal, prefect_stub: Prefect) -> None:
    """When it is due; here an echo that has resolved meanwhile."""
    put(context, delivery())
    turn(context, prefect_stub)
    incident = next(iter(prefect_stub.runs)).partition(":")[0]
    ended = {"run": "r", "playbook": "bad-deploy", "outcome": RECOVERED, "says": "so"}
    journal.append(incident, "ended", "responder", ended)
    echo: dict[str, Any] = {**alert(fingerprint="f2"), "startsAt": write_time(utc_now())}
    put(context, delivery(echo), "d2")
    turn(context, prefect_stub)
    assert state(context, "d2")[0] == "held"
    put(context, delivery({**echo, "status": "resolved"}), "d3")
    turn(context, prefect_stub)

    held = context.inbox.held()[0]
    context.inbox.settle(held.delivery, "held", held.says, held.incident, utc_now() - timedelta(seconds=1))
    turn(context, prefect_stub)
    assert state(context, "d2") == ("joined", f"belongs to {incident}")


def test_a_store_that_is_away_does_not_end_the_work(context: Context, prefect_stub: Prefect) -> None:
    """It is tried again each second, and what had come is started when it is back."""
    context.beats.clear()
    put(context, delivery())

    def rename(before: str, after: str) -> None:
        with context.journal.database.writing() as connection:
            connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    async def outage() -> None:
        woken = asyncio.Event()
        rename("heads", "gone")
        work = asyncio.create_task(Clerk(context, prefect_stub.start).work(woken))
        woken.set()
        await asyncio.sleep(0.3)
        assert (prefect_stub.runs, context.beats) == (set(), {})
        await asyncio.to_thread(rename, "gone", "heads")
        woken.set()
        while not prefect_stub.runs:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        work.cancel()

    asyncio.run(asyncio.wait_for(outage(), 20))


def test_old_deliveries_are_forgotten_and_waiting_ones_are_not(context: Context, prefect_stub: Prefect) -> None:
    """A month is long enough to know a replay; what waits is kept however old it is."""
    old = write_time(utc_now() - timedelta(days=40))
    states = ("joined", "held", "ignored")
    again = write_time(utc_now() + timedelta(hours=1))
    context.inbox.put_all([Delivery(f"d{one}", "alertmanager", old, b"{}", one, again=again) for one in states])
    turn(context, prefect_stub)

    left = {one.delivery for one in context.inbox.latest()}
    assert left == {"dheld"}
