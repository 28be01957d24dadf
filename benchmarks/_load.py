"""
Load: posts alerts over kept-alive connections and times the answers; a process of its own, as cheap as it can be.

Run by flood.py. A paced alert is timed from the moment that it was due, not from when a connection was free for it.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

HEAD = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
PATIENCE = 30.0


def alert(series: str, number: int) -> bytes:
    """Return a delivery of Alertmanager, version 4, about 1 kB long; each number another alert of one cause."""
    labels = {
        "alertname": "JourneyFailing",
        "instance": f"10.0.{number // 250 % 250}.{number % 250}:9100",
        "job": "prober",
        "journey": "checkout",
        "service": "shop",
        "severity": "critical",
    }
    one = {
        "status": "firing",
        "labels": labels,
        "annotations": {
            "summary": "checkout of shop fails",
            "description": "POST /api/checkout answered 500 in 3 of 3 probes; the last one took 812 ms",
            "runbook_url": "https://runbooks.example.com/shop/checkout",
        },
        "startsAt": "2026-11-24T03:12:05.534Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=probe_success%7Bjob%3D%22prober%22%7D+%3D%3D+0",
        "fingerprint": f"{series}{number:010x}",
    }
    whole = {
        "receiver": "crisis",
        "status": "firing",
        "alerts": [one],
        "groupLabels": {"alertname": "JourneyFailing", "service": "shop"},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "version": "4",
        "groupKey": '{}/{}:{alertname="JourneyFailing", service="shop"}',
        "truncatedAlerts": 0,
    }
    return json.dumps(whole).encode()


class Requests:
    """Makes one request after the other, from a template: the work of a moment."""

    def __init__(self, path: str, token: str, series: str) -> None:
        body = alert(series, 0)
        mark = f"{series}{0:010x}".encode()
        head = f"{HEAD.format(path=path, token=token)}Content-Length: {len(body)}\r\n\r\n".encode()
        self.before, _, self.after = (head + body).partition(mark)
        self.series, self.numbers = series.encode(), itertools.count()

    def __next__(self) -> bytes:
        return b"%s%s%010x%s" % (self.before, self.series, next(self.numbers), self.after)

    def __iter__(self) -> Iterator[bytes]:
        return self


@dataclass
class Results:
    """What was answered, and how long each answer took."""

    answers: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def summary(self) -> dict[str, Any]:
        """Return the numbers in milliseconds."""
        took = sorted(self.took)
        at = {f"p{share}": took[min(len(took) - 1, len(took) * share // 100)] * 1000 for share in (50, 99)}
        seconds = time.perf_counter() - self.began
        return {**at, "max": took[-1] * 1000, "answers": dict(self.answers), "seconds": seconds}


class Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.received = b""
        self.due = 0.0
        self.done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def post(self, request: bytes, due: float) -> asyncio.Future[None]:
        """Send a request that was due at a moment; the future is done with its answer."""
        self.due, self.done = due, asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.done

    def data_received(self, data: bytes) -> None:
        """Count an answer once it is whole."""
        self.received += data
        head, gap, body = self.received.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length: ")
        if not gap or len(body) < int(head[at + 16 :].split(b"\r\n", 1)[0]):
            return
        self.received = b""
        self._count(head[9:12].decode())

    def connection_lost(self, _error: Exception | None) -> None:
        """Count a request that is not answered any more."""
        if self.done is not None and not self.done.done():
            self._count("lost")

    def _count(self, answer: str) -> None:
        self.results.answers[answer] += 1
        self.results.took.append(time.perf_counter() - self.due)
        if self.done is not None and not self.done.done():
            self.done.set_result(None)


async def paced(connections: list[Connection], requests: Requests, rate: float, total: int) -> None:
    """Post alerts when they are due, on whatever connection is free."""
    free, waiting = asyncio.Queue[Connection](), set[asyncio.Future[None]]()
    for one in connections:
        free.put_nowait(one)
    began = time.perf_counter()
    for number in range(total):
        due = began + number / rate
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        one = await free.get()
        answered = one.post(next(requests), due)
        waiting.add(answered)
        answered.add_done_callback(lambda done, one=one: (waiting.discard(done), free.put_nowait(one)))
    if waiting:
        await asyncio.wait(waiting, timeout=PATIENCE)


async def unpaced(connections: list[Connection], requests: Requests, seconds: float) -> None:
    """Post the next alert on each connection as soon as the last one is answered."""
    until = time.perf_counter() + seconds

    async def go(one: Connection) -> None:
        while time.perf_counter() < until:
            await one.post(next(requests), time.perf_counter())

    async with asyncio.timeout(seconds + PATIENCE):
        await asyncio.gather(*(go(one) for one in connections))


async def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Open the connections, post, and return the numbers."""
    results, loop = Results(), asyncio.get_running_loop()
    requests = Requests(asked.path, asked.token, asked.series)
    pairs = [
        await loop.create_connection(lambda: Connection(results), "127.0.0.1", asked.port)
        for _ in range(asked.connections)
    ]
    connections = [connection for _, connection in pairs]
    results.began = time.perf_counter()
    if asked.rate:
        await paced(connections, requests, asked.rate, int(asked.rate * asked.seconds))
    else:
        await unpaced(connections, requests, asked.seconds)
    summary = results.summary()
    for one in connections:
        one.transport.close()
    return summary


def main() -> int:
    """Post as asked; print the numbers as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--series", required=True, help="six hex digits that no other run has")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=0.0, help="alerts a second; 0 for as many as there can be")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
