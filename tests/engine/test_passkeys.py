"""Passkeys: the ceremony with a software authenticator, against a real journal; and every way to cheat at it."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Decision, Gate
from crisis.domain.entry import Entry, canonical
from crisis.domain.passkey import LINK_LASTS, Link, fold_passkeys, origin_of, relying_party, works_at
from crisis.domain.person import PEOPLE, STRIKES
from crisis.domain.plan import Plan
from crisis.domain.protocol import Protocol
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.passkeys import creation_options, register, remove, request_options
from crisis.engine.votes import cast, open_gates
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings
from tests.domain.story import INCIDENT, RUN, a_plan
from tests.engine.authenticator import Authenticator

ADDRESS = "https://crisis.example"
GOOD = "the vote counts"
FOREIGN = "this confirmation is not ours, or it is for another answer; confirm the answer that you see"
UNSIGNED = "the passkey's signature does not prove this answer"


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
    """A question, and people with passkeys."""

    def __init__(self, booth: Booth) -> None:
        self.booth, self.now, self.links = booth, utc_now(), 0
        self.gate = self.ask()
        self.ada = self.enrol("ada")

    def ask(self, plan: Plan | None = None) -> Gate:
        """Ask ada and ben for a plan."""
        plan = plan or a_plan()
        body: dict[str, Any] = {"run": RUN, "gate": plan.gate, "plan": plan.model_dump(mode="json"), "hash": plan.hash}
        body |= {"people": ["ada", "ben"], "needed": 1, "silence": "stop", "requester": ""}
        body["deadline"] = write_time(self.now + timedelta(hours=1))
        self.booth.journal.append(INCIDENT, "asked", "responder", body)
        return open_gates(self.booth.journal, INCIDENT)[-1]

    def link(self, who: str = "ada") -> Link:
        """Return a link for a person."""
        self.links += 1
        return Link(who, f"link-{self.links}", self.now + LINK_LASTS, "")

    def enrol(self, who: str, **more: Any) -> Authenticator:
        """Let a person register a device."""
        device, link = Authenticator(ADDRESS, "crisis.example", **more), self.link(who)
        made = device.make(creation_options(self.booth, link, ADDRESS))
        assert register(self.booth, link, made, f"{who}'s phone", ADDRESS, "test") is None
        return device

    def told(self, answer: Answer, gate: Gate | None = None) -> dict[str, Any]:
        """Return what the page tells the browser."""
        return request_options(self.booth, gate or self.gate, answer, ADDRESS, self.now)

    def cast(self, answer: Answer, passkey: str, gate: Gate | None = None, after: float = 1) -> str:
        """Cast an answer, and say what became of it."""
        now = self.now + timedelta(seconds=after)
        result = cast(self.booth, gate or self.gate, replace(answer, passkey=passkey), now=now)
        return result.because if isinstance(result, RefusedVote) else GOOD

    def kinds(self, kind: str, chain: str = PEOPLE) -> list[Entry]:
        """Return the entries of a kind."""
        return [entry for entry in self.booth.journal.entries(chain) if entry.kind == kind]


@pytest.fixture
def room(journal: Journal, protocol: Protocol, tmp_path: Path) -> Room:
    """Open the room."""
    return Room(Booth.of(journal, protocol, Settings(home=tmp_path)))


YES = Answer("ada", "revert")


def test_a_signed_answer_decides(room: Room) -> None:
    """Who signs with their passkey decides; the vote says by what it was proved, and no lock or code is touched."""
    passkey = room.ada.sign(room.told(YES))
    decision = cast(room.booth, room.gate, replace(YES, passkey=passkey), now=room.now)

    assert isinstance(decision, Decision)
    assert (decision.outcome, decision.by) == ("approved", ("ada",))
    assert room.kinds("voted", INCIDENT)[0].body["proof"] == "passkey"
    assert [entry.body["credential"] for entry in room.kinds("passkey accepted")] == [room.ada.id]


def test_an_outsider_can_verify_the_signature(room: Room) -> None:
    """The voted entry and the enrolment hold all that is needed: statement, what was signed, and the public key."""
    room.cast(YES, room.ada.sign(room.told(YES)))
    body = room.kinds("voted", INCIDENT)[0].body
    proof = body["passkey"]
    client = base64url_to_bytes(proof["client_data"])
    signed = base64url_to_bytes(proof["authenticator_data"]) + hashlib.sha256(client).digest()
    challenge = bytes_to_base64url(hashlib.sha256(canonical(proof["statement"]).encode()).digest())

    assert json.loads(client)["challenge"] == challenge
    named = ("incident", "who", "answer", "hash", "asked_as", "glass")
    expected = (INCIDENT, "ada", "revert", room.gate.plan.hash, room.gate.asked_as, False)
    assert tuple(proof["statement"][name] for name in named) == expected
    public = room.ada.key.public_key()
    public.verify(base64url_to_bytes(proof["signature"]), signed, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(base64url_to_bytes(proof["signature"]), signed + b"x", ec.ECDSA(SHA256()))


def test_what_is_asked_of_the_browser(room: Room) -> None:
    """The person's own credentials are named, the user must be verified, and each challenge is another."""
    ben = room.enrol("ben")
    first, second = room.told(YES), room.told(YES)

    assert room.ada.recall(first)
    assert not ben.recall(first)
    assert (first["publicKey"]["userVerification"], first["publicKey"]["rpId"]) == ("required", "crisis.example")
    assert first["publicKey"]["challenge"] != second["publicKey"]["challenge"]


def test_a_stranger_gets_the_same_as_somebody_without_a_passkey(room: Room) -> None:
    """Nothing tells an unknown name from a known one that has enrolled nothing."""
    stranger, known = room.told(replace(YES, who="mallory")), room.told(replace(YES, who="ben"))

    assert stranger.keys() == known.keys()
    assert stranger["publicKey"].keys() == known["publicKey"].keys()
    assert stranger["publicKey"]["allowCredentials"] == known["publicKey"]["allowCredentials"] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": "roll-back"}, FOREIGN),
        ({"answer": "no"}, FOREIGN),
        ({"steps": (0,)}, FOREIGN),
        ({"who": "ben"}, FOREIGN),
        ({"reason": "the reason is no part of what is signed"}, GOOD),
        ({"who": "Ada Okafor"}, GOOD),
    ],
)
def test_it_is_good_for_the_signed_answer_alone(room: Room, change: dict[str, Any], says: str) -> None:
    """What was signed for one answer, part or person proves no other."""
    signed = room.ada.sign(room.told(YES))

    assert room.cast(replace(YES, **change), signed) == says
    assert (room.kinds("voted", INCIDENT) == []) is (says != GOOD)
    assert [entry.body["because"] for entry in room.kinds("passkey refused")] == ([says] if says != GOOD else [])


def test_it_is_good_for_the_signed_plan_alone(room: Room) -> None:
    """Signed for one plan, or for the same plan asked before, it proves nothing now; signed anew it does."""
    signed = room.ada.sign(room.told(YES))
    other = room.ask(a_plan("Take release 5a5a back?"))
    again = room.ask()

    assert room.cast(YES, signed, other) != GOOD
    assert room.cast(YES, signed, again) == FOREIGN
    assert room.cast(YES, room.ada.sign(room.told(YES, again)), again) == GOOD


def test_it_is_good_once(room: Room) -> None:
    """The same assertion again is refused, also when the first vote did not settle the question."""
    plan = a_plan()
    body = {**room.kinds("asked", INCIDENT)[0].body, "needed": 2}
    room.booth.journal.append(INCIDENT, "asked", "responder", body)
    gate = open_gates(room.booth.journal, INCIDENT)[-1]
    device = room.enrol("ada", counts=False)
    signed = device.sign(room.told(YES, gate))

    assert gate.plan.hash == plan.hash
    assert room.cast(YES, signed, gate) == GOOD
    assert room.cast(YES, signed, gate) == "this confirmation was used already"
    assert room.cast(YES, device.sign(room.told(YES, gate)), gate) == GOOD


@pytest.mark.parametrize(
    "lies",
    [
        {"origin": "https://crisis.example.evil"},
        {"origin": "http://crisis.example"},
        {"origin": "https://crisis.example:444"},
        {"party": "example"},
        {"type": "webauthn.create"},
        {"challenge": bytes_to_base64url(b"x" * 32)},
    ],
)
def test_a_confirmation_from_elsewhere_is_refused(room: Room, lies: dict[str, str]) -> None:
    """Another origin, another party, another ceremony or another challenge prove nothing; the honest one does."""
    assert room.cast(YES, room.ada.sign(room.told(YES), **lies)) == UNSIGNED
    assert room.cast(YES, room.ada.sign(room.told(YES))) == GOOD


def test_presence_alone_is_not_enough(room: Room) -> None:
    """A device that did not verify its user proves that somebody has it, and not who."""
    room.ada.verifies = False
    assert room.cast(YES, room.ada.sign(room.told(YES))) == UNSIGNED

    room.ada.verifies = True
    assert room.cast(YES, room.ada.sign(room.told(YES))) == GOOD


def test_a_removed_passkey_is_refused_for_good(room: Room) -> None:
    """After its removal it proves nothing, not even when its old row, which we had sealed, is written once more."""
    row = room.kinds("passkey enrolled")[0]
    remove(room.booth, fold_passkeys([row], room.booth.key)[room.ada.id], "test")
    room.booth.journal.append(PEOPLE, "passkey enrolled", "ada", row.body)

    assert room.cast(YES, room.ada.sign(room.told(YES))) == "this passkey is not one of ada's"
    assert room.cast(YES, room.enrol("ada").sign(room.told(YES))) == GOOD


def test_a_counter_that_goes_back_is_refused(room: Room) -> None:
    """Of two devices with one key the one that lags behind is refused, and it is on record why."""
    clone = room.ada.copy()
    first = room.ask()
    assert room.cast(YES, room.ada.sign(room.told(YES, first)), first) == GOOD
    gate = room.ask()

    refused = room.cast(YES, clone.sign(room.told(YES, gate)), gate)
    assert refused == "the passkey's counter went back: it may have been copied; remove it and enrol again"
    assert room.kinds("passkey refused")[-1].body["because"] == refused
    assert room.cast(YES, room.ada.sign(room.told(YES, gate)), gate) == GOOD


@pytest.mark.parametrize(("after", "says"), [(299, GOOD), (301, "older than 5 minutes"), (-20, GOOD), (-60, "older")])
def test_a_confirmation_is_good_for_five_minutes(room: Room, after: float, says: str) -> None:
    """Old ones are refused, and so are those from a future that no clock of ours can have meant."""
    assert says in room.cast(YES, room.ada.sign(room.told(YES)), after=after)


def test_a_forged_seal_is_refused(room: Room) -> None:
    """A challenge of somebody's own making, sealed with another key or with none, proves nothing."""
    stranger = replace(room.booth, key=b"x" * 64)
    told = request_options(stranger, room.gate, YES, ADDRESS, room.now)

    assert room.cast(YES, room.ada.sign(told)) == FOREIGN
    assert room.cast(YES, room.ada.sign({**room.told(YES), "seal": ""})) == FOREIGN
    assert (
        room.cast(YES, room.ada.sign({**room.told(YES), "at": write_time(room.now + timedelta(seconds=9))})) == FOREIGN
    )
    assert room.cast(YES, room.ada.sign({**room.told(YES), "nonce": "mine"})) == FOREIGN
    assert room.cast(YES, room.ada.sign(room.told(YES))) == GOOD


def test_a_row_written_past_us_does_not_count(room: Room) -> None:
    """Who can write to the journal and has no key of ours cannot give anybody a passkey."""
    theirs = Authenticator(ADDRESS, "crisis.example")
    row = dict(room.kinds("passkey enrolled")[0].body)
    public = bytes_to_base64url(theirs._public_key())
    for body, who in (
        ({**row, "credential": theirs.id, "public_key": public}, "ada"),
        ({**row, "public_key": public}, "ada"),
        ({**row, "credential": theirs.id, "public_key": public, "seal": ""}, "ada"),
        (row, "ben"),
    ):
        room.booth.journal.append(PEOPLE, "passkey enrolled", who, body)

    assert room.cast(YES, theirs.sign(room.told(YES))) == "this passkey is not one of ada's"
    ben = replace(YES, who="ben")
    assert room.cast(ben, room.ada.sign(room.told(ben))) == "this passkey is not one of ben's"
    assert room.cast(YES, room.ada.sign(room.told(YES))) == GOOD


def test_another_key_makes_everybody_enrol_again(room: Room) -> None:
    """With a new signing key no passkey counts: our mark under it cannot be checked."""
    assert fold_passkeys(room.booth.journal.entries(PEOPLE), b"y" * 64) == {}


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "{}",
        "[]",
        "null",
        "[" * 5000,
        '{"nonce": 1, "at": 2, "origin": 3, "seal": 4, "credential": {"response": {}}}',
        '{"nonce": "\\ud800"}',
        "x" * 20_000,
    ],
)
def test_what_is_no_assertion_is_refused(room: Room, text: str) -> None:
    """Anything else in its place is refused, with the same words and without what it was."""
    assert room.cast(YES, text) == "what the passkey sent cannot be read"


@pytest.mark.parametrize("name", ["id", "rawId", "type", "response"])
@pytest.mark.parametrize("value", ["", "%%%", "AAAA", None, {}, 7])
def test_a_mangled_assertion_is_refused(room: Room, name: str, value: object) -> None:
    """Each part of the browser's answer may be anything, and nothing but a refusal comes of it."""
    said = json.loads(room.ada.sign(room.told(YES)))
    said["credential"][name] = value

    assert room.cast(YES, json.dumps(said)) != GOOD
    for part in ("clientDataJSON", "authenticatorData", "signature"):
        said = json.loads(room.ada.sign(room.told(YES)))
        said["credential"]["response"][part] = value
        assert room.cast(YES, json.dumps(said)) != GOOD
    assert room.cast(YES, room.ada.sign(room.told(YES))) == GOOD


def test_wrong_passkeys_lock_nobody(room: Room) -> None:
    """A signature cannot be guessed: whoever tries keeps nobody out."""
    for _ in range(STRIKES + 1):
        room.cast(YES, room.ada.sign(room.told(YES), origin="https://evil.example"))

    assert room.kinds("locked") == []
    assert room.cast(YES, room.ada.sign(room.told(YES))) == GOOD


def test_a_person_without_passkeys_in_the_protocol_is_refused(room: Room, protocol: Protocol) -> None:
    """Where protocol.yaml admits none for a person, theirs proves nothing."""
    proof = protocol.people["ada"].proof
    assert proof is not None
    ada = protocol.people["ada"].model_copy(update={"proof": proof.model_copy(update={"passkeys": False})})
    strict = protocol.model_copy(update={"people": {**protocol.people, "ada": ada}})
    room.booth = replace(room.booth, protocol=strict)

    assert room.cast(YES, room.ada.sign(room.told(YES))) == "protocol.yaml admits no passkey for them"


def test_a_link_makes_one_passkey(room: Room) -> None:
    """The second passkey by the same link is refused, and so is one made for somebody else's link."""
    link, other = room.link(), room.link("ben")
    first, second = Authenticator(ADDRESS, "crisis.example"), Authenticator(ADDRESS, "crisis.example")
    options = creation_options(room.booth, link, ADDRESS)

    assert register(room.booth, other, first.make(options), "", ADDRESS, "test") is not None
    assert register(room.booth, link, first.make(options), "", ADDRESS, "test") is None
    assert "has been used" in (register(room.booth, link, second.make(options), "", ADDRESS, "test") or "")
    assert [one["id"] for one in creation_options(room.booth, link, ADDRESS)["excludeCredentials"]] == [
        room.ada.id,
        first.id,
    ]


@pytest.mark.parametrize("lies", [{"origin": "https://evil.example"}, {"party": "evil.example"}, {"challenge": "AAAA"}])
def test_a_passkey_made_elsewhere_is_not_registered(room: Room, lies: dict[str, str]) -> None:
    """Neither is one whose device did not verify its user, nor one that is registered already, nor none at all."""
    link = room.link()
    options = creation_options(room.booth, link, ADDRESS)
    careless = Authenticator(ADDRESS, "crisis.example", verifies=False)
    for made in (room.enrol("ben").make(options, **lies), careless.make(options), "", "{}", "[" * 5000, "null"):
        assert "is no passkey made for this link" in (register(room.booth, link, made, "", ADDRESS, "test") or "")

    assert "registered already" in (register(room.booth, link, room.ada.make(options), "", ADDRESS, "test") or "")


def test_the_journal_holds_no_secret_and_says_who_enrolled_how(room: Room, tmp_path: Path) -> None:
    """Public key, id, counter, label, link and where from; the private key stands nowhere in the files."""
    (row,) = room.kinds("passkey enrolled")
    secret = room.ada.key.private_numbers().private_value.to_bytes(32)
    room.cast(YES, room.ada.sign(room.told(YES)))
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("journal.db*"))

    assert row.body.keys() == {"credential", "public_key", "sign_count", "label", "link", "from", "seal"}
    told = (row.actor, row.body["label"], row.body["link"], row.body["from"])
    assert told == ("ada", "ada's phone", "link-1", "test")
    assert room.ada.id.encode() in kept
    assert bytes_to_base64url(secret).encode() not in kept


@pytest.mark.parametrize(
    ("address", "origin", "party", "works"),
    [
        ("https://crisis.example", "https://crisis.example", "crisis.example", True),
        ("https://Crisis.Example:443/path", "https://crisis.example", "crisis.example", True),
        ("https://crisis.example:8443", "https://crisis.example:8443", "crisis.example", True),
        ("http://localhost:4280", "http://localhost:4280", "localhost", True),
        ("http://127.0.0.1:4280", "http://127.0.0.1:4280", "127.0.0.1", False),
        ("https://[::1]:4280", "https://[::1]:4280", "::1", False),
        ("http://crisis.example", "http://crisis.example", "crisis.example", False),
    ],
)
def test_where_passkeys_work(address: str, origin: str, party: str, works: bool) -> None:
    """The origin is written as browsers write it; passkeys work by name and https, or on this machine."""
    assert (origin_of(address), relying_party(origin), works_at(address)) == (origin, party, works)
