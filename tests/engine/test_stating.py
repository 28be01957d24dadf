"""Stating facts for the law: proved as a vote is, sealed, never of the future; withdrawn by its author or counsel."""

from datetime import timedelta

import pyotp
import pytest

from crisis.domain.clock import utc_now
from crisis.domain.entry import Entry
from crisis.domain.law.fact import STATED, Facts, fold_facts
from crisis.domain.law.receipt import fold_receipts
from crisis.domain.person import PEOPLE
from crisis.domain.protocol import Law, Protocol
from crisis.engine.booth import RefusedVote
from crisis.engine.stating import Person, file_receipt, state_facts, withdraw_fact
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal
from crisis.law import load_law
from tests.domain.story import INCIDENT
from tests.engine.test_votes import KEY, SECRETS, Room, journal, protocol, secrets

__all__ = ["journal", "protocol", "secrets"]  # fixtures

KINDS = load_law().kinds
SAW = "the log of the proxy"


@pytest.fixture
def room(journal: Journal, protocol: Protocol) -> Room:
    """An incident of a company whose counsel is Ben."""
    journal.append(INCIDENT, "opened", "responder", {"service": "shop", "summary": "", "playbook": "", "source": ""})
    return Room(journal, protocol.model_copy(update={"law": Law(counsel=("ben",))}))


def person(who: str = "ada", code: str | None = None, zone: str = "UTC") -> Person:
    """Somebody with the code that their phone shows now."""
    return Person(who, pyotp.TOTP(SECRETS[who]).now() if code is None else code, zone=zone)


def state(room: Room, who: str = "ada", **said: str) -> list[Entry] | RefusedVote:
    """State facts."""
    return state_facts(room.booth, INCIDENT, said, person(who), SAW, KINDS)


def facts(room: Room) -> Facts:
    """Read what counts."""
    return fold_facts(room.journal.entries(INCIDENT), KEY)


def test_several_facts_cost_one_code(room: Room) -> None:
    """Each is an entry of its own, with author, evidence and zone."""
    state(room, personal_data="yes", people="DE 1000-1200, elsewhere 0", risk="high")

    assert [one.fact for one in facts(room).statements] == ["personal_data", "people", "risk"]
    assert {(one.by, one.evidence, one.zone) for one in facts(room).statements} == {("ada", SAW, "UTC")}
    assert facts(room).value("personal_data") is True
    assert str(facts(room).people("EU")) == "1000 to 1200"
    assert [one.kind for one in room.journal.entries(PEOPLE)] == ["code accepted"]


def test_a_wrong_code_states_nothing(room: Room) -> None:
    """It is refused as everywhere."""
    refused = state_facts(room.booth, INCIDENT, {"risk": "high"}, person(code="12345x"), SAW, KINDS)

    assert isinstance(refused, RefusedVote)
    assert facts(room).statements == ()


def test_what_nobody_sealed_does_not_count(room: Room) -> None:
    """A row that somebody wrote into the journal is no fact."""
    room.journal.append(INCIDENT, STATED, "ada", {"fact": "risk", "value": "unlikely", "evidence": "", "zone": "UTC"})

    assert facts(room).statements == ()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("aware", "2098-01-01T00:00Z", "a moment that has been"),
        ("aware", "2026", "no moment"),
        ("people", "UK 5", "write GB"),
        ("aware", "yesterday", "no moment"),
        ("aware", "2026-11-24T03:12", "no moment"),
        ("risk", "huge", "none of: unlikely, risk, high"),
        ("people", "Germany 10", "no place"),
        ("people", "DE 10-5", "ends below"),
        ("people", "DE 1, DE 2", "stands twice"),
        ("people", "DE some", "no number"),
        ("personal_data", "maybe", "neither yes nor no"),
        ("mood", "bad", "a fact: "),
    ],
)
def test_what_cannot_be_costs_no_code(room: Room, name: str, value: str, says: str) -> None:
    """One line says what would be right, and nothing is written."""
    with pytest.raises(ProtocolError, match=says):
        state(room, **{name: value})

    assert room.journal.entries(PEOPLE) == []


def test_a_statement_needs_evidence(room: Room) -> None:
    """How somebody knows it stands beside it."""
    with pytest.raises(ProtocolError, match="how you know"):
        state_facts(room.booth, INCIDENT, {"risk": "high"}, person(), "  ", KINDS)


def test_who_says_something_else_replaces_their_own_word(room: Room) -> None:
    """Of one person the last counts; of two both, until one is withdrawn."""
    state(room, risk="high")
    state_facts(room.booth, INCIDENT, {"risk": "unlikely"}, person("ben"), SAW, KINDS)

    assert facts(room).contradictions() == ("risk",)
    assert facts(room).value("risk") is None
    number = facts(room).of("risk")[1].number
    with pytest.raises(UnauthorisedError, match="its author or counsel"):
        withdraw_fact(room.booth, INCIDENT, number, person("cleo"), "I do not believe it")
    withdrawn = withdraw_fact(
        room.booth, INCIDENT, facts(room).of("risk")[0].number, Person("ben", _next("ben")), "wrong"
    )

    assert isinstance(withdrawn, list)
    assert facts(room).value("risk") == "unlikely"
    assert [one.counts for one in facts(room).statements] == [False, True]


def _next(who: str) -> str:
    """Return the code of the next half minute: the present one is spent, and clocks may differ that much."""
    return pyotp.TOTP(SECRETS[who]).at(utc_now() + timedelta(seconds=30))


def test_a_receipt_counts_once_and_needs_a_reference(room: Room) -> None:
    """The first is what was in time, or late."""
    at = utc_now() - timedelta(hours=1)
    with pytest.raises(ProtocolError, match="a reference"):
        file_receipt(room.booth, INCIDENT, "eu-gdpr-33", at, " ", person())
    file_receipt(room.booth, INCIDENT, "eu-gdpr-33", at, "case 1", person())
    again = file_receipt(room.booth, INCIDENT, "eu-gdpr-33", utc_now(), "case 2", person("ben"))

    assert again is None
    assert fold_receipts(room.journal.entries(INCIDENT), KEY)["eu-gdpr-33"].reference == "case 1"


def test_a_receipt_that_was_wrong_is_taken_back(room: Room) -> None:
    """Its clock runs again, and the right one can be put on record."""
    file_receipt(room.booth, INCIDENT, "gb-gdpr-33", utc_now(), "case 1", person())
    number = fold_receipts(room.journal.entries(INCIDENT), KEY)["gb-gdpr-33"].number
    withdraw_fact(room.booth, INCIDENT, number, person("ben"), "it went to the authority of the union")

    assert fold_receipts(room.journal.entries(INCIDENT), KEY) == {}


def test_a_number_by_place_that_is_too_long_is_refused_whole(room: Room) -> None:
    """Cut in the middle it would be another number."""
    with pytest.raises(ProtocolError, match="2000 characters at most"):
        state(room, people=", ".join(f"US-{one:03} 100000" for one in range(200)))


def test_a_secret_in_the_evidence_is_masked_and_the_seal_holds(room: Room) -> None:
    """What is sealed is what is kept."""
    token = "ghp_" + "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6"
    state_facts(room.booth, INCIDENT, {"risk": "high"}, person(), f"it stood in the log: {token}", KINDS)

    assert facts(room).value("risk") == "high"
    assert token not in str([one.body for one in room.journal.entries(INCIDENT)])


def test_a_zone_that_is_none_is_refused(room: Room) -> None:
    """Local times are shown in it."""
    with pytest.raises(ProtocolError, match="a time zone"):
        state_facts(room.booth, INCIDENT, {"risk": "high"}, person(zone="Berlin"), SAW, KINDS)
