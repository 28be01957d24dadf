"""No secret leaves: a whole run with analysis, and every place where something of it is kept."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.logging.handlers import APILogWorker
from sqlalchemy import insert

from crisis.journal.schema import ENTRIES
from tests.playbooks.conftest import Ground

WORDS = ("TOKEN", "PASSWORD", "TOTP", "SID")


@pytest.fixture
def canaries(analysed: Ground) -> dict[str, str]:
    """Every secret of the world, by the name of its variable."""
    return {name: value for name, value in analysed.world.env.items() if any(word in name for word in WORDS)}


def found(canaries: Mapping[str, str], *places: bytes) -> set[str]:
    """Return the names of the secrets that stand somewhere in these bytes."""
    return {name for name, value in canaries.items() for place in places if value.encode() in place}


def files_below(folder: Path) -> list[bytes]:
    """Return the contents of every file, SQLite's side files among them."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def artifacts() -> bytes:
    """Return all that the Prefect UI shows beside logs."""
    with get_client(sync_client=True) as client:
        return str([one.model_dump() for one in client.read_artifacts(limit=200)]).encode()


def test_there_is_something_to_look_for(canaries: dict[str, str]) -> None:
    """Tokens of five vendors, a password, and four people's secrets."""
    assert len(canaries) >= 12
    assert all(len(value) > 15 for value in canaries.values())


def test_the_journal_holds_no_secret(analysed: Ground, canaries: dict[str, str]) -> None:
    """Neither the entries nor any other byte of the database, nor the clones beside it."""
    assert found(canaries, *files_below(analysed.home)) == set()


def test_prefect_holds_no_secret(canaries: dict[str, str]) -> None:
    """Runs, states, events and logs in Prefect's database, and the server's own log."""
    APILogWorker.drain_all()

    assert found(canaries, *files_below(Path(os.environ["PREFECT_HOME"]).parent)) == set()


def test_artifacts_show_no_secret(analysed: Ground, canaries: dict[str, str]) -> None:
    """Timeline, plan, report and analysis as people see them."""
    shown = artifacts()

    assert analysed.incident.lower().encode() in shown
    assert found(canaries, shown) == set()


def test_logs_say_no_secret(run_log: list[str], canaries: dict[str, str]) -> None:
    """What the run logged, tracebacks included."""
    text = "\n".join(run_log)

    assert "revert_release" in text
    assert found(canaries, text.encode()) == set()


def test_the_search_finds_what_is_in_the_journal(analysed: Ground, canaries: dict[str, str]) -> None:
    """A secret that somebody writes past the journal into its database is found: the search can fail."""
    says = json.dumps({"says": canaries["CRISIS_SANDBOX_GITHUB_TOKEN"]})
    entry = analysed.journal.append("INC-20261124-canary", "note", "test", {})
    with analysed.journal.database.writing() as connection:
        connection.execute(insert(ENTRIES).values({**entry.as_dict(), "seq": 2, "body": says}))

    assert found(canaries, *files_below(analysed.home)) == {"CRISIS_SANDBOX_GITHUB_TOKEN"}


def test_the_search_finds_what_is_in_prefect(canaries: dict[str, str]) -> None:
    """A secret that somebody shows in an artifact is found there and in the database."""
    planted = ArtifactCreate(key="canary", type="markdown", data=canaries["CRISIS_SANDBOX_TWILIO_TOKEN"])
    with get_client(sync_client=True) as client:
        made = client.create_artifact(planted)

    assert found(canaries, artifacts()) == {"CRISIS_SANDBOX_TWILIO_TOKEN"}
    assert found(canaries, *files_below(Path(os.environ["PREFECT_HOME"]))) == {"CRISIS_SANDBOX_TWILIO_TOKEN"}
    with get_client(sync_client=True) as client:
        client.delete_artifact(made.id)


def test_the_search_finds_what_is_logged(run_log: list[str], canaries: dict[str, str]) -> None:
    """A secret in a log line is found."""
    lines = [*run_log, f"token {canaries['CRISIS_SANDBOX_TOTP_ADA']}"]

    assert found(canaries, "\n".join(lines).encode()) == {"CRISIS_SANDBOX_TOTP_ADA"}
