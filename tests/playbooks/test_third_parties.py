"""Keys of third parties within a run: ended, proved, put before a person where that fails, and nothing twice."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from crisis.domain.change import Change
from crisis.domain.checklist import open_tasks
from crisis.domain.plan import Choice, Plan
from crisis.engine.closing import Claim, close_task
from crisis.errors import CrisisError, ProtocolError, RefusedError, UnprovenError
from crisis.sandbox.keyring import ADMIN, Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.third import mounts
from tests.canaries import Canaries
from tests.clients.servers import Served
from tests.domain.planting import github, mixed
from tests.playbooks.conftest import Ground

NEW = (
    "end_third_party_key",
    "revoke_leaked_tokens",
    "open_task",
    "open_task_for_key",
)


@dataclass
class Vendors:
    """The stand-ins, their memory, and the one key that leaked."""

    ring: Keyring
    memory: Memory
    secret: str
    leaked: Path


@pytest.fixture
def vendors(calm: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendors]:
    """Describe three systems in the protocol, as protocol.yaml would."""
    memory, ring, admin, secret = Memory(), Keyring(), mixed(40), f"rk_live_{mixed(24)}"
    for vendor in ("stripe", "github"):
        ring.mint(vendor, ADMIN, admin, manages=True)
    ring.mint("stripe", "rk_1", secret)
    leaked = tmp_path / "leaked"
    monkeypatch.setenv("A_TOKEN", admin)
    monkeypatch.setenv("A_KEY", secret)
    with Served(Starlette(routes=mounts(memory, ring))) as url:
        calm.change(lambda protocol: describe(protocol, url, leaked))
        yield Vendors(ring, memory, secret, leaked)


def describe(protocol: dict[str, Any], url: str, leaked: Path) -> None:
    """Write the systems into a protocol."""
    for level in protocol["levels"].values():
        level["authorised"] += NEW
    key = {"name": "rk_1", "secret": "env:A_KEY", "used_by": ["checkout"]}
    stripe = {"kind": "stripe keys", "url": f"{url}/third/stripe", "token": "env:A_TOKEN", "patience": "1s"}
    hub = {"kind": "github keys", "url": f"{url}/third/github", "leaked": f"file:{leaked}", "patience": "1s"}
    by_hand = {
        "kind": "by hand", "credentials": ["upload token"], "owner": "ada", "how": "Account settings, API tokens",
        "evidence": "an upload with it is refused",
    }  # fmt: skip
    protocol["systems"] = {"pay": {**stripe, "keys": [key]}, "code": hub, "pypi": by_hand}


def tell(who: str, title: str, page: str, question: int, mark: str, says: str) -> Change:
    """Tell nobody: those who decide here know what to say."""
    return Change.none(who, because=f"{title} {page} {question} {mark} {says}")


def decided(ground: Ground, action: str, *, times: int = 1, **arguments: str) -> CrisisError | None:
    """Let two people decide on an action, and carry it out so many times."""

    def body(service: str) -> None:  # noqa: ARG001 - every playbook has it
        import tasks.revoke_third  # noqa: F401, PLC0415 - loads Prefect
        from crisis.engine.action import ACTIONS, step  # noqa: PLC0415
        from crisis.engine.gate import carry_out  # noqa: PLC0415

        act = ACTIONS[action].run
        steps = (step(act, now="it works", wanted="it is refused", **arguments),)
        way = Choice(name="go", summary="End it.", steps=steps)
        plan = Plan(gate="end", title="End it", choices=(way,), takes=timedelta(seconds=9), on_no="nothing is touched")
        carry_out("end", lambda: plan, tell)
        for _ in range(times - 1):
            act(**arguments)

    ground.answers("ada", "go")
    ground.answers("ben", "go")
    return ground.play_body(body)


def end(ground: Ground, key: str = "rk_1", times: int = 1) -> CrisisError | None:
    """End the key."""
    return decided(ground, "end_third_party_key", times=times, system="pay", key=key)


def revoke(ground: Ground, times: int = 1) -> CrisisError | None:
    """Revoke what leaked."""
    return decided(ground, "revoke_leaked_tokens", times=times, system="code")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody closes a task here while a run waits for it."""
    monkeypatch.setattr("tasks.checklist._PATIENCE_SECONDS", 0.5)


def look(service: str) -> None:  # noqa: ARG001 - every playbook has it
    """Look at the inventory."""
    from tasks.revoke_third import list_third_party_keys  # noqa: PLC0415 - loads Prefect

    list_third_party_keys("pay")


def put_before_a_person(service: str) -> None:  # noqa: ARG001 - every playbook has it
    """Open the task, and end green only when it is closed."""
    from tasks.checklist import look_for_open_tasks, open_task, wait_for_tasks  # noqa: PLC0415

    open_task("pypi", "upload token")
    look_for_open_tasks()
    wait_for_tasks()


def notes(ground: Ground, action: str) -> list[str]:
    """List what the journal has of an action that ended well."""
    return [entry.body["note"] for entry in ground.of(action, "done", "none")]


def test_a_key_is_ended_once_and_proved(calm: Ground, vendors: Vendors) -> None:
    """The vendor refuses it; a second time changes nothing; no sink holds a secret."""
    assert end(calm, times=2) is None

    assert vendors.ring.living("stripe") == []
    assert len(vendors.memory.writes) == 1
    assert notes(calm, "end_third_party_key") == ["ended; the vendor refused it 3 times", "the vendor refuses it"]
    written = json.dumps([entry.as_dict() for entry in calm.entries()])
    assert Canaries({"key": vendors.secret}).search_text(written) == []
    assert Canaries({"key": vendors.secret}).search(calm.home) == []


@pytest.mark.parametrize("fault", ["vendor_lost_reply", "vendor_errors"])
def test_a_short_outage_is_waited_out(calm: Ground, vendors: Vendors, fault: str) -> None:
    """A lost reply and a broken vendor cost a retry, and the key is ended once."""
    vendors.memory.faults[fault] = {"stripe": {"times": 1, "status": 500}}

    assert end(calm) is None
    assert len(vendors.memory.writes) == 1
    assert vendors.ring.living("stripe") == []
    assert len(calm.of("end_third_party_key", "retrying")) == 1


def test_a_vendor_that_is_slow_to_refuse_is_waited_for(calm: Ground, vendors: Vendors) -> None:
    """A key that works a little longer is tried until it is refused several times in a row."""
    vendors.ring.lingering["stripe"] = 1

    assert end(calm) is None
    assert [opens for _, key, opens in vendors.ring.tried if key == "rk_1"][-4:] == [True, False, False, False]


def test_a_key_that_still_works_is_never_called_dead(calm: Ground, vendors: Vendors) -> None:
    """A vendor that says "done" and does nothing fails the run, by name."""
    vendors.ring.stubborn.add("stripe")
    error = end(calm)

    assert isinstance(error, UnprovenError)
    assert str(error).startswith("pay/rk_1: wanted a key that is refused, saw the vendor still accepts it")


def test_a_half_permitted_token_names_what_it_lacks(calm: Ground, vendors: Vendors) -> None:
    """The error of the run says which permission to give; the key is as it was."""
    vendors.ring.forbidden["stripe"] = "write keys"
    error = end(calm)

    assert isinstance(error, RefusedError)
    assert error.then == "give the token a key with permission to write API keys"
    assert len(vendors.ring.living("stripe")) == 1


def test_a_key_whose_value_is_unknown_is_gone_from_the_list(calm: Ground, vendors: Vendors) -> None:
    """Without its value it cannot be tried, and the note says so."""
    vendors.ring.mint("stripe", "rk_2", secrets.token_hex(8))

    assert end(calm, "rk_2") is None
    assert [key.id for key in vendors.ring.living("stripe")] == ["rk_1"]
    (note,) = notes(calm, "end_third_party_key")
    assert note == "ended; gone from the vendor's list; its value is not known here, so it was not tried"


def test_our_own_way_in_is_not_ended(calm: Ground, vendors: Vendors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that ends keys is refused before anything is touched."""
    monkeypatch.setenv("A_TOKEN", vendors.secret)
    error = end(calm)

    assert isinstance(error, ProtocolError)
    assert vendors.memory.writes == []


def test_an_inventory_with_gaps_says_so(calm: Ground, vendors: Vendors) -> None:
    """What protocol.yaml knows is there although the list is forbidden, and the gap is named."""
    vendors.ring.forbidden["stripe"] = "read keys"

    assert calm.play_body(look) is None
    (seen,) = calm.of("list_third_party_keys", "seen")
    assert seen.body["says"].startswith("1 live credentials in 1 systems; 1 could not be listed: pay: 403")


def test_leaked_tokens_are_revoked_and_tried(calm: Ground, vendors: Vendors) -> None:
    """All tokens of a text are handed over in one call and refused afterwards; again there is nothing to do."""
    tokens = [github() for _ in range(5)]
    for number, token in enumerate(tokens):
        vendors.ring.mint("github", f"leaked-{number}", token)
    vendors.leaked.write_text("\n".join(f"export T{n}={token}" for n, token in enumerate(tokens)), encoding="utf-8")

    assert revoke(calm, times=2) is None
    assert vendors.ring.revoke_calls == [5]
    assert notes(calm, "revoke_leaked_tokens") == [
        "handed 5 tokens to GitHub; 5 of 5 tried and refused",
        "no token works: 5 of 5 tried and refused",
    ]
    assert Canaries(dict(zip("abcde", tokens, strict=True))).search(calm.home) == []


def test_an_installations_token_is_said_to_last(calm: Ground, vendors: Vendors) -> None:
    """What GitHub revokes for nobody fails the run and says what ends it; the others are dead all the same."""
    lasting, other = github("ghs_"), github()
    vendors.ring.mint("github", "installation", lasting)
    vendors.ring.mint("github", "leaked", other)
    vendors.leaked.write_text(f"{lasting} {other}", encoding="utf-8")
    error = revoke(calm)

    assert isinstance(error, UnprovenError)
    assert error.saw == "1 of 2 still accepted, 1 of them an installation's"
    assert [key.id for key in vendors.ring.living("github")] == ["installation"]


def test_a_refresh_token_is_revoked_and_counted_apart(calm: Ground, vendors: Vendors) -> None:
    """It cannot be tried, alive or dead: it is handed over, and the record does not call it refused."""
    token = github("ghr_")
    vendors.ring.mint("github", "refresh", token)
    vendors.leaked.write_text(token, encoding="utf-8")

    assert revoke(calm) is None
    assert vendors.ring.living("github") == []
    assert notes(calm, "revoke_leaked_tokens") == ["handed 1 tokens to GitHub; 0 of 1 tried and refused"]


def close(ground: Ground, who: str = "ada", evidence: str = "twine upload says 403", task: str = "") -> object:
    """Close the task as somebody, with the code that ada's phone shows."""
    claim = Claim(who, evidence, ground.world.one_time_code("ada"), "command line")
    with ground.environment():
        return close_task(ground.booth(), ground.incident, task or "pypi/upload token", claim)


@pytest.mark.usefixtures("vendors")
def test_a_run_is_not_green_while_a_task_is_open(calm: Ground) -> None:
    """It fails and names the owner; with evidence it ends well, and the task is not opened again."""
    first = calm.play_body(put_before_a_person)
    closed = close(calm, evidence="twine upload says 403, key hvs.abcdefghijklmnopqrstuvwx")
    second = calm.play_body(put_before_a_person)

    assert isinstance(first, UnprovenError)
    assert first.then == "close them with evidence: ada; then start the run again"
    assert second is None
    assert closed is not None
    assert close(calm) is None
    assert open_tasks(calm.entries()) == ()
    (entry,) = calm.entries("task closed")
    assert (entry.actor, entry.body["evidence"]) == ("ada", "twine upload says 403, key [vault token]")
    assert notes(calm, "open_task") == ["a task for ada: end upload token of pypi", "the task stands already, closed"]


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize("given", [{"evidence": " ok "}, {"task": "pypi/other"}])
def test_what_closes_no_task_is_refused(calm: Ground, given: dict[str, str]) -> None:
    """Evidence that says nothing and a task that is none leave everything as it was."""
    calm.play_body(put_before_a_person)

    with pytest.raises(ProtocolError):
        close(calm, **given)

    assert len(open_tasks(calm.entries())) == 1
