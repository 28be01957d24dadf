"""Kill the whole stack at a journal entry, start it again, and compare the world with an undisturbed one."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from crisis.domain.entry import Entry
from crisis.drill.bad_deploy import BadDeploy
from crisis.drill.breach import Breach, write_protocol
from crisis.drill.rehearsal import Outcome, rehearse
from crisis.drill.stack import Stack
from crisis.errors import CrisisError
from crisis.journal.store import Journal
from crisis.sandbox.company.company import Company
from crisis.sandbox.world import World

PROJECT = Path(__file__).resolve().parents[2]
_READS = 0.2
_AT_ONCE = 6
"""So often a sweep kills the stack in one rehearsal: more deaths would be waited out, longer each time."""
_ABOUT = ("call", "look", "gate", "hash", "target", "who", "person", "task", "rung", "number")
_RUN = re.compile(
    r"INC-\d{8}-[0-9a-f]{6,8}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|\b[0-9a-f]{7,40}\b"
    r"|(?<=revert )\d+(?=\])|(?<=Reply: Q)\d+|/in/[\w.-]+|127\.0\.0\.1:\d+"
    r"|(?<=decide kill )\d+|(?<=decide hole )\d+|(?<=decide kill-again )\d+|AKIA[A-Z0-9]{16}|\b[A-Za-z0-9]{24}\b"
)


@dataclass
class Trial:
    """One rehearsal: the world it left, in a form that can be compared, and how many events it took."""

    world: dict[str, Any]
    events: int
    starts: int
    faults: list[str]
    seconds: float


def rehearse_once(kill_at: Collection[int], seed: Path | None = None, scenario: str = "bad-deploy") -> Trial:
    """
    Run a rehearsal; kill every process of the stack each time that the incident has one of these numbers of events.

    An event is an entry that no restart alone has brought: what a new start says again is none.
    """
    began = time.monotonic()
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="crisis-kill-")))
        world, home = ends.enter_context(World.start()), folder / "home"
        if seed is not None:
            shutil.copytree(seed, home / "prefect")
        environment = {**world.env, "CRISIS_LEASE": "3"}
        plot: BadDeploy | Breach = BadDeploy(world)
        rules = _quick_protocol(folder)
        if scenario == "security-breach":
            company = ends.enter_context(Company.start(PROJECT))
            plot, environment = Breach(world, company), environment | company.env
            rules = _quick_breach(rules, company)
        environment["CRISIS_PROTOCOL"] = str(rules)
        journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
        ends.callback(journal.close)
        stack = ends.enter_context(Stack(home, environment, PROJECT))
        stack.wait()
        events, left = set[tuple[str, ...]](), sorted(kill_at)

        def watch(entry: Entry) -> None:
            if entry.kind != "started":
                events.add((entry.kind, *(str(entry.body.get(name)) for name in _ABOUT)))
            if left and len(events) >= left[0]:
                while left and len(events) >= left[0]:
                    left.pop(0)
                stack.kill()
                stack.start()

        outcome = rehearse(
            plot, stack, journal, simulated=True, show=watch, ask=lambda _gate, _page: None, reads=_READS
        )
        seen = _people_saw(world, outcome) | (_shop(world) if isinstance(plot, BadDeploy) else _company(plot))
        faults = [fault.says for fault in journal.verify(outcome.incident)]
        faults += [f"event {number} never came" for number in left]
        starts = sum(entry.kind == "started" for entry in outcome.entries)
        return Trial(seen, len(events), starts, faults, time.monotonic() - began)


def seed_prefect(into: Path) -> Path:
    """Make a Prefect database once, so that each trial need not migrate its own."""
    with World.start() as world, Stack(into / "home", world.env, PROJECT) as stack:
        stack.wait()
    return into / "home" / "prefect"


def _quick_protocol(folder: Path) -> Path:
    yaml = YAML(typ="safe")
    data = yaml.load((PROJECT / "protocol.yaml").read_text(encoding="utf-8"))
    data["services"]["shop"]["verify"] = {"passes": 5, "every": "50ms", "p95": "3s", "give_up_after": "20s"}
    file = folder / "protocol.yaml"
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(data, stream)
    return file


def _quick_breach(rules: Path, company: Company) -> Path:
    """One decision maker for each of the three gates, so that nobody waits for the next code; an AWS that is quick."""
    systems = company.systems
    systems["account"] |= {"patience": "2s", "calls_per_second": {"iam": 500, "secrets-manager": 500}}
    yaml = YAML(typ="safe")
    data = yaml.load(rules.read_text(encoding="utf-8"))
    data["levels"][1]["decision_makers"] = ["ada", "ben", "cleo"]
    data["gates"]["destroy"] = {"ask": "decision maker"}
    with rules.open("w", encoding="utf-8") as stream:
        yaml.dump(data, stream)
    return write_protocol(rules, systems, rules.with_name("breach.yaml"))


def _shop(world: World) -> dict[str, Any]:
    state = world.state()
    git = ["git", "-C", str(world.origin)]

    def ask(*words: str) -> list[str]:
        return subprocess.run([*git, *words], capture_output=True, text=True, check=True).stdout.splitlines()

    return {
        "tree": ask("rev-parse", "main^{tree}"),
        "history": [_plain(line) for line in ask("log", "--format=%s", "main")],
        "serving": ask("rev-parse", f"{state['serving']}^{{tree}}"),
        "mode": state["switches"]["mode"],
        "freeze": len(state["freeze"]["allow"]) if state["freeze"] else None,
        "deployments": sorted(one["state"] for one in state["deployments"]),
    }


def _company(plot: Breach) -> dict[str, Any]:
    shape = plot.company.shape()
    # A canary's login that was tried again has left one session more.
    shape["sessions"] = "all ended" if shape["sessions"] < plot.sessions_before / 10 else shape["sessions"]
    shape["secrets"] = {_plain(name): one for name, one in shape["secrets"].items()}  # a key's id may be part of a name
    doors = {door.name: "open" if door.shut_at is None else "shut" for door in plot.intruder.doors}
    return {"company": shape, "doors": doors, "secrets found": plot.hits}


def _people_saw(world: World, outcome: Outcome) -> dict[str, Any]:
    state, entries = world.state(), outcome.entries
    effects = Counter(
        _plain(f"{entry.body['action']} {entry.body['target']}") for entry in entries if entry.kind in ("done", "none")
    )
    return {
        "tickets": [_plain(one["title"]) for one in state["tickets"]],
        "messages": sorted(f"{one['to']} {_plain(one['body'])}" for one in state["messages"]),
        "calls": sorted(one["to"] for one in state["calls"]),
        "effects": sorted(effects.items()),
        "decisions": [entry.body["outcome"] for entry in entries if entry.kind == "decided"],
        "tasks": sorted(_plain(entry.body["task"]) for entry in entries if entry.kind == "task closed"),
        "end": [entry.body["outcome"] for entry in entries if entry.kind == "ended"],
    }


def _plain(text: str) -> str:
    """Take out what names this very incident, run, commit or port."""
    return _RUN.sub("·", text)


def main() -> int:
    """Kill at every event, some in each rehearsal, or at the ones given (`9 40`, or `9,40` in one); print N of N."""
    words = sys.argv[1:]
    scenario = words.pop(0) if words and not words[0][0].isdecimal() else "bad-deploy"
    with tempfile.TemporaryDirectory(prefix="crisis-kill-seed-") as folder:
        seed = seed_prefect(Path(folder))
        calm = rehearse_once((), seed, scenario)
        _print(f"undisturbed: {calm.events} events, {calm.world['end']}, {calm.seconds:.0f} s")
        groups = [[int(one) for one in word.split(",")] for word in words] or _spread(calm.events)
        good, total = 0, sum(len(group) for group in groups)
        for group in groups:
            try:
                trial = rehearse_once(group, seed, scenario)
            except CrisisError as error:
                _print(f"killed at {group}: FAILED {error}")
                continue
            differs = {
                name: (calm.world[name], trial.world[name])
                for name in calm.world
                if calm.world[name] != trial.world[name]
            }
            same = not differs and not trial.faults
            good += len(group) if same else 0
            says = "equal" if same else f"DIFFERS {differs} {trial.faults}"
            _print(f"killed at {group}: {says}; {trial.starts} starts, {trial.seconds:.0f} s")
        _print(f"{good} of {total} equal to the undisturbed world")
        return 0 if good == total else 1


def _spread(events: int) -> list[list[int]]:
    """Return every number up to `events`, in groups whose members lie far apart."""
    rehearsals = -(-events // _AT_ONCE)
    return [list(range(first, events + 1, rehearsals)) for first in range(1, rehearsals + 1)]


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
