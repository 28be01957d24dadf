"""Breach: a key of ours stands in a public place, somebody uses it, and we are told."""

import subprocess
import sys
import threading
import time
from itertools import cycle
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

from crisis.domain.clock import say_duration
from crisis.domain.decision import Gate
from crisis.domain.entry import Entry
from crisis.domain.incident import RECOVERED
from crisis.domain.scorecard import fold_scorecard
from crisis.drill.canaries import Hit, make, search, sinks, text_of
from crisis.drill.people import Authenticator
from crisis.drill.rehearsal import Outcome
from crisis.drill.stack import Stack
from crisis.errors import UnprovenError
from crisis.sandbox.company.company import Company
from crisis.sandbox.company.intruder import Door, Intruder
from crisis.sandbox.world import World

__all__ = ["Breach", "write_protocol"]

_INSIDE_SECONDS = 2.0
_COMMAND_SECONDS, _TRIES = 60, 4
_FINDS_THE_TIME = 3.0
_LAST_TRIES = 20.0
_PARTS, _SHOWN = 4, 5
_SEEN = {
    "open_task": "the registrar answers to the old password: wrong",
    "open_task_for_ghost": "nobody of us made it; it is denied everything, and its key is off",
}
"""What a simulated person gives as evidence, by the action that opened the task."""
_ABOUT = ("--service", "shop", "--summary", "an AWS key stands in a public repository", "--leaked", "-")


class Breach:
    """An intruder holds a leaked key while people and playbook lock it out."""

    says = "an AWS key stands in a public repository; somebody has found it and uses it"
    waits = "the intruder is inside; somebody pastes what leaked into `crisis run security-breach --leaked -`"

    gives_up_after = 600

    def __init__(self, world: World, company: Company) -> None:
        self.world, self.company = world, company
        self.intruder = Intruder(company.loot)
        self.pasted_at = 0.0
        self.canaries = make()
        """A secret of each kind that we recognise; people let them slip into what they write."""
        self._slips = cycle(_parts(self.canaries))
        self.searched, self.sinks, self.hits = 0, 0, list[Hit]()
        self.sessions_before = 0
        self._stack: Stack | None = None
        self._phones = Authenticator(world.one_time_code)
        self._started: subprocess.Popen[str] | None = None

    def begin(self, stack: Stack, phones: Authenticator) -> None:
        """Take the baseline of a good day, let the intruder in, and paste what leaked."""
        self._stack, self._phones = stack, phones
        saw = _said(stack, "baseline", "account")
        if saw:
            raise UnprovenError("crisis baseline", wanted="a baseline", saw=saw, then=f"read {stack.log}")
        self.sessions_before = int(self.company.shape()["sessions"])
        self.intruder.break_in()
        time.sleep(_INSIDE_SECONDS)
        loot = self.company.loot
        leak = f"AWS_ACCESS_KEY_ID={loot['aws_id']}\nAWS_SECRET_ACCESS_KEY={loot['aws_secret']}\n"
        self.pasted_at = time.monotonic()
        self._started = _open(stack, "run", "security-breach", *_ABOUT)
        _write(self._started, leak)

    def choose(self, gate: Gate) -> tuple[str, str]:
        """Choose what the playbook recommends; say of the hole what is known, and too much."""
        because = "The commit with the key is gone." if gate.name == "hole" else "Whatever it may hold must end."
        return gate.plan.choices[0].name, f"{because} {next(self._slips)}"

    def hear(self, entry: Entry) -> None:
        """Do what only a person can: a task is closed some seconds after it was opened."""
        task = (entry.body.get("facts") or {}).get("task") if entry.kind == "done" else None
        if task and self._stack is not None:
            seen = _SEEN.get(str(entry.body["action"]), "the vendor refuses the old one") + f" {next(self._slips)}"
            words = (
                "tasks",
                "close",
                entry.incident,
                str(task["name"]),
                "--who",
                str(task["owner"]),
                "--evidence",
                seen,
            )
            work = (self._stack, str(task["owner"]), *words)
            threading.Thread(target=self._close, args=work, name="task", daemon=True).start()

    def finish(self) -> None:
        """Let the intruder try every door once more, and end it."""
        ended, until = time.monotonic(), time.monotonic() + _LAST_TRIES
        while not self.intruder.has_knocked_since(ended) and time.monotonic() < until:
            time.sleep(0.05)
        self.intruder.give_up()
        if self._started is not None:
            with self._started as child:  # closes its pipes
                child.wait()
        if self._stack is not None:
            self._search(self._stack.home)

    def _search(self, home: Path) -> None:
        """Look for every secret in all that crisis and its Prefect have written. The search must be able to fail."""
        public = {"the leaked key's id": self.company.loot["aws_id"]}
        if not search(public, [home]):
            raise UnprovenError("search for secrets", wanted="the public id of the key", saw="nothing", then="mend it")
        every = {**self.company.secrets(), **self.intruder.secrets, **self.canaries}
        self.sinks, self.hits = len(sinks([home])), search(every, [home])
        self.searched = len(every)

    @property
    def locked_out_after(self) -> float | None:
        """Seconds from the paste to the first refusal of the leaked key after which nothing got through with it."""
        return self._shut_after(self.intruder.of_the_leaked_key)

    @property
    def all_shut_after(self) -> float | None:
        """Seconds from the paste until every door was shut; None while one is open."""
        times = [self._shut_after(door) for door in self.intruder.doors]
        return max((one for one in times if one is not None), default=None) if None not in times else None

    def sum_up(self, outcome: Outcome) -> Table:
        """Lay out the scorecard."""
        table = Table(title="Scorecard", title_style="bold", min_width=72)
        for name in ("what", "measured"):
            table.add_column(name, justify="right" if name == "measured" else "left")
        score = fold_scorecard(outcome.entries)
        rows = {
            "leak pasted → its key refused": _say(self.locked_out_after),
            "leak pasted → every door shut": _say(self.all_shut_after),
            "asked → decided": say_duration(score.decision) if score.decision is not None else "—",
            "decided by": score.decided_by or "nobody",
        }
        for what, value in rows.items():
            table.add_row(what, value)
        table.add_section()
        for door in self.intruder.doors:
            calls = door.managed_since(self.pasted_at)
            table.add_row(f"{door.name}: calls it managed", f"{calls}, shut after {_say(self._shut_after(door))}")
        table.add_section()
        for what, value in _proofs(outcome.entries):
            table.add_row(what, value)
        table.add_row("sessions of members before", str(self.sessions_before))
        table.add_section()
        found = f"{len(self.hits)} hits in {self.sinks} files"
        table.add_row(f"{self.searched} secrets searched for", found, style="bold red" if self.hits else "")
        for hit in self.hits[:_SHOWN]:
            table.add_row(hit.canary, f"{hit.file} ({hit.encoding})", style="red")
        table.add_section()
        table.add_row("steps retried", str(score.retries))
        table.add_row("runs restarted", str(score.restarts))
        table.add_row("still in force", ", ".join(measure.action for measure in score.open_measures) or "nothing")
        style = "bold green" if self.is_good(outcome) else "bold red"
        table.add_row("outcome", Text(score.outcome or "open", style=style))
        return table

    def is_good(self, outcome: Outcome) -> bool:
        """Whether the run recovered, the intruder holds nothing that opens a door, and no secret was written."""
        recovered = fold_scorecard(outcome.entries).outcome == RECOVERED
        return recovered and self.all_shut_after is not None and not self.hits

    def _shut_after(self, door: Door) -> float | None:
        return max(door.shut_at - self.pasted_at, 0.0) if door.shut_at is not None else None

    def _close(self, stack: Stack, owner: str, *words: str) -> None:
        """Close a task; a code that was turned down, or met a stack that was away, is followed by the next."""
        time.sleep(_FINDS_THE_TIME)
        for _ in range(_TRIES):
            code = self._phones.fresh(owner)
            self._phones.spend(owner)
            if not _said(stack, *words, typed=f"{code}\n"):
                return


def _proofs(entries: list[Entry]) -> list[tuple[str, str]]:
    """Say what was planned to end and what was proved, in the order in which it happened."""
    rows = list[tuple[str, str]]()
    for entry in entries:
        body = entry.body
        if entry.kind == "asked" and str(body["gate"]).startswith("kill"):
            rows.append(("planned", str(body["plan"]["title"])))
        elif (entry.kind, body.get("look")) == ("seen", "verify_dead"):
            rows.append(("proved", str(body.get("says") or body.get("error"))))
        elif entry.kind == "done" and body["action"] == "end_sessions":
            rows.append((f"sessions ended in {body['target']}", str(body["facts"].get("count", ""))))
        elif (entry.kind, body.get("look")) == ("seen", "verify_sessions_ended"):
            rows.append(("canary session", "refused" if body.get("ok") else str(body.get("error"))))
    return list(dict.fromkeys(rows))


def _parts(canaries: dict[str, str]) -> list[str]:
    names = list(canaries)
    return [text_of({name: canaries[name] for name in names[first::_PARTS]}) for first in range(_PARTS)]


def _say(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def _open(stack: Stack, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "crisis", *words],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=stack.environment, cwd=stack.project,
    )  # fmt: skip


def _write(child: "subprocess.Popen[str]", text: str) -> None:
    if child.stdin is not None:
        with child.stdin as pipe:
            pipe.write(text)


def _said(stack: Stack, *words: str, typed: str = "") -> str:
    """Run a command of `crisis`; return what it complained of, empty where all went well."""
    with _open(stack, *words) as child:
        _, said = child.communicate(typed, timeout=_COMMAND_SECONDS)
    return (said.strip().splitlines() or ["no word"])[-1] if child.returncode else ""


def write_protocol(rules: Path, systems: dict[str, Any], into: Path) -> Path:
    """Write the rules once more, with the systems that a breach may reach; return where."""
    yaml = YAML(typ="safe")
    data = yaml.load(rules.read_text(encoding="utf-8"))
    data["systems"] = systems
    with into.open("w", encoding="utf-8") as stream:
        yaml.dump(data, stream)
    return into
