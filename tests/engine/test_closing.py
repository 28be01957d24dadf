"""Closing a task: it is proved as a vote is, by the same codes with the same lock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from crisis.domain.checklist import fold_tasks, open_tasks
from crisis.domain.person import LOCK, PEOPLE
from crisis.domain.protocol import Proof, Protocol
from crisis.engine.booth import Booth, RefusedVote
from crisis.engine.closing import Claim, close_task
from crisis.errors import ProtocolError
from crisis.journal.store import Journal
from tests.domain.story import INCIDENT
from tests.engine.test_votes import KEY, SECRETS, Room, journal, protocol, secrets

__all__ = ["journal", "protocol", "secrets"]  # fixtures

TASK = "pypi/upload"
SAW = "an upload answered 403"


@pytest.fixture
def room(journal: Journal, protocol: Protocol) -> Room:
    """Open an incident with one task."""
    task = {"name": TASK, "what": "end upload of pypi", "owner": "ada", "how": "Settings", "wanted": "401"}
    body: dict[str, Any] = {"action": "open_task", "target": "pypi", "note": "a task", "facts": {"task": task}}
    journal.append(INCIDENT, "done", "responder", body)
    return Room(journal, protocol)


def close(room: Room, who: str = "ada", code: str | None = None, evidence: str = SAW, after: float = 0) -> object:
    """Close it with the code that somebody's phone shows so many seconds later."""
    now = room.start + timedelta(seconds=after)
    code = pyotp.TOTP(SECRETS[who]).at(now) if code is None else code
    return close_task(room.booth, INCIDENT, TASK, Claim(who, evidence, code), now=now)


def test_a_closing_carries_its_proof(room: Room) -> None:
    """Who, how, by what and when; sealed, so that it counts; and the code is spent."""
    close(room)
    task = fold_tasks(room.journal.entries(INCIDENT), KEY)[TASK]

    assert (task.closed_by, task.proof) == ("ada", "one-time code")
    assert [entry.kind for entry in room.journal.entries(PEOPLE)] == ["code accepted"]
    assert close(room) is None


def test_a_code_that_voted_closes_nothing(room: Room) -> None:
    """One code is good once, at a gate or for a task."""
    gate = room.ask()
    code = pyotp.TOTP(SECRETS["ada"]).at(room.start)
    room.answer(gate, "ada", code=code, now=room.start)
    refused = close(room, code=code)

    assert refused == RefusedVote("this code was used already; wait for the next one")
    assert len(open_tasks(room.journal.entries(INCIDENT), KEY)) == 1


def test_five_wrong_codes_lock(room: Room) -> None:
    """The sixth is refused although it is right, for a task as for a vote; later it counts again."""
    wrong = [close(room, code="12345x") for _ in range(5)]
    sixth = close(room)
    voted = room.answer(room.ask(), "ada", now=room.start)

    assert wrong == [RefusedVote("wrong or outdated code")] * 5
    for locked in (sixth, voted):
        assert isinstance(locked, RefusedVote)
        assert locked.because.startswith("locked after 5 wrong codes until")
    (entry,) = [one for one in room.journal.entries(PEOPLE) if one.kind == "locked"]
    assert entry.body["gate"] == f"task {TASK}"
    close(room, after=LOCK.total_seconds() + 60)
    assert open_tasks(room.journal.entries(INCIDENT), KEY) == ()


def test_what_is_no_closing_costs_no_code(room: Room) -> None:
    """Evidence that says nothing and a task that is none are said first."""
    with pytest.raises(ProtocolError, match="wanted evidence: 401, saw nothing"):
        close(room, evidence="  ok ")
    with pytest.raises(ProtocolError, match="wanted a task of this incident"):
        close_task(room.booth, INCIDENT, "other", Claim("ada", SAW, "123456"))

    assert room.journal.entries(PEOPLE) == []


def test_who_has_passkeys_alone_is_told(room: Room) -> None:
    """A task is closed with a one-time code."""
    ada = room.protocol.people["ada"].model_copy(update={"proof": Proof(passkeys=True)})
    people = {**room.protocol.people, "ada": ada}
    booth = Booth(room.journal, room.protocol.model_copy(update={"people": people}), KEY)

    assert close_task(booth, INCIDENT, TASK, Claim("ada", SAW, "123456")) == RefusedVote(
        "ada proves who they are by passkey alone, and a task is closed with a one-time code"
    )


def test_a_key_that_is_not_the_responder_s_is_told(room: Room) -> None:
    """A closing marked by it would not count, so nothing is written and no code is spent."""
    room.ask(signed_by="another key's fingerprint")
    with pytest.raises(ProtocolError, match="signing key: wanted the responder's, saw another"):
        close(room)

    assert room.journal.entries(PEOPLE) == []


def test_many_close_it_once(room: Room) -> None:
    """Whoever is faster has closed it; the others are told that it is closed."""
    names = list(SECRETS)
    with ThreadPoolExecutor(len(names)) as crowd:
        found = list(crowd.map(lambda who: close(room, who), names))

    assert len([one for one in found if one is not None]) == 1
    assert [entry.kind for entry in room.journal.entries(INCIDENT)].count("task closed") == 1
