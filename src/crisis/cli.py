"""Command line: start, run, decide, look, verify. The outermost edge: every error becomes one line and an exit code."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crisis.cli_law import facts, law, show_clocks
from crisis.errors import CrisisError
from crisis.settings import make_home, settings_at

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Crisis playbooks, proved and rehearsed.",
)
people = typer.Typer(no_args_is_help=True, help="Who decides, and how they prove who they are.")
app.add_typer(people, name="people")
tasks = typer.Typer(no_args_is_help=True, help="What only people can do, open until there is evidence.")
app.add_typer(tasks, name="tasks")
alerts = typer.Typer(no_args_is_help=True, help="What alerts came and what became of them, and what one would start.")
app.add_typer(alerts, name="alerts")
app.add_typer(facts, name="facts")
app.add_typer(law, name="law")
app.command("clocks")(show_clocks)
Incident = Annotated[str, typer.Argument(help="the incident, for example INC-20261124-3f9a2c")]
Home = Annotated[Path | None, typer.Option(help="folder of the journal; by default $CRISIS_HOME or .crisis")]


def main() -> None:
    """Run a command; end with the error's exit code and one line about it."""
    try:
        app()
    except CrisisError as error:
        says = "".join(
            sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in str(error)
        )
        Console(stderr=True, soft_wrap=True).print(f"crisis: {says}", style="red", markup=False, highlight=False)
        sys.exit(error.exit_code)


@app.command()
def up(home: Home = None) -> None:
    """Serve everything: receiver, warm responder, and Prefect unless PREFECT_API_URL names one."""
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415

    settings = settings_at(home)
    make_home(settings.home)
    settings.adopt()  # before Prefect is loaded: it reads the environment once, then

    from crisis.logs import set_up_logs  # noqa: PLC0415
    from crisis.up import serve  # noqa: PLC0415 - loads all of Prefect

    set_up_logs(settings.log, settings.log_level)
    console, log = Console(), logging.getLogger("crisis.up")

    def said(line: str) -> None:
        if settings.log == "json":
            log.info("%s", " ".join(line.split()))
        else:
            console.print(line, highlight=False)

    asyncio.run(serve(settings, said=said))


@app.command()
def run(
    playbook: Annotated[str, typer.Argument(help="for example bad-deploy")],
    service: Annotated[str, typer.Option(help="a service of protocol.yaml")],
    summary: Annotated[str, typer.Option(help="what users see")] = "",
    level: Annotated[int, typer.Option(min=1, max=3, help="Defcon level")] = 1,
    requester: Annotated[str | None, typer.Option(help="who you are; you cannot approve your own run")] = None,
    leaked: Annotated[list[str] | None, typer.Option(help="public name of what leaked; - reads a text with it")] = None,
    scope: Annotated[str, typer.Option(help="credential, principal, reach or everything")] = "",
    *,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="have GitHub end the GitHub tokens of `--leaked -` now, for good")
    ] = False,
    home: Home = None,
) -> None:
    """Start a playbook at a running `crisis up`."""
    from crisis.commands.leaking import hint, read_leaked  # noqa: PLC0415
    from crisis.commands.starting import start_playbook  # noqa: PLC0415

    settings, console = settings_at(home), Console()
    pasted = read_leaked(settings, leaked or [], console)
    more = {**pasted.parameters, **({"scope": scope} if scope else {})}

    def start() -> None:
        start_playbook(settings, playbook, service, summary, level, requester, console, more)

    if revoke:
        from crisis.commands.revoking import start_and_revoke  # noqa: PLC0415 - loads the journal

        start_and_revoke(settings, pasted, requester, start, console)
    else:
        hint(pasted, console)
        start()


@app.command()
def decide(
    incident: Incident,
    who: Annotated[str, typer.Option(help="you, as protocol.yaml names you")],
    answer: Annotated[str, typer.Option(help="the name of a choice, change, or no")] = "",
    reason: Annotated[str, typer.Option(help="why; with change: what should be different")] = "",
    gate: Annotated[str | None, typer.Option(help="which question, where several are open")] = None,
    *,
    steps: Annotated[str, typer.Option(help="approve these steps alone, for example 1,3")] = "",
    glass: Annotated[bool, typer.Option("--glass", help="break the glass: two who may, without the ladder")] = False,
    home: Home = None,
) -> None:
    """Show what is asked and decide it; the one-time code is asked for, never given as an argument."""
    from crisis.commands.deciding import decide_at_terminal  # noqa: PLC0415

    decide_at_terminal(settings_at(home), incident, who, answer, reason, gate, Console(), steps=steps, glass=glass)


@app.command()
def link(
    name: Annotated[str, typer.Argument(help="who it is for, as protocol.yaml names them")],
    incident: Annotated[str | None, typer.Option(help="the room to open; by default the list of all")] = None,
    home: Home = None,
) -> None:
    """Print a link that lets a person see incidents for twelve hours; it decides nothing."""
    from crisis.commands.linking import print_link  # noqa: PLC0415

    print_link(settings_at(home), name, incident, Console())


@app.command()
def timeline(
    incident: Annotated[str | None, typer.Argument(help="the incident; without it all are listed")] = None,
    svg: Annotated[Path | None, typer.Option(help="write the picture here")] = None,
    home: Home = None,
) -> None:
    """Show what happened, from the journal."""
    from crisis.commands.looking import show_timeline  # noqa: PLC0415

    show_timeline(settings_at(home), incident, svg, Console())


@app.command()
def verify(
    incident: Annotated[str | None, typer.Argument(help="the incident; without it every chain")] = None,
    home: Home = None,
) -> None:
    """Find every changed, dropped or reordered entry; ends 8 when there is one."""
    from crisis.commands.looking import verify_journal  # noqa: PLC0415

    verify_journal(settings_at(home), incident, Console())


@app.command()
def export(incident: Incident, home: Home = None) -> None:
    """Write an incident's entries as JSON Lines that an outsider can verify."""
    from crisis.commands.looking import export_entries  # noqa: PLC0415

    export_entries(settings_at(home), incident)


@app.command()
def report(incident: Incident, home: Home = None) -> None:
    """Write an incident's report as Markdown."""
    from crisis.commands.looking import print_report  # noqa: PLC0415

    print_report(settings_at(home), incident)


@app.command()
def baseline(
    system: Annotated[str, typer.Argument(help="an AWS account, as protocol.yaml's systems name it")],
    home: Home = None,
) -> None:
    """Take the state of an account as known to be good: a hunt tells by it what an intruder left."""
    from crisis.commands.baselining import take_baseline  # noqa: PLC0415

    take_baseline(settings_at(home), system, Console())


@tasks.command("list")
def list_tasks(incident: Incident, home: Home = None) -> None:
    """List the tasks of an incident, with what shows that each is done."""
    from crisis.commands.tasking import list_open  # noqa: PLC0415

    list_open(settings_at(home), incident, Console())


@tasks.command("close")
def close(
    incident: Incident,
    task: Annotated[str, typer.Argument(help="its name, as the list has it")],
    who: Annotated[str, typer.Option(help="you, as protocol.yaml names you")],
    evidence: Annotated[str, typer.Option(help="what you saw, or a link; it is kept")],
    home: Home = None,
) -> None:
    """Close a task with evidence; asks for your one-time code. A run ends green only when none is open."""
    from crisis.commands.tasking import close_with_evidence  # noqa: PLC0415

    close_with_evidence(settings_at(home), incident, task, who, evidence, Console())


@app.command()
def check() -> None:
    """Validate protocol.yaml, then try every reference, address and permission it names. Changes nothing."""
    from crisis.commands.checking import check_protocol  # noqa: PLC0415

    sys.exit(check_protocol(settings_at(None), Console()))


@app.command()
def schema() -> None:
    """Print the JSON Schema of protocol.yaml."""
    import json  # noqa: PLC0415

    from crisis.protocol_file import protocol_schema  # noqa: PLC0415

    print(json.dumps(protocol_schema(), indent=2))  # noqa: T201


@app.command()
def drill(
    scenario: Annotated[str, typer.Argument(help="which playbook to rehearse")] = "bad-deploy",
    who: Annotated[str, typer.Option(help="`me` to decide in the browser, or `simulated`")] = "simulated",
    hold: Annotated[float | None, typer.Option(help="seconds to keep everything up at the end")] = None,
    asleep: Annotated[str, typer.Option(help="a decision maker who does not answer: the ladder is rehearsed")] = "",
    home: Home = None,
) -> None:
    """Rehearse for real: the sandbox shop breaks, the playbook runs, you get a scorecard."""
    from crisis.commands.drilling import run_drill  # noqa: PLC0415

    run_drill(settings_at(home), scenario, who, hold, Console(), asleep=asleep)


@people.command("enrol")
def enrol(
    name: Annotated[str, typer.Argument(help="a person of protocol.yaml")],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="make new one-time codes though there are some")] = False,
    print_secret: Annotated[
        bool, typer.Option("--print-secret", help="show the secret, where you must store it yourself")
    ] = False,
    home: Home = None,
) -> None:
    """Let a person enrol: a link for a passkey, good for 15 minutes, and a secret for one-time codes."""
    from crisis.commands.people import enrol_person  # noqa: PLC0415

    enrol_person(settings_at(home), name, replace=replace, print_secret=print_secret, console=Console())


@people.command("list")
def list_proofs(home: Home = None) -> None:
    """Show who is who, and with what each of them can prove it."""
    from crisis.commands.people import list_people  # noqa: PLC0415

    list_people(settings_at(home), Console())


@people.command("remove-passkey")
def remove_passkey(
    name: Annotated[str, typer.Argument(help="a person of protocol.yaml")],
    passkey: Annotated[str, typer.Argument(help="which, as `crisis people list` shows it")],
    home: Home = None,
) -> None:
    """Take a passkey out of force, for good: lost, sold or copied."""
    from crisis.commands import people as desk  # noqa: PLC0415

    desk.remove_passkey(settings_at(home), name, passkey, Console())


@alerts.command("test")
def try_alert(
    file: Annotated[Path, typer.Argument(help="a saved payload, as it was sent")],
    sender: Annotated[str, typer.Option(help="a sender of protocol.yaml")],
    header: Annotated[list[str] | None, typer.Option(help="a header it came with, NAME=VALUE; may be repeated")] = None,
) -> None:
    """Say which fields are read from a payload, which route fits, and what it would start; starts nothing."""
    from crisis.commands.alerting import try_payload  # noqa: PLC0415

    try_payload(settings_at(None), file, sender, header or [], Console())


@alerts.command("list")
def list_alerts(
    state: Annotated[str, typer.Option(help="new, held, opened, started, joined or ignored")] = "",
    sender: Annotated[str, typer.Option(help="a sender of protocol.yaml")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many, newest first")] = 50,
    home: Home = None,
) -> None:
    """List what came in, and why each did or did not start something."""
    from crisis.commands import alerting as desk  # noqa: PLC0415

    desk.list_alerts(settings_at(home), state, sender, limit, Console())


@alerts.command("replay")
def replay_alert(
    delivery: Annotated[str, typer.Argument(help="its name, or six signs of it, as `crisis alerts list` shows it")],
    wait: Annotated[str, typer.Option(help="how long `crisis up` may take to take it in")] = "30s",
    home: Home = None,
) -> None:
    """Send a stored alert again; what was started for it before is not started twice."""
    from crisis.commands import alerting as desk  # noqa: PLC0415

    desk.replay_alert(settings_at(home), delivery, wait, Console())


if __name__ == "__main__":
    main()
