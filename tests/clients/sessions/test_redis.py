"""Redis: a real server's sessions are ended, whatever it and the application do meanwhile."""

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from crisis.clients.sessions import canary, connect
from crisis.domain.systems import RedisSessions
from crisis.errors import ProtocolError, RefusedError, TransientError
from tests.clients.sessions.conftest import Open
from tests.clients.sessions.servers import RedisServer
from tests.clients.sessions.shop import InRedis, canary_of

Describe = Callable[..., RedisSessions]


@pytest.fixture
def describe(monkeypatch: pytest.MonkeyPatch) -> Describe:
    """Describe a server as protocol.yaml does."""

    def described(
        server: RedisServer, url: str = "", shop: str = "http://127.0.0.1:9", **more: object
    ) -> RedisSessions:
        monkeypatch.setenv("SESSIONS_URL", url or server.url)
        wish = {"prefixes": ["sess:"], "epoch": "auth:epoch", "canary": canary_of(shop), **more}
        return RedisSessions.model_validate({"kind": "redis sessions", "url": "env:SESSIONS_URL", **wish})

    return described


def fill(server: RedisServer, number: int, prefix: str = "sess:") -> None:
    """Keep so many sessions."""
    pairs = itertools.chain.from_iterable((f"{prefix}{one:08x}", "{}") for one in range(number))
    for part in iter(lambda: list(itertools.islice(pairs, 10_000)), []):
        server.tell("MSET", *part)


def silent(_count: int, _says: str) -> None:
    """Tell nobody."""


def test_a_taken_session_is_refused_afterwards(redis_server: RedisServer, describe: Describe, open_shop: Open) -> None:
    """The canary opens the account before, and is sent to the login page after."""
    _, url = open_shop(InRedis(redis_server.client()))
    system = describe(redis_server, shop=url)
    jar = canary.take(system.canary, "shop")
    before = canary.judge(system.canary, jar, "shop")

    with connect(system) as store:
        ended = store.end("", silent)

    assert (before.says, canary.judge(system.canary, jar, "shop").says) == ("accepted", "refused")
    assert ended.count == 1


def test_a_look_is_answered_and_changes_nothing(redis_server: RedisServer, describe: Describe) -> None:
    """The server answers, the epoch is told, and every key is where it was."""
    fill(redis_server, 3)
    redis_server.client().set("auth:epoch", 1_700_000_000)
    with connect(describe(redis_server)) as store:
        says = store.look()

    assert says == "answers; epoch 1700000000"
    assert redis_server.client().dbsize() == 4


def test_everything_under_the_prefix_goes_and_nothing_else(redis_server: RedisServer, describe: Describe) -> None:
    """Twelve thousand sessions are ended, their neighbours stay, and signs of patterns are taken literally."""
    fill(redis_server, 12_000)
    fill(redis_server, 10, "app[1]*")
    for other in ("sessions-per-day", "cart:1", "app1x"):
        redis_server.client().set(other, "stays")

    with connect(describe(redis_server, prefixes=["sess:", "app[1]*"])) as store:
        ended = store.end("", silent)

    assert ended.count == 12_010
    assert sorted(redis_server.client().keys("*")) == [b"app1x", b"cart:1", b"sessions-per-day"]


def test_the_epoch_is_read_and_written(redis_server: RedisServer, describe: Describe) -> None:
    """An epoch that is missing or no number counts as none; what is written never expires."""
    with connect(describe(redis_server)) as store:
        seen = [store.epoch()]
        redis_server.client().set("auth:epoch", "soon")
        seen.append(store.epoch())
        store.set_epoch(1_800_000_000)
        seen.append(store.epoch())

    assert seen == [0, 0, 1_800_000_000]
    assert redis_server.client().ttl("auth:epoch") == -1


def test_the_epoch_alone_refuses_a_session(redis_server: RedisServer, describe: Describe, open_shop: Open) -> None:
    """Nothing is removed, and still the application refuses the session; lowered again, it lives."""
    _, url = open_shop(InRedis(redis_server.client()))
    system = describe(redis_server, shop=url)
    jar = canary.take(system.canary, "shop")

    with connect(system) as store:
        store.set_epoch(int(time.time()) + 1)
        closed = canary.judge(system.canary, jar, "shop").says
        store.set_epoch(0)
        opened = canary.judge(system.canary, jar, "shop").says

    assert (closed, opened) == ("refused", "accepted")


def test_sessions_written_during_the_sweep_do_not_keep_old_ones_alive(
    redis_server: RedisServer, describe: Describe
) -> None:
    """An application that goes on writing loses every session that stood before, also one that it writes back."""
    fill(redis_server, 20_000)
    stop, client = threading.Event(), redis_server.client()

    def write() -> None:
        for number in itertools.count():
            client.set(f"sess:new-{number}", "{}")
            if stop.wait(0.001):
                return

    def told(_count: int, says: str) -> None:
        if says.startswith("pass 1"):
            redis_server.client().set("sess:00000001", "{}")  # a request that was under way ends

    writer = threading.Thread(target=write)
    writer.start()
    with connect(describe(redis_server)) as store:
        store.end("", told)
    stop.set()
    writer.join()

    left: Any = redis_server.client().keys("sess:*")
    assert [key for key in left if not key.startswith(b"sess:new-")] == []


def test_without_scripts_it_goes_by_commands(redis_server: RedisServer, describe: Describe) -> None:
    """A user who may not run scripts ends the sessions all the same."""
    fill(redis_server, 12_000)
    redis_server.tell(
        "ACL",
        "SETUSER",
        "responder",
        "reset",
        "on",
        ">pw",
        "~sess:*",
        "~auth:epoch",
        "+scan",
        "+unlink",
        "+get",
        "+set",
    )
    url = redis_server.url.replace("unix://", "unix://responder:pw@")

    with connect(describe(redis_server, url)) as store:
        ended = store.end("", silent)

    assert (ended.count, redis_server.client().dbsize()) == (12_000, 0)


@pytest.mark.parametrize(("left_out", "names"), [("unlink", "UNLINK"), ("scan", "SCAN")])
def test_a_missing_permission_is_named(
    redis_server: RedisServer, describe: Describe, left_out: str, names: str
) -> None:
    """NOPERM is a refusal that says which command is not allowed, and no key of a session."""
    fill(redis_server, 10)
    may = [f"+{one}" for one in ("scan", "unlink", "get", "set") if one != left_out]
    redis_server.tell("ACL", "SETUSER", "half", "reset", "on", ">pw", "~*", *may)
    url = redis_server.url.replace("unix://", "unix://half:pw@")

    with connect(describe(redis_server, url)) as store, pytest.raises(RefusedError, match=names) as raised:
        store.end("", silent)

    assert "sess:0000" not in str(raised.value)
    assert redis_server.client().dbsize() == 10


def test_a_wrong_password_is_refused_without_showing_it(redis_server: RedisServer, describe: Describe) -> None:
    """The error holds neither the password nor an address."""
    redis_server.tell("ACL", "SETUSER", "known", "reset", "on", ">right")
    url = redis_server.url.replace("unix://", "unix://known:hunter2@")

    with connect(describe(redis_server, url)) as store, pytest.raises(RefusedError, match="password refused") as raised:
        store.end("", silent)

    assert "hunter2" not in repr(raised.value) + str(raised.value.__cause__)


def test_a_read_only_replica_is_refused(own_redis: RedisServer, redis_program: str, describe: Describe) -> None:
    """The error says to name the primary."""
    assert redis_program
    with RedisServer(port=RedisServer.free_port()) as primary:
        fill(primary, 10)
        client = own_redis.client()
        client.replicaof("127.0.0.1", str(primary.port))
        until = time.monotonic() + 30
        while client.dbsize() < 10 and time.monotonic() < until:
            time.sleep(0.05)

        with connect(describe(own_redis)) as store:
            with pytest.raises(RefusedError, match="read-only replica; name the primary"):
                store.end("", silent)
            with pytest.raises(RefusedError, match="read-only replica"):
                store.set_epoch(1)


def test_going_away_in_the_middle_is_transient_and_what_is_left_is_ended_later(
    own_redis: RedisServer, describe: Describe
) -> None:
    """A server that dies during the sweep raises what the engine tries again; the next try ends the rest."""
    fill(own_redis, 50_000)

    def die(count: int, _says: str) -> None:
        if count:
            own_redis.stop()

    system = describe(own_redis)
    with connect(system) as store, pytest.raises(TransientError, match="ConnectionError"):
        store.end("", die)
    own_redis.start()
    fill(own_redis, 100)
    with connect(system) as store:
        ended = store.end("", silent)

    assert (ended.count, own_redis.client().dbsize()) == (100, 0)


def test_a_cluster_is_swept_on_every_primary(redis_program: str, describe: Describe) -> None:
    """Keys of many slots go one by one, on each server that owns some."""
    assert redis_program
    with RedisServer("--cluster-enabled", "yes", port=RedisServer.free_port()) as server:
        server.tell("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        until = time.monotonic() + 30
        while b"cluster_state:ok" not in server.tell("CLUSTER", "INFO"):
            assert time.monotonic() < until
            time.sleep(0.05)
        for number in range(500):
            server.client().set(f"sess:{number}", "{}")
        server.client().set("cart:1", "stays")

        with connect(describe(server, cluster=True)) as store:
            store.set_epoch(7)
            ended = store.end("", silent)
            epoch = store.epoch()

        assert (ended.count, epoch, server.client().dbsize()) == (500, 7, 2)


def test_an_address_that_is_none_is_told_by_its_reference(redis_server: RedisServer, describe: Describe) -> None:
    """A typing slip in the URL is a mistake of the protocol, without the text of the URL."""
    with pytest.raises(ProtocolError, match="another address") as raised:
        connect(describe(redis_server, "htp://user:hunter2@host"))

    assert "hunter2" not in str(raised.value)


def test_an_epoch_under_the_prefix_is_refused_at_once(redis_server: RedisServer, describe: Describe) -> None:
    """An epoch that the sweep would remove is no epoch."""
    with pytest.raises(ValueError, match="begins like a session"):
        describe(redis_server, epoch="sess:epoch")
