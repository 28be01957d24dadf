"""
How fast a million Redis sessions are ended: our sweep beside a bare pipelined UNLINK of keys that are known.

Both run on one server of our own, over its UNIX socket, in turn; the ratio is of the medians.
"""

import itertools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from crisis.clients.sessions.redis import RedisStore
from crisis.domain.systems import RedisSessions
from crisis.domain.systems.canary import Canary

VALUE = b"x" * 400
CANARY = {"url": "http://127.0.0.1:9", "login": [{"request": "POST /login"}], "opens": [{"request": "GET /account"}]}
COMMAND, PIPELINE = 1000, 10


def main() -> int:
    """End so many sessions (a million), so many times (3), by each way; print the rates and the ratio."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        print("sessions: redis-server is not installed", file=sys.stderr)
        return 1
    bare, ours = list[float](), list[float]()
    with _server(program) as url:
        for turn in range(rounds):
            # In turn first: what the machine does meanwhile must not always hit the same one.
            for rates, way in ((bare, _bare), (ours, _ours))[:: 1 if turn % 2 == 0 else -1]:
                rates.append(_measure(url, number, way))
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"bare UNLINK  {statistics.median(bare):10,.0f} sessions/s  n={rounds}  {_all(bare)}")
    print(f"crisis       {statistics.median(ours):10,.0f} sessions/s  n={rounds}  {_all(ours)}")
    print(f"ratio        {ratio:10.2f}  (wanted at least 0.80), {number:,} sessions of {len(VALUE)} bytes")
    return 0 if ratio >= 0.8 else 1


@contextmanager
def _server(program: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        wish = ["--port", "0", "--unixsocket", f"{folder}/redis.sock", "--save", "", "--dir", folder]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([program, *wish], stdout=log, stderr=log)
        url = f"unix://{folder}/redis.sock"
        try:
            _wait(url)
            yield url
        finally:
            process.kill()
            process.wait()


def _wait(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            redis.Redis.from_url(url).ping()
        except redis.RedisError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _measure(url: str, number: int, way: Callable[[redis.Redis, list[bytes]], None]) -> float:
    """Fill the server, end what is in it, and return how many a second."""
    client = redis.Redis.from_url(url)
    keys = [f"sess:{one:032x}".encode() for one in range(number)]
    for first in range(0, number, 10_000):
        client.execute_command("MSET", *itertools.chain.from_iterable((k, VALUE) for k in keys[first : first + 10_000]))
    assert client.dbsize() == number
    began = time.perf_counter()
    way(client, keys)
    took = time.perf_counter() - began
    assert client.dbsize() == 0
    client.close()
    return number / took


def _bare(client: redis.Redis, keys: list[bytes]) -> None:
    """Remove keys that are known: no look, no proof."""
    step = COMMAND * PIPELINE
    for first in range(0, len(keys), step):
        together = client.pipeline(transaction=False)
        for part in range(first, min(first + step, len(keys)), COMMAND):
            together.unlink(*keys[part : part + COMMAND])
        together.execute()


def _ours(client: redis.Redis, _keys: list[bytes]) -> None:
    """End the sessions as an incident does: found by their prefix, both passes included."""
    body = {"kind": "redis sessions", "url": "env:UNUSED", "prefixes": ["sess:"], "canary": CANARY}
    system = RedisSessions.model_validate({**body, "canary": Canary.model_validate(CANARY)})
    RedisStore(client, system).end("", lambda _count, _says: None)


def _all(rates: list[float]) -> str:
    return " ".join(f"{one / 1000:.0f}k" for one in rates)


if __name__ == "__main__":
    raise SystemExit(main())
