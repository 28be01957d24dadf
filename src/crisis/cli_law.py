"""Command line of the law: facts that people state, the clocks that follow, duties, receipts."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crisis.settings import settings_at

__all__ = ["facts", "law"]

facts = typer.Typer(no_args_is_help=True, help="What people state for the law, and what it still asks.")
law = typer.Typer(no_args_is_help=True, help="Whom the law asks to tell, by when, and what was filed.")
Incident = Annotated[str, typer.Argument(help="the incident, for example INC-20261124-3f9a2c")]
Who = Annotated[str, typer.Option(help="you, as protocol.yaml names you")]
Home = Annotated[Path | None, typer.Option(help="folder of the journal; by default $CRISIS_HOME or .crisis")]


@facts.command("state")
def state(
    incident: Incident,
    said: Annotated[list[str], typer.Argument(help="NAME=VALUE, for example aware=2026-11-24T03:12+01:00")],
    who: Who,
    evidence: Annotated[str, typer.Option(help="how you know")],
    zone: Annotated[str, typer.Option(help="your time zone, for example Europe/Berlin")] = "UTC",
    home: Home = None,
) -> None:
    """State facts; your one-time code is asked for."""
    from crisis.commands import stating  # noqa: PLC0415

    stating.state(settings_at(home), incident, said, who, zone, evidence, Console())


@facts.command("withdraw")
def withdraw(
    incident: Incident,
    number: Annotated[int, typer.Argument(help="the statement's number, from `crisis facts list`")],
    who: Who,
    because: Annotated[str, typer.Option(help="why it does not hold")],
    home: Home = None,
) -> None:
    """Take a statement back: its author may, and counsel."""
    from crisis.commands import stating  # noqa: PLC0415

    stating.withdraw(settings_at(home), incident, number, who, because, Console())


@facts.command("list")
def list_facts(incident: Incident, home: Home = None) -> None:
    """Show what was stated, by whom, and what contradicts."""
    from crisis.commands import stating  # noqa: PLC0415

    stating.list_facts(settings_at(home), incident, Console())


@facts.command("ask")
def ask(incident: Incident, home: Home = None) -> None:
    """Show the questions whose answers decide the most duties."""
    from crisis.commands import stating  # noqa: PLC0415

    stating.ask(settings_at(home), incident, Console())


@law.command("list")
def list_law(home: Home = None) -> None:
    """Show every instrument that is known, when it was checked, and how sure we are."""
    from crisis.commands.clocks import show_law  # noqa: PLC0415

    show_law(settings_at(home), Console())


@law.command("duties")
def duties(
    incident: Incident,
    *,
    every: Annotated[bool, typer.Option("--every", help="also what does not apply, and why")] = False,
    home: Home = None,
) -> None:
    """Show whom the law asks to tell: applies, does not, or unclear and which fact is missing."""
    from crisis.commands.clocks import show_duties  # noqa: PLC0415

    show_duties(settings_at(home), incident, Console(), every=every)


@law.command("filed")
def filed(
    incident: Incident,
    duty: Annotated[str, typer.Argument(help="the duty's id, from `crisis law duties`")],
    who: Who,
    at: Annotated[str, typer.Option(help="when it was handed in, with its zone")],
    reference: Annotated[str, typer.Option(help="what the recipient gave back")],
    home: Home = None,
) -> None:
    """Put on record that a notice was handed in: clocks that wait for it start."""
    from crisis.commands import stating  # noqa: PLC0415

    stating.file(settings_at(home), incident, duty, at, reference, who, Console())


@law.command("draft")
def draft(
    incident: Incident,
    duties: Annotated[list[str] | None, typer.Argument(help="duties, by id; all that apply or may, if none")] = None,
    paper: Annotated[
        list[str] | None,
        typer.Option(help="brief, customers, staff, press, withdrawal or follow-up; may be given several times"),
    ] = None,
    language: Annotated[str, typer.Option(help="language of the notices: en, de or fr")] = "en",
    into: Annotated[Path | None, typer.Option(help="folder for them; by default disclosure/ in the home")] = None,
    home: Home = None,
) -> None:
    """Draft notices, and show what the law wants in each and what nobody knows yet. They go to nobody by themselves."""
    from crisis.commands.drafting import draft_notices  # noqa: PLC0415

    draft_notices(settings_at(home), incident, duties or [], paper or [], language, into, Console())


@law.command("follow")
def follow(
    incident: Incident,
    requester: Annotated[str | None, typer.Option(help="who you are")] = None,
    home: Home = None,
) -> None:
    """Start the playbook that follows the clocks and warns named people; twice is once."""
    from crisis.commands.clocks import follow_clocks  # noqa: PLC0415

    follow_clocks(settings_at(home), incident, requester, Console())


def show_clocks(
    incident: Incident,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="let them count, until Ctrl-C")] = False,
    home: Home = None,
) -> None:
    """Show the legal clocks of an incident, the tightest first."""
    from crisis.commands import clocks  # noqa: PLC0415

    clocks.show_clocks(settings_at(home), incident, Console(), watch=watch)
