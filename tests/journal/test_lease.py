"""Leases: one driver per run, and whoever falls silent is taken over."""

import pytest

from crisis.errors import FencedError
from crisis.journal.lease import Lease, Leases
from crisis.journal.store import Journal
from tests.journal.crowd import crowd


@pytest.fixture
def leases(journal: Journal) -> Leases:
    """Leases that last a minute."""
    return Leases(journal.database, 60)


@pytest.fixture
def hasty(journal: Journal) -> Leases:
    """Leases that have run out as soon as they are taken."""
    return Leases(journal.database, -1)


def take(leases: Leases, holder: str = "host-a", run: str = "run-1") -> Lease:
    """Take a run that is free."""
    lease = leases.take(run, "INC-1", "bad-deploy", holder, 42)
    assert lease is not None
    return lease


def test_free_run_is_taken(leases: Leases) -> None:
    """The first holder gets epoch 1 and the first start."""
    lease = take(leases)

    assert (lease.epoch, lease.starts, lease.holder, lease.pid, lease.ended) == (1, 1, "host-a", 42, None)
    assert leases.find("run-1") == lease


def test_driven_run_is_not_taken(leases: Leases) -> None:
    """While the holder is heard of, nobody else gets it."""
    take(leases)

    assert leases.take("run-1", "INC-1", "bad-deploy", "host-b", 43) is None


def test_silent_run_is_taken_over(hasty: Leases) -> None:
    """Whoever takes over gets a higher epoch and another start."""
    take(hasty)
    lease = take(hasty, "host-b")

    assert (lease.epoch, lease.starts, lease.holder) == (2, 2, "host-b")


def test_one_of_many_gets_a_free_run(leases: Leases, url: str) -> None:
    """Of processes that race for a run one gets it, and the others are told so without an error."""
    said = crowd(*([["take", url, *(f"run-{number}" for number in range(20))]] * 3))

    for number, answers in enumerate(zip(*said, strict=True)):
        assert sorted(answers) == ["1", "none", "none"]
        assert leases.find(f"run-{number}") is not None


def test_renewed_run_is_not_silent(leases: Leases, hasty: Leases) -> None:
    """A renewal counts from now."""
    lease = take(hasty)

    assert leases.renew(lease)
    assert leases.silent() == []


def test_old_holder_cannot_renew(hasty: Leases) -> None:
    """After a take-over the old holder is told that the run is not theirs."""
    old = take(hasty)
    take(hasty, "host-b")

    assert not hasty.renew(old)


def test_run_that_is_not_renewed_is_silent(leases: Leases, hasty: Leases) -> None:
    """The silent ones are found, the others not."""
    take(leases, run="run-1")
    silent = take(hasty, run="run-2")

    assert leases.silent() == [silent]


def test_ended_run_is_never_taken_again(hasty: Leases) -> None:
    """A run that has ended stays so, and is neither open nor silent."""
    lease = take(hasty)

    assert hasty.end(lease, "recovered")
    assert hasty.take("run-1", "INC-1", "bad-deploy", "host-b", 43) is None
    assert (hasty.open(), hasty.silent()) == ([], [])
    found = hasty.find("run-1")
    assert found is not None
    assert found.ended == "recovered"


def test_old_holder_cannot_end(hasty: Leases) -> None:
    """An end that comes after the take-over does not count."""
    old = take(hasty)
    present = take(hasty, "host-b")

    assert not hasty.end(old, "failed")
    assert hasty.open() == [present]


def test_given_up_run_is_free_at_once(leases: Leases) -> None:
    """A run whose driver is known to be dead need not wait for the lease to run out."""
    lease = take(leases)
    given_up = leases.give_up(lease)
    silent = [one.run for one in leases.silent()]
    after = take(leases, "host-b")

    assert given_up
    assert silent == ["run-1"]
    assert after.epoch == 2


def test_old_holder_cannot_give_up(leases: Leases, hasty: Leases) -> None:
    """Nobody gives up what somebody else drives."""
    old = take(hasty)
    take(leases, "host-b")

    assert not leases.give_up(old)
    assert leases.silent() == []


def test_unknown_run_has_no_lease(leases: Leases) -> None:
    """A run that nobody took is not found."""
    assert leases.find("run-9") is None


def test_ended_run_fences_its_own_holder(leases: Leases) -> None:
    """A run that somebody ended cannot be renewed, and its holder may not write any more."""
    lease = take(leases)
    leases.end(lease, "cancelled")

    assert not leases.renew(lease)
    with pytest.raises(FencedError, match="saw an end: cancelled"):
        Journal(leases.database).append("INC-1", "done", "responder", fence=lease.fence)


def test_run_that_is_tried_again_is_taken_although_it_ended(leases: Leases) -> None:
    """Another try takes an ended run with the next epoch; its end is open again."""
    lease = take(leases)
    leases.end(lease, "DeclinedError")
    again = leases.take("run-1", "INC-1", "bad-deploy", "host-b", 43, again=True)

    assert again is not None
    assert (again.epoch, again.starts, again.ended) == (2, 2, None)
