"""The actions that end sessions: proved by the canary, also after a kill in the middle."""

import json
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crisis.clients.sessions.kept import Kept, Shelf
from crisis.domain.change import Change
from crisis.domain.systems import RedisSessions, SessionSecret, System
from crisis.engine.mirror import NoMirror
from crisis.engine.run import Run
from crisis.errors import ProtocolError, TransientError, UnprovenError
from crisis.journal.lease import Leases
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings
from tasks import invalidate_sessions as invalidate
from tests.aws.account import Death
from tests.clients.sessions.conftest import Open
from tests.clients.sessions.servers import RedisServer
from tests.clients.sessions.shop import InCookie, InRedis, Shop, canary_of

INCIDENT = "INC-20261126-abcdef"


def do(act: Callable[..., Any], system: str = "shop", **more: Any) -> Any:
    """Do what an action or look does, without the engine around it."""
    inner: Callable[..., Any] = act.__wrapped__  # type: ignore[attr-defined]
    return inner(system, **more)


@pytest.fixture
def run(tmp_path: Path, migrated: Path, project: Path) -> Iterator[Run]:
    """Be part of a run whose protocol names no system yet."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "journal.db").write_bytes(migrated.read_bytes())
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    lease = Leases(journal.database, 60.0).take("run-1", INCIDENT, "security-breach", "here", 1)
    assert lease is not None
    protocol = load_protocol(project / "protocol.yaml")
    run = Run("run-1", INCIDENT, "security-breach", journal, protocol, Settings(home=home), lease, NoMirror())
    with run:
        yield run
    journal.close()


def know(run: Run, system: System) -> None:
    """Name a system in the run's protocol."""
    run.protocol = run.protocol.model_copy(update={"systems": {"shop": system}})


Stage = tuple[Shop, InRedis, RedisServer]


@pytest.fixture
def stage(run: Run, redis_server: RedisServer, open_shop: Open, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Run a shop with its sessions in Redis, a thousand of them, and an epoch that it compares."""
    keeping = InRedis(redis_server.client())
    shop, url = open_shop(keeping)
    for number in range(1000):
        redis_server.client().set(f"sess:{number}", json.dumps({"user": "x", "iat": int(time.time())}))
    monkeypatch.setenv("SESSIONS_URL", redis_server.url)
    body = {"kind": "redis sessions", "url": "env:SESSIONS_URL", "prefixes": ["sess:"], "epoch": "auth:epoch"}
    know(run, RedisSessions.model_validate({**body, "canary": canary_of(url)}))
    return shop, keeping, redis_server


def test_sessions_are_ended_and_the_canary_refused(stage: Stage) -> None:
    """The change says how many, that the canary is refused, and that a fresh login works."""
    do(invalidate.take_canary_session)

    change: Change = do(invalidate.end_sessions)

    assert (change.state, change.facts["count"]) == ("done", 1001)
    assert "GET /account answered 303" in change.note
    assert "a fresh login works" in change.note
    left: Any = stage[2].client().keys("sess:*")
    assert len(left) == stage[0].logins - 1  # the fresh ones; a first may fall into the epoch's own second


def test_a_second_time_changes_nothing(stage: Stage) -> None:
    """Whoever has logged in since stays logged in, and the reason names the time."""
    do(invalidate.take_canary_session)
    do(invalidate.end_sessions)
    stage[2].client().set("sess:new", json.dumps({"iat": int(time.time())}))

    change: Change = do(invalidate.end_sessions)

    assert (change.state, stage[2].client().exists("sess:new")) == ("none", 1)
    assert change.note.startswith("ended at")


def test_the_canary_outlives_a_kill_and_shows_itself_nowhere(stage: Stage, run: Run, tmp_path: Path) -> None:
    """It lies in a file for us alone, encrypted; its cookie stands in no file of the home, journal included."""
    do(invalidate.take_canary_session)
    kept = Shelf(run.settings.home.resolve(), INCIDENT, run.settings.signing_key()).read("shop")
    assert kept is not None
    assert kept.jar is not None
    cookie = kept.jar.cookies[0][1]

    file = run.settings.home / "canaries" / f"{INCIDENT}.shop"
    holding = [one for one in tmp_path.rglob("*") if one.is_file() and cookie.encode() in one.read_bytes()]
    assert (holding, cookie in repr(kept)) == ([], False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stage[2].client().exists(f"sess:{cookie}") == 1


@pytest.mark.parametrize("kept", [False, True])
def test_a_kill_as_the_second_turn_begins_leaves_the_first_one_proved(
    stage: Stage, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before or after the new canary is kept: the replay does not take it for one that survived, and goes on."""
    do(invalidate.take_canary_session)
    do(invalidate.end_sessions)
    keep = Shelf.keep

    def keep_and_die(shelf: Shelf, system: str, what: Kept) -> None:
        if kept:
            keep(shelf, system, what)
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(Shelf, "keep", keep_and_die)
        with pytest.raises(Death):
            do(invalidate.end_sessions, turn=2)
    between = do(invalidate.verify_sessions_ended)
    stage[2].client().set("sess:new", json.dumps({"iat": int(time.time())}))
    change: Change = do(invalidate.end_sessions, turn=2)

    assert ("under way" in between.says) == kept
    assert (change.state, stage[2].client().exists("sess:new")) == ("done", 0)
    assert "is refused" in do(invalidate.verify_sessions_ended).says


def test_a_kill_after_the_effect_is_proved_by_the_canary_from_before(stage: Stage, run: Run) -> None:
    """What a killed run had done is found, and proved by the session that is older than it; the epoch stays."""
    do(invalidate.take_canary_session)
    shelf = Shelf(run.settings.home.resolve(), INCIDENT, run.settings.signing_key())
    do(invalidate.end_sessions)
    epoch = stage[2].client().get("auth:epoch")
    done = shelf.read("shop")
    assert done is not None
    shelf.keep("shop", replace(done, ended_at=0.0))  # as if it had been killed before its last line

    change: Change = do(invalidate.end_sessions)

    assert change.state == "done"
    assert stage[2].client().get("auth:epoch") == epoch


def test_an_epoch_that_is_not_compared_is_named(stage: Stage) -> None:
    """The sessions are removed all the same, and a second try does not take their absence for a proof."""
    stage[1].deaf = True
    do(invalidate.take_canary_session)

    for _ in range(2):
        with pytest.raises(UnprovenError, match="shop epoch auth:epoch: wanted older sessions refused by it"):
            do(invalidate.end_sessions)

    assert stage[2].client().exists("sess:5") == 0


def test_after_the_application_learned_it_a_new_canary_proves_it(stage: Stage) -> None:
    """Once the epoch is compared, a canary that is taken anew ends well."""
    stage[1].deaf = True
    do(invalidate.take_canary_session)
    with pytest.raises(UnprovenError, match="epoch"):
        do(invalidate.end_sessions)
    stage[1].deaf = False
    time.sleep(1.1)  # the epoch's own second is refused too

    do(invalidate.take_canary_session)
    change: Change = do(invalidate.end_sessions)

    assert change.state == "done"


def test_closing_refuses_and_reopening_takes_it_back(stage: Stage) -> None:
    """The epoch alone refuses the canary, nothing is removed, and lowered again it opens."""
    do(invalidate.take_canary_session)
    closed: Change = do(invalidate.close_sessions)
    again: Change = do(invalidate.close_sessions)
    reopened: Change = do(invalidate.reopen_sessions)
    nothing: Change = do(invalidate.reopen_sessions)

    assert [one.state for one in (closed, again, reopened, nothing)] == ["done", "none", "done", "none"]
    assert stage[2].client().dbsize() == 1002
    assert stage[2].client().get("auth:epoch") == b"0"


def test_closing_is_unproven_where_the_epoch_is_not_compared(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the epoch and says what the application must learn."""
    monkeypatch.setattr(invalidate, "_SECONDS", 0.2)
    stage[1].deaf = True
    do(invalidate.take_canary_session)

    with pytest.raises(UnprovenError, match="epoch auth:epoch"):
        do(invalidate.close_sessions)


def test_without_a_canary_the_sessions_end_but_nothing_is_proved(stage: Stage) -> None:
    """Nobody waits for a canary while a thief is in; the run does not go green either."""
    with pytest.raises(UnprovenError, match="shop canary session: wanted one taken before, saw none"):
        do(invalidate.end_sessions)

    assert stage[2].client().keys("sess:*") == []


def test_a_service_that_is_down_proves_nothing(stage: Stage) -> None:
    """503 is no refusal: the sessions are removed, the proof is tried again."""
    do(invalidate.take_canary_session)
    stage[0].broken = True

    with pytest.raises(TransientError, match="status 503"):
        do(invalidate.end_sessions)
    stage[0].broken = False
    change: Change = do(invalidate.end_sessions)

    assert change.state == "done"
    assert "could not be tried" in change.note


@pytest.mark.usefixtures("stage")
def test_a_service_that_refuses_everybody_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old session is refused, but so is a fresh login: the error says that users are locked out."""
    monkeypatch.setattr(invalidate, "_SECONDS", 0.2)
    do(invalidate.take_canary_session)
    monkeypatch.setenv("CANARY_PASSWORD", "changed meanwhile")

    with pytest.raises(UnprovenError, match="shop login: wanted a fresh session") as raised:
        do(invalidate.end_sessions)

    assert "changed meanwhile" not in str(raised.value)


@pytest.fixture
def config(run: Run, tmp_path: Path, open_shop: Open) -> tuple[Path, InCookie]:
    """Run a shop that signs cookies and must be restarted to read a new key."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"SECRET_KEY": "old", "SECRET_KEY_FALLBACKS": []}))
    keeping = InCookie(file, deaf=True)
    _, url = open_shop(keeping)
    body = {"kind": "session secret", "framework": "flask", "store": f"file:{file}", "patience": "1s"}
    know(run, SessionSecret.model_validate({**body, "canary": canary_of(url), "restart": {"request": "POST /restart"}}))
    return file, keeping


def test_a_service_is_restarted_to_read_its_new_secret(config: tuple[Path, InCookie]) -> None:
    """The canary's cookie is refused by the running service, not only by the file."""
    do(invalidate.take_canary_session)

    change: Change = do(invalidate.end_sessions)

    assert change.state == "done"
    assert json.loads(config[0].read_text())["SECRET_KEY"] != "old"


def test_a_service_that_keeps_its_old_secret_is_caught(config: tuple[Path, InCookie], run: Run) -> None:
    """Without a restart the old cookie still opens: unproven, and the second try rotates nothing."""
    system = run.protocol.systems["shop"]
    know(run, system.model_copy(update={"restart": None}))
    do(invalidate.take_canary_session)

    with pytest.raises(UnprovenError, match="shop canary session: wanted it refused, saw it accepted"):
        do(invalidate.end_sessions)
    first = config[0].read_text()
    with pytest.raises(UnprovenError, match="restart the service"):
        do(invalidate.end_sessions)

    assert config[0].read_text() == first


def test_a_system_that_holds_no_sessions_is_a_mistake(run: Run) -> None:
    """The error names it."""
    assert run.id == "run-1"

    with pytest.raises(ProtocolError, match=r"systems\.shop: wanted a system that holds sessions, saw none"):
        do(invalidate.end_sessions)
