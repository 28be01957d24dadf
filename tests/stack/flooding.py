"""Kill the whole stack at random instants of a flood of alerts, and account for each that was answered 202."""

import http.client
import itertools
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from crisis.domain.clock import utc_now, write_time
from crisis.domain.incident import HANDED_OVER
from crisis.drill.stack import Stack
from crisis.journal.inbox import JOINED, STARTED, Delivery, Inbox
from crisis.journal.sightings import Sightings
from crisis.journal.store import Journal
from crisis.sandbox.world import World
from tests.receiver.payloads import alert, delivery
from tests.stack.killing import PROJECT, seed_prefect

SERVICES = ("shop", "blog", "search", "login", "mail")
_SENDERS = 8
_PATIENCE = 120.0


@dataclass
class Account:
    """What was accepted, and what became of it."""

    sent: int
    kills: int
    refused: int
    states: Counter[str]
    incidents: dict[str, str]
    runs: dict[str, int]
    alerts: int
    messages: Counter[str]
    faults: list[str]
    lost: list[str]
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether each accepted alert started the one run of its cause, or joined it."""
        one_each = sorted(self.incidents.values()) == sorted(SERVICES) and set(self.runs.values()) == {1}
        all_there = not self.lost and self.alerts == self.sent and set(self.states) <= {STARTED, JOINED}
        return one_each and all_there and not self.faults and set(self.messages.values()) <= {1}


@dataclass
class Flood:
    """Senders that each post alert after alert, and the same one again until it is answered 202, as real ones do."""

    port: int
    token: str
    series: str
    accepted: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(_SENDERS):
            self._threads.append(threading.Thread(target=self._post, args=(number,), daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let every sender finish the alert that it is at."""
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _post(self, sender: int) -> None:
        for body in self._bodies(sender):
            until = time.monotonic() + _PATIENCE
            while time.monotonic() < until:
                with suppress(OSError, http.client.HTTPException, ValueError):
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                    connection.request("POST", "/alerts/alertmanager", body, {"Authorization": f"Bearer {self.token}"})
                    answer = connection.getresponse()
                    said = answer.read()
                    connection.close()
                    if answer.status == http.client.ACCEPTED:
                        self.accepted[json.loads(said)["delivery"]] = self.series
                        break
                    self.refused += 1
                time.sleep(0.05)  # as a sender waits before it tries again
            if self._over.is_set():
                return

    def _bodies(self, sender: int) -> Iterator[bytes]:
        for number in itertools.count():
            service = SERVICES[number % len(SERVICES)]
            one = {**alert(service=service), "fingerprint": f"{self.series}-{sender}-{number}"}
            one["startsAt"] = write_time(utc_now())
            yield delivery(one, groupKey=f'{{}}:{{service="{service}"}}')


def flood_and_kill(kills: int, seed: Path | None, rng: random.Random) -> Account:
    """Flood a stack, kill it with -9 so often at random instants, and wait until everything is settled."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crisis-flood-") as folder, World.start() as world:
        home = Path(folder) / "home"
        if seed is not None:
            shutil.copytree(seed, home / "prefect")
        more = {**world.env, "CRISIS_PROTOCOL": str(_protocol(Path(folder))), "CRISIS_LEASE": "3"}
        journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
        with Stack(home, more, PROJECT) as stack:
            stack.wait()
            token = world.env["CRISIS_SANDBOX_ALERT_TOKEN"]
            with Flood(stack.port, token, f"{rng.getrandbits(32):08x}") as flood:
                for _ in range(kills):
                    time.sleep(rng.uniform(0.05, 3.0))
                    stack.kill()
                    stack.start()
                    # Some die while they are still getting up.
                    if rng.random() < 0.75:
                        stack.wait()
                stack.wait()
                time.sleep(1.0)
            _settled(journal)
            account = _account(world, journal, flood, kills, time.monotonic() - began)
        journal.close()
        return account


def _protocol(folder: Path) -> Path:
    yaml = YAML(typ="safe")
    data = yaml.load((PROJECT / "protocol.yaml").read_text(encoding="utf-8"))
    data["services"] = dict.fromkeys(SERVICES, data["services"]["shop"])
    # What the run does is not the point here: it tells each person once, which shows a second run at once.
    data["alerts"]["alertmanager"]["routes"] = [{"when": {"alertname": "JourneyFailing"}, "start": "hand-over"}]
    file = folder / "protocol.yaml"
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(data, stream)
    return file


def _settled(journal: Journal) -> None:
    """Wait until nothing waits in the inbox and every run has ended."""
    inbox, until = Inbox(journal.database), time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        waiting = {state: number for state, number in inbox.count().items() if number}
        names = [name for name in journal.incidents() if name.startswith("INC-")]
        over = all(any(entry.kind == "ended" for entry in journal.entries(name)) for name in names)
        if set(waiting) <= {STARTED, JOINED, "ignored"} and over:
            return
        time.sleep(0.2)


def _account(world: World, journal: Journal, flood: Flood, kills: int, seconds: float) -> Account:
    rows = _rows(Inbox(journal.database))
    names = [name for name in journal.incidents() if name.startswith("INC-")]
    chains = {name: journal.entries(name) for name in names}
    lost = [name for name in flood.accepted if name not in rows or rows[name].incident not in chains]
    lost += [name for name, chain in chains.items() if not any(e.body.get("outcome") == HANDED_OVER for e in chain)]
    messages: Counter[str] = Counter(_plain(one) for one in world.state()["messages"])
    return Account(
        sent=len(flood.accepted),
        kills=kills,
        refused=flood.refused,
        states=Counter(rows[name].state for name in flood.accepted if name in rows),
        incidents={name: str(chain[0].body["service"]) for name, chain in chains.items()},
        runs={name: len({entry.run for entry in chain if entry.kind == "started"}) for name, chain in chains.items()},
        alerts=sum(Sightings(journal.database).total(name) for name in names),
        messages=messages,
        faults=[fault.says for name in names for fault in journal.verify(name)],
        lost=lost,
        seconds=seconds,
    )


def _plain(message: dict[str, Any]) -> str:
    # To whom, about which incident and call: the words between differ by what was in force.
    return f"{message['to']} {str(message['body']).partition(']')[0]}"


def _rows(inbox: Inbox) -> dict[str, Delivery]:
    found, before = dict[str, Delivery](), ""
    while page := inbox.latest(1000, before=before):
        found |= {one.delivery: one for one in page}
        before = page[-1].received
    return found


def main() -> int:
    """Kill twenty times, or as often as given; print the account."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    start = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().getrandbits(16)
    with tempfile.TemporaryDirectory(prefix="crisis-flood-seed-") as folder:
        seed = seed_prefect(Path(folder))
        account = flood_and_kill(kills, seed, random.Random(start))  # noqa: S311 - instants, not secrets
    told = sum(account.messages.values())
    print(f"{account.kills} kills -9 in {account.seconds:.0f} s (random seed {start})")  # noqa: T201
    print(f"{account.sent} alerts accepted, {account.refused} refused for the moment: {dict(account.states)}")  # noqa: T201
    print(f"{account.alerts} alerts known in {len(account.incidents)} incidents, {account.runs}")  # noqa: T201
    print(f"{told} messages, each {set(account.messages.values())} times; faults {account.faults[:3]}")  # noqa: T201
    print(f"lost: {len(account.lost)} {account.lost[:3]}; exact: {account.exact}")  # noqa: T201
    return 0 if account.exact else 1


if __name__ == "__main__":
    sys.exit(main())
