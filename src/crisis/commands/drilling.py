"""Drill: start world and stack, rehearse, print the scorecard, leave a report."""

import fcntl
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.text import Text
from ruamel.yaml import YAML

from crisis import sandbox
from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Gate
from crisis.domain.entry import Entry
from crisis.domain.incident import fold_incident
from crisis.domain.picture import draw_timeline
from crisis.domain.protocol import Person
from crisis.domain.report import write_report
from crisis.domain.timeline import say_person
from crisis.drill.bad_deploy import BadDeploy
from crisis.drill.breach import Breach, write_protocol
from crisis.drill.rehearsal import Outcome, rehearse
from crisis.drill.show import Show
from crisis.drill.stack import Stack
from crisis.errors import ProtocolError, UnprovenError
from crisis.journal.lease import Leases
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.access import link_for
from crisis.sandbox.company.company import Company
from crisis.sandbox.world import World
from crisis.settings import Settings, make_home

__all__ = ["run_drill"]

_SCENARIOS = ("bad-deploy", "security-breach")
_HOLD_SECONDS = 20.0
_DEPUTY_AFTER, _REMIND_EVERY = "8s", "3s"
_PROTOCOL = Path(sandbox.__file__).with_name("protocol.yaml")
"""The sandbox shop's own protocol: what the user's says is no matter of a drill."""


def run_drill(
    settings: Settings, scenario: str, who: str, hold: float | None, console: Console, *, asleep: str = ""
) -> None:
    """
    Rehearse a playbook from alert to report. Whoever is `asleep` is the one decision maker, and does not answer.

    Raises UnprovenError when the drill did not end in a recovery, ProtocolError when another one runs in this home.
    Everything it started ends with it.
    """
    if scenario not in _SCENARIOS:
        raise ProtocolError(f"scenario {scenario!r}", wanted=f"one of: {', '.join(_SCENARIOS)}", saw="an unknown one")
    if asleep and scenario != "bad-deploy":
        raise ProtocolError("--asleep", wanted="the scenario bad-deploy", saw=scenario, then="leave it out")
    if who not in ("me", "simulated"):
        raise ProtocolError(f"--who {who}", wanted="me or simulated", saw="another word")
    home = (settings.home / "drill").resolve()
    make_home(home)
    with _alone(home):
        rules = _rules_with_a_sleeper(home, asleep) if asleep else _PROTOCOL
        _drill(home, settings.project, who, hold, console, rules, asleep, scenario)


def _rules_with_a_sleeper(home: Path, asleep: str) -> Path:
    """Write the sandbox's protocol with a ladder short enough to watch, that starts with the sleeper alone."""
    yaml = YAML(typ="safe")
    data = yaml.load(_PROTOCOL.read_text(encoding="utf-8"))
    able = [who for who, person in data["people"].items() if person.get("deputy")]
    if asleep not in able:
        wanted = f"somebody with a deputy: {', '.join(able)}"
        raise ProtocolError(f"--asleep {asleep}", wanted=wanted, saw="another name")
    data["levels"][1]["decision_makers"] = [asleep]
    data["gates"]["restore"] |= {"deputy_after": _DEPUTY_AFTER, "remind_every": _REMIND_EVERY}
    file = home / "protocol.yaml"
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(data, stream)
    return file


def _drill(
    home: Path, project: Path, who: str, hold: float | None, console: Console, rules: Path, asleep: str, name: str
) -> None:
    protocol = load_protocol(rules)
    show = Show(console, protocol.people)
    began = time.monotonic()
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    _abandon(journal)
    with _ends_in_order(), _ground(home, project, show, rules, name) as (scenario, stack):
        world = scenario.world
        show.say(f"the shop    {world.shop_url}")
        show.say(f"Prefect UI  {stack.prefect}")
        show.say(scenario.says, "bold")
        show.wait(scenario.waits)
        room = _door(home, stack, next(iter(protocol.people)))

        def follow(entry: Entry) -> None:
            show.entry(entry)
            if entry.kind == "opened":
                show.say(f"follow it    {room(entry.incident)}", "dim")

        def ask(gate: Gate, page: str) -> None:
            if gate.people[-1] == asleep:
                show.say(f"{say_person(asleep, protocol.people)} is asleep and does not answer", "dim")
                return
            _ask(gate, page, world, protocol.people, show, mine=who == "me")

        def tick(gates: list[Gate]) -> None:
            if who == "me":
                _tick(gates, world, show)

        outcome = rehearse(
            scenario, stack, journal, simulated=who != "me", show=follow, ask=ask, tick=tick, asleep=asleep
        )
        show.close()
        folder = _leave(home, outcome)
        console.print()
        console.print(scenario.sum_up(outcome))
        _sum_up(console, outcome, folder, stack, room, time.monotonic() - began)
        _hold(console, _HOLD_SECONDS if hold is None and sys.stdin.isatty() else hold or 0.0)
    journal.close()
    if not scenario.is_good(outcome):
        raise UnprovenError("drill", wanted="a recovery", saw="another end", then=f"read {folder / 'report.md'}")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep a second drill out: it would take the incidents of this one for abandoned."""
    with (home / "drill.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            then = "wait for its end, or set CRISIS_HOME"
            raise ProtocolError(str(home), wanted="one drill at a time", saw="another one", then=then) from None
        yield


def _abandon(journal: Journal) -> None:
    """Close what an interrupted drill left open: its shop is gone, and a new stack would go on with it."""
    leases = Leases(journal.database, 1.0)
    for lease in leases.open():
        leases.end(lease, "abandoned")
    for name in journal.incidents():
        if name.startswith("INC-") and fold_incident(name, journal.entries(name)).ended_at is None:
            body = {"run": "", "playbook": "", "outcome": "abandoned", "says": "the drill was interrupted"}
            journal.append(name, "ended", "drill", body)


@contextmanager
def _ground(
    home: Path, project: Path, show: Show, rules: Path, name: str
) -> Iterator[tuple[BadDeploy | Breach, Stack]]:
    show.wait("starting shop, vendors, receiver and Prefect")
    with ExitStack() as all_of_it:
        world = all_of_it.enter_context(World.start())
        scenario: BadDeploy | Breach = BadDeploy(world)
        # The shop is a new one: what happened to that of an earlier drill says nothing about it.
        environment = {**world.env, "CRISIS_INCIDENTS_SINCE": write_time(utc_now()), "CRISIS_PROTOCOL": str(rules)}
        if name == "security-breach":
            show.wait("starting an AWS account, a Vault, a members' area and vendors' keys")
            company = all_of_it.enter_context(Company.start(project))
            scenario = Breach(world, company)
            described = write_protocol(rules, company.systems, home / "protocol.yaml")
            environment |= {**company.env, "CRISIS_PROTOCOL": str(described)}
        stack = all_of_it.enter_context(Stack(home, environment, project.resolve()))
        stack.wait()
        yield scenario, stack
        show.close()


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """Make SIGTERM end the drill as Ctrl-C does: with everything it started."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ask(gate: Gate, page: str, world: World, people: dict[str, Person], show: Show, *, mine: bool) -> None:
    if not mine:
        show.say(f"{say_person(gate.people[-1] if len(gate.rungs) else gate.people[0], people)} opens {page}", "dim")
        return
    who = gate.people[0]
    show.close()
    show.say(f"You are {say_person(who, people)}. Open this page, read the plan, and decide as `{who}`:", "bold yellow")
    show.console.print(Text(page, style="bold underline"), soft_wrap=True)
    if not show.console.is_terminal:
        show.say(f"one-time code of {who}: {world.one_time_code(who)} (new every 30 s)")


def _tick(gates: list[Gate], world: World, show: Show) -> None:
    """Play the authenticator of the person who is asked: its code is new every 30 s."""
    for gate in gates[:1]:
        who = gate.people[0]
        show.wait(f"waiting for you to decide as {who}; one-time code now: {world.one_time_code(who)}")


def _leave(home: Path, outcome: Outcome) -> Path:
    folder = home / "reports" / outcome.incident
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(write_report(outcome.entries), encoding="utf-8")
    (folder / "timeline.svg").write_text(draw_timeline(outcome.entries, outcome.incident), encoding="utf-8")
    return folder


def _door(home: Path, stack: Stack, who: str) -> Callable[[str], str]:
    """Give what makes links into this drill's rooms. They are signed by its own key, and so good nowhere else."""
    settings = Settings(home=home, public_url=stack.receiver, signing_key_text=None)
    return lambda incident: link_for(settings, who, incident)


def _sum_up(
    console: Console, outcome: Outcome, folder: Path, stack: Stack, room: Callable[[str], str], seconds: float
) -> None:
    run = next((entry.run for entry in outcome.entries if entry.kind == "started"), "")
    here = Path.cwd()
    crisis = _near(Path(sys.argv[0]).absolute(), here)  # as it was called, so that the line can be pasted
    lines = {
        "Prefect UI": f"{stack.prefect}/runs/flow-run/{run}",
        "incident": room(outcome.incident),
        "timeline": str(_near(folder / "timeline.svg", here)),
        "report": str(_near(folder / "report.md", here)),
        "verify it": f"{crisis} verify {outcome.incident} --home {_near(folder.parents[1], here)}",
        "took": f"{seconds:.0f} s",
    }
    for name, what in lines.items():
        console.print(f"{name:>12}  {what}", soft_wrap=True, highlight=False)


def _near(path: Path, here: Path) -> Path:
    return path.relative_to(here) if path.is_relative_to(here) else path


def _hold(console: Console, seconds: float) -> None:
    if seconds <= 0:
        return
    try:
        console.print(f"\nEverything stays up for {seconds:.0f} s (Ctrl-C ends it now).", style="dim")
        time.sleep(seconds)
    except KeyboardInterrupt:
        console.print("ended", style="dim")
