"""Command line: start, run, decide, look, verify. The outermost edge: every error becomes one line and an exit code."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from crisis.errors import CrisisError, ProtocolError
from crisis.settings import Settings, make_home

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Crisis playbooks, proved and rehearsed.",
)
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

    settings = _settings(home)
    make_home(settings.home)
    settings.adopt()  # before Prefect is loaded: it reads the environment once, then

    from crisis.up import serve  # noqa: PLC0415 - loads all of Prefect

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    console = Console()
    asyncio.run(serve(settings, said=lambda line: console.print(line, highlight=False)))


@app.command()
def run(
    playbook: Annotated[str, typer.Argument(help="for example bad-deploy")],
    service: Annotated[str, typer.Option(help="a service of protocol.yaml")],
    summary: Annotated[str, typer.Option(help="what users see")] = "",
    level: Annotated[int, typer.Option(min=1, max=3, help="Defcon level")] = 1,
    requester: Annotated[str | None, typer.Option(help="who you are; you cannot approve your own run")] = None,
    home: Home = None,
) -> None:
    """Start a playbook at a running `crisis up`."""
    from crisis.commands.starting import start_playbook  # noqa: PLC0415

    start_playbook(_settings(home), playbook, service, summary, level, requester, Console())


@app.command()
def decide(
    incident: Incident,
    who: Annotated[str, typer.Option(help="you, as protocol.yaml names you")],
    answer: Annotated[str, typer.Option(help="the name of a choice, or no")] = "",
    reason: Annotated[str, typer.Option(help="why")] = "",
    gate: Annotated[str | None, typer.Option(help="which question, where several are open")] = None,
    home: Home = None,
) -> None:
    """Show what is asked and decide it; the one-time code is asked for, never given as an argument."""
    from crisis.commands.deciding import decide_at_terminal  # noqa: PLC0415

    decide_at_terminal(_settings(home), incident, who, answer, reason, gate, Console())


@app.command()
def timeline(
    incident: Annotated[str | None, typer.Argument(help="the incident; without it all are listed")] = None,
    svg: Annotated[Path | None, typer.Option(help="write the picture here")] = None,
    home: Home = None,
) -> None:
    """Show what happened, from the journal."""
    from crisis.commands.looking import show_timeline  # noqa: PLC0415

    show_timeline(_settings(home), incident, svg, Console())


@app.command()
def verify(
    incident: Annotated[str | None, typer.Argument(help="the incident; without it every chain")] = None,
    home: Home = None,
) -> None:
    """Find every changed, dropped or reordered entry; ends 8 when there is one."""
    from crisis.commands.looking import verify_journal  # noqa: PLC0415

    verify_journal(_settings(home), incident, Console())


@app.command()
def export(incident: Incident, home: Home = None) -> None:
    """Write an incident's entries as JSON Lines that an outsider can verify."""
    from crisis.commands.looking import export_entries  # noqa: PLC0415

    export_entries(_settings(home), incident)


@app.command()
def report(incident: Incident, home: Home = None) -> None:
    """Write an incident's report as Markdown."""
    from crisis.commands.looking import print_report  # noqa: PLC0415

    print_report(_settings(home), incident)


@app.command()
def check() -> None:
    """Validate protocol.yaml, then try every reference, address and permission it names. Changes nothing."""
    from crisis.commands.checking import check_protocol  # noqa: PLC0415

    sys.exit(check_protocol(_settings(None), Console()))


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
    home: Home = None,
) -> None:
    """Rehearse for real: the sandbox shop breaks, the playbook runs, you get a scorecard."""
    from crisis.commands.drilling import run_drill  # noqa: PLC0415

    run_drill(_settings(home), scenario, who, hold, Console())


def _settings(home: Path | None) -> Settings:
    try:
        return Settings() if home is None else Settings(home=home)
    except ValidationError as error:
        wrong = "; ".join(f"CRISIS_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())
        then = "see docs/reference/settings.md"
        raise ProtocolError("settings", wanted="values that can be read", saw=wrong, then=then) from None


if __name__ == "__main__":
    main()
