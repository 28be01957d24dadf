"""A writer that is killed at any instant: what it was promised is there, and the chain is whole."""

import random

from crisis.journal.store import Journal
from tests.journal.crowd import Worker

NUMBERS = random.Random(8)  # noqa: S311 - the same instants in every run


def test_killed_writer_leaves_a_whole_chain(journal: Journal, url: str) -> None:
    """Twenty kills at random instants: every acknowledged entry is there, and the chain verifies each time."""
    promised: list[int] = []
    # All are started beforehand; one after the other writes and dies.
    for _ in range(5):
        workers = [Worker("write_on", url, "INC-1") for _ in range(4)]
        for worker in workers:
            worker.wait_until_ready()
        for worker in workers:
            with worker:
                worker.let_loose()
                promised += [int(worker.line()) for _ in range(NUMBERS.randrange(1, 6))]
                promised += [int(line) for line in worker.kill()]
            numbers = [entry.seq for entry in journal.entries("INC-1")]

            assert set(promised) <= set(numbers)
            assert list(journal.verify("INC-1")) == []
