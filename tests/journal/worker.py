"""A process that uses a journal: `python -m tests.journal.worker VERB URL …`. It starts when a line comes in."""

import sys
from collections.abc import Callable
from datetime import datetime

from crisis.errors import CrisisError
from crisis.journal.lease import Leases
from crisis.journal.store import AlreadyRecordedError, Fence, Journal

__all__ = ["main"]


def say(*words: object) -> None:
    """Say something to the test at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def ready() -> None:
    """Say that this process is ready, and wait for the starting signal."""
    say("ready")
    sys.stdin.readline()


def append(url: str, number: str, times: str, *incidents: str) -> None:
    """Append some entries to incidents in turn; say what was acknowledged."""
    journal = Journal.open(url)
    ready()
    for turn in range(int(times)):
        entry = journal.append(incidents[turn % len(incidents)], "note", "worker", {"worker": number, "turn": turn})
        say(entry.incident, entry.seq)


def write_on(url: str, incident: str) -> None:
    """Append until killed; say what was acknowledged."""
    journal = Journal.open(url)
    ready()
    turn = 0
    while True:
        turn += 1
        say(journal.append(incident, "note", "worker", {"says": "x" * 200, "turn": turn}).seq)


def once(url: str, incident: str, *keys: str) -> None:
    """Record something under keys; say for each whether this process was the first."""
    journal = Journal.open(url)
    ready()
    for key in keys:
        try:
            say("won", journal.append(incident, "note", "worker", key=key).seq)
        except AlreadyRecordedError as error:
            say("lost", error.entry.seq)


def first(url: str) -> None:
    """Open a journal that nobody opened before, and use it."""
    ready()
    journal = Journal.open(url)
    say(journal.append("INC-1", "note", "worker").seq)


def take(url: str, *runs: str) -> None:
    """Take runs; say for each the lease's epoch, or none."""
    leases = Leases(Journal.open(url).database, 60)
    ready()
    for run in runs:
        lease = leases.take(run, "INC-1", "bad-deploy", "worker", 1)
        say("none" if lease is None else lease.epoch)


def drive(url: str, run: str, epoch: str) -> None:
    """Append for a run until fenced off."""
    journal = Journal.open(url)
    ready()
    turn = 0
    while True:
        turn += 1
        try:
            journal.append("INC-1", "note", "worker", {"epoch": int(epoch)}, fence=Fence(run, int(epoch)))
        except CrisisError as error:
            say(type(error).__name__)
            return
        if turn == 1:
            say("drives")


def vote(key: str, url: str, protocol: str, incident: str, who: str, answer: str, code: str, moment: str) -> None:
    """Answer at an incident's open gate; say what became of it."""
    from pathlib import Path  # noqa: PLC0415

    from crisis.engine.booth import Answer, Booth, RefusedVote  # noqa: PLC0415
    from crisis.engine.votes import cast, decide_by_silence, open_gates  # noqa: PLC0415
    from crisis.protocol_file import load_protocol  # noqa: PLC0415

    journal, rules = Journal.open(url), load_protocol(Path(protocol))
    (gate,) = open_gates(journal, incident)
    ready()
    if answer == "silence":
        say(decide_by_silence(Booth(journal, rules, key.encode()), gate).outcome)
        return
    said = Answer(who=who, answer=answer, code=code, how="command line")
    result = cast(Booth(journal, rules, key.encode()), gate, said, now=datetime.fromisoformat(moment))
    if isinstance(result, RefusedVote):
        say("refused:", result.because)
    else:
        say(result.outcome if result else "more needed")


def main() -> None:
    """Do what the arguments say."""
    verbs: dict[str, Callable[..., None]] = {
        verb.__name__: verb for verb in (append, write_on, once, first, take, drive, vote)
    }
    verbs[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
