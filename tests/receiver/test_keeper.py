"""The keeper: many deliveries in one transaction, each answered once it is durable, all of them or none."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from crisis.domain.clock import utc_now, write_time
from crisis.journal.inbox import Delivery, Inbox
from crisis.receiver.context import Context
from crisis.receiver.keeper import FullError, Keeper, LostError


def a_delivery(name: str, length: int = 10) -> Delivery:
    """Return a delivery of this name."""
    return Delivery(name, "alertmanager", write_time(utc_now()), b"x" * length)


@dataclass
class Store:
    """An inbox that can be held up, and notes what it was given at once."""

    inbox: Inbox
    open: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Keep deliveries as soon as the store is open."""
        self.batches.append([one.delivery for one in deliveries])
        assert self.open.wait(30)
        self.inbox.put_all(deliveries)

    def kept(self) -> set[str]:
        """Return the names of what is kept."""
        return {one.delivery for one in self.inbox.latest(10_000)}


@pytest.fixture
def store(context: Context) -> Store:
    """A store that is closed at first."""
    return Store(context.inbox)


async def _begun(store: Store) -> None:
    """Wait until the writer has the first batch in hand."""
    while not store.batches:  # noqa: ASYNC110 - a thread has no event of ours
        await asyncio.sleep(0.001)


def test_all_that_wait_are_kept_in_one_transaction(store: Store) -> None:
    """What comes while one transaction is under way goes into the next, together."""

    async def flood() -> None:
        keeper = Keeper(store.put)
        first = asyncio.create_task(keeper.keep(a_delivery("first")))
        await _begun(store)
        others = [asyncio.create_task(keeper.keep(a_delivery(f"d{n}"))) for n in range(100)]
        await asyncio.sleep(0)
        assert keeper.waiting == 100
        store.open.set()
        await asyncio.gather(first, *others)
        assert keeper.waiting == 0

    asyncio.run(flood())

    assert [len(batch) for batch in store.batches] == [1, 100]
    assert store.kept() == {"first", *(f"d{n}" for n in range(100))}


def test_nothing_is_answered_before_it_is_kept(store: Store) -> None:
    """Whoever hands over a delivery waits until its own transaction is committed."""

    async def hand_over() -> tuple[bool, bool]:
        task = asyncio.create_task(Keeper(store.put).keep(a_delivery("d1")))
        await _begun(store)
        early = task.done()
        store.open.set()
        await task
        return early, store.kept() == {"d1"}

    assert asyncio.run(hand_over()) == (False, True)


def test_store_that_fails_loses_the_whole_batch_by_name(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """When a transaction fails, everybody in it hears so, the log says why, and the next one is tried."""
    with store.inbox.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE inbox RENAME TO elsewhere")

    async def hand_over() -> list[BaseException | None]:
        keeper = Keeper(store.put)
        store.open.set()
        lost = await asyncio.gather(*(keeper.keep(a_delivery(f"d{n}")) for n in range(20)), return_exceptions=True)
        with store.inbox.database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO inbox")
        await keeper.keep(a_delivery("later"))
        return lost

    lost = asyncio.run(hand_over())

    assert [type(one) for one in lost] == [LostError] * 20
    assert store.kept() == {"later"}
    assert "they could not be kept: journal sqlite" in caplog.text


def test_store_that_hangs_is_told_in_time(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Who sends is told to come again, and nothing of it takes room; what comes once it answers is kept."""

    async def hand_over() -> list[BaseException | None]:
        keeper = Keeper(store.put, patience=0.2)
        first = asyncio.create_task(keeper.keep(a_delivery("first")))
        await _begun(store)
        others = [keeper.keep(a_delivery(f"d{n}")) for n in range(20)]
        lost = await asyncio.gather(first, *others, return_exceptions=True)
        assert keeper.waiting == 0
        store.open.set()
        await keeper.keep(a_delivery("later"))
        return lost

    lost = asyncio.run(hand_over())

    assert [type(one) for one in lost] == [LostError] * 21
    assert store.kept() == {"first", "later"}
    assert "the store did not answer within 0.2 s" in caplog.text


def test_fault_of_ours_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody foresaw is no reason to wait for ever, and what it says stays out of the log."""

    def put(_deliveries: Sequence[Delivery]) -> None:
        raise ZeroDivisionError("a word of the body")

    with pytest.raises(LostError):
        asyncio.run(Keeper(put).keep(a_delivery("d1")))

    assert "ZeroDivisionError" in caplog.text
    assert "a word of the body" not in caplog.text


def test_more_than_there_is_room_for_is_turned_away(store: Store) -> None:
    """With the room full the next one is refused at once; those that wait are kept."""

    async def flood() -> None:
        keeper = Keeper(store.put, room=3)
        first = asyncio.create_task(keeper.keep(a_delivery("first")))
        await _begun(store)
        waiting = [asyncio.create_task(keeper.keep(a_delivery(f"d{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(FullError):
            await keeper.keep(a_delivery("too many"))
        store.open.set()
        await asyncio.gather(first, *waiting)
        await keeper.keep(a_delivery("later"))

    asyncio.run(flood())

    assert store.kept() == {"first", "d0", "d1", "d2", "later"}


def test_one_transaction_is_bounded(store: Store) -> None:
    """It takes no more rows than it may, nor more bytes; a delivery that is larger goes alone."""
    sizes = [10] * 5 + [5_000_000, 5_000_000, 9_000_000, 10]

    async def flood() -> None:
        keeper = Keeper(store.put, at_once=4)
        store.open.set()
        await asyncio.gather(*(keeper.keep(a_delivery(f"d{n}", size)) for n, size in enumerate(sizes)))

    asyncio.run(flood())

    assert store.batches == [["d0", "d1", "d2", "d3"], ["d4", "d5"], ["d6"], ["d7"], ["d8"]]


def test_sender_that_hangs_up_holds_nobody_up(store: Store) -> None:
    """A delivery whose sender is gone is kept all the same, and so are its neighbours."""

    async def flood() -> None:
        keeper = Keeper(store.put)
        gone, stays = (asyncio.create_task(keeper.keep(a_delivery(name))) for name in ("gone", "stays"))
        await _begun(store)
        gone.cancel()
        store.open.set()
        await stays

    asyncio.run(flood())

    assert store.kept() == {"gone", "stays"}


def test_keeper_serves_one_loop_after_the_other(store: Store) -> None:
    """The writer lives while something waits: nothing of it is left for the next loop."""
    store.open.set()
    keeper = Keeper(store.put)
    for name in ("d1", "d2"):
        asyncio.run(keeper.keep(a_delivery(name)))

    assert store.kept() == {"d1", "d2"}


def test_refused_deliveries_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A store that stays away is told of a few times a second."""

    def put(_deliveries: Sequence[Delivery]) -> None:
        raise ZeroDivisionError

    async def flood() -> None:
        keeper = Keeper(put, at_once=1)
        await asyncio.gather(*(keeper.keep(a_delivery(f"d{n}")) for n in range(20)), return_exceptions=True)

    caplog.set_level(logging.WARNING)
    asyncio.run(flood())

    assert 0 < caplog.text.count("could not be kept") <= 6
