"""Redis: sessions under prefixes of a server or a cluster, ended in batches while the application goes on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.sessions import RedisSessions
from crisis.errors import ProtocolError, RefusedError, TransientError
from crisis.settings import read_reference

__all__ = ["RedisStore", "connect", "number", "open_redis", "translated"]

_SCAN, _UNLINK = 5000, 1000
_PAGE, _ROUNDS = 250, 16
"""Keys of one page inside the server, and pages of one call: small pages stay in the cache of the processor."""
_PASSES = 2
"""A request that was under way may write its session back after it was removed: it has ended by the second pass."""

_PASSING = (
    redis.BusyLoadingError,
    exceptions.AskError,  # MOVED too
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    exceptions.TryAgainError,
)
_PASSING_CODES = {"BUSY", "NOREPLICAS", "UNBLOCKED"}

_SWEEP = """
local cursor, ended = ARGV[1], 0
for _ = 1, tonumber(ARGV[4]) do
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[2], 'COUNT', ARGV[3])
  cursor = page[1]
  if #page[2] > 0 then ended = ended + redis.call('UNLINK', unpack(page[2])) end
  if cursor == '0' then break end
end
return {cursor, ended}
"""
"""Looks and removes inside the server, no key travels; bounded, so that nobody waits longer than some milliseconds."""


def connect(system: RedisSessions) -> "RedisStore":
    """Open the server, or the cluster, that a system of protocol.yaml names."""
    return RedisStore(open_redis(read_reference(system.url).get_secret_value(), cluster=system.cluster), system)


def open_redis(url: str, *, cluster: bool = False) -> "redis.Redis":
    """Open a server by its URL; nothing is sent yet, but to a cluster."""
    # Our own engine tries again, from a look; redis-py's retries would hide a lost answer.
    options: dict[str, Any] = {"socket_timeout": 10.0, "socket_connect_timeout": 5.0}
    with translated("connect"):
        if cluster:
            return redis.RedisCluster.from_url(url, **options)  # type: ignore[return-value]
        return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)


@contextmanager
def translated(operation: str, target: str = "redis") -> Iterator[None]:
    """Say what Redis or the way to it refused, without its text: that may hold keys, which are sessions."""
    parts = {"vendor": "redis", "operation": operation, "wanted": f"redis to {operation}"}
    failed: Exception
    try:
        yield
    except redis.RedisError as error:
        failed = _judged(error, target, parts)
    except ValueError:
        then = "mend it where its reference points"
        failed = ProtocolError(target, wanted="redis://, rediss:// or unix://", saw="another address", then=then)
    else:
        return
    raise failed


def _judged(error: redis.RedisError, target: str, parts: dict[str, str]) -> RefusedError | TransientError:
    code = str(error).split(" ", 1)[0] if isinstance(error, redis.ResponseError) else ""
    word = code if re.fullmatch(r"[A-Z]{3,}", code) else type(error).__name__
    if isinstance(error, redis.AuthenticationError | exceptions.NoPermissionError) or "NOPERM" in str(error):
        missing = re.search(r"run the '([\w|]+)' command", str(error))
        saw = f"no permission for {missing[1].upper()}" if missing else "no permission for the command or the key"
        if isinstance(error, redis.AuthenticationError) and "NOPERM" not in str(error):
            saw = "user or password refused"
        then = "allow our user +scan +unlink +get +set (and +eval) on the prefixes and the epoch's key"
        return RefusedError(target, saw=saw, then=then, **parts)
    if isinstance(error, redis.ReadOnlyError) or "READONLY" in str(error):
        return RefusedError(target, saw="a read-only replica", then="name the primary in the system's url", **parts)
    lasting = isinstance(error, redis.ResponseError) and not isinstance(error, _PASSING)
    kind = RefusedError if lasting and word not in _PASSING_CODES else TransientError
    return kind(target, saw=word, then="try again" if kind is TransientError else "look at its log", **parts)


class RedisStore:
    """The sessions of one application."""

    vendor = "redis"

    def __init__(self, client: "redis.Redis", system: RedisSessions) -> None:
        self._client, self._system = client, system
        self.has_epoch = system.epoch is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(redis.RedisError):
            self._client.close()

    def look(self) -> str:
        """Ask for a sign of life, and for the epoch where there is one."""
        with translated("PING"):
            self._client.ping()
        return f"answers; epoch {self.epoch() or 'not set'}" if self.has_epoch else "answers"

    def mark(self) -> str:
        """Return nothing: these sessions are not signed."""
        return ""

    def epoch(self) -> int:
        """Return the unix second in force; 0 for none or one that is no number."""
        if self._system.epoch is None:
            return 0
        with translated("read the epoch", self._system.epoch):
            return number(self._client.get(self._system.epoch))

    def set_epoch(self, at: int) -> None:
        """Put the epoch into force, without an expiry."""
        if self._system.epoch is not None:
            with translated("write the epoch", self._system.epoch):
                self._client.set(self._system.epoch, at)

    def end(self, mark: str, told: Progress) -> Ended:
        """Remove every key under the prefixes, twice over; what is written meanwhile is removed with them."""
        del mark
        count = 0
        for number_of_pass in range(1, _PASSES + 1):
            for server in self._primaries():
                for prefix in self._system.prefixes:
                    for removed in self._sweep(server, f"{_literal(prefix)}*"):
                        count += removed
                        told(count, f"pass {number_of_pass} of {_PASSES}")
        return Ended(count, f"{count} keys removed in {_PASSES} passes")

    def _primaries(self) -> list["redis.Redis"]:
        if not self._system.cluster:
            return [self._client]
        cluster: Any = self._client
        return [cluster.get_redis_connection(node) for node in cluster.get_primaries()]

    def _sweep(self, server: "redis.Redis", pattern: str) -> Iterator[int]:
        """Remove by script; where that is not allowed, or keys lie in slots, by the commands themselves."""
        if not self._system.cluster:
            # Asked again without a script, a refusal names the command that is not allowed.
            with suppress(RefusedError):
                yield from _sweep_by_script(server, pattern)
                return
        yield from self._sweep_by_commands(server, pattern)

    def _sweep_by_commands(self, server: "redis.Redis", pattern: str) -> Iterator[int]:
        """Send each page's UNLINKs together with the SCAN of the next page: one round trip for both."""
        size = 1 if self._system.cluster else _UNLINK  # the keys of one UNLINK must share a slot
        cursor, keys = 0, list[bytes]()
        while True:
            with translated("SCAN and UNLINK", pattern):
                together = server.pipeline(transaction=False)
                for first in range(0, len(keys), size):
                    together.unlink(*keys[first : first + size])
                last = cursor == 0 and bool(keys)
                if not last:
                    together.scan(cursor, match=pattern, count=_SCAN)
                answers = together.execute()
            page = (0, []) if last else answers.pop()
            yield sum(map(int, answers))
            cursor, keys = page
            if cursor == 0 and not keys:
                return


def _sweep_by_script(server: "redis.Redis", pattern: str) -> Iterator[int]:
    cursor: Any = 0
    while True:
        with translated("sweep", pattern):
            answer: Any = server.eval(_SWEEP, 0, cursor, pattern, _PAGE, _ROUNDS)
        cursor = int(answer[0])
        yield int(answer[1])
        if cursor == 0:
            return


def number(text: Any) -> int:
    """Read a unix second; what is none is no epoch."""
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _literal(prefix: str) -> str:
    return re.sub(r"([*?\[\]\\])", r"\\\1", prefix)
