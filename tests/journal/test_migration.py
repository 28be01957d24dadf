"""Migration: a journal is made or brought up to date by whoever opens it first."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from crisis.errors import JournalError
from crisis.journal.database import Database
from crisis.journal.inbox import Inbox
from crisis.journal.schema import ENTRIES, METADATA, REVISION
from crisis.journal.store import Journal
from tests.journal.conftest import INCIDENT, Forger
from tests.journal.crowd import crowd

REOPEN = """
import sys
from crisis.journal.store import Journal
print(len(Journal.open(sys.argv[1]).entries(sys.argv[2])), "alembic" in sys.modules)
"""


def test_newest_migration_is_the_revision(project: Path) -> None:
    """The number that lets a re-open skip alembic is alembic's own head."""
    config = Config()
    config.set_main_option("script_location", str(project / "src" / "crisis" / "journal" / "migrations"))

    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_migrated_journal_is_the_schema(journal: Journal) -> None:
    """Tables, columns and indexes of a migrated database are those of the schema."""
    with journal.database.reading() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), METADATA)

    assert difference == []


def test_migrated_columns_have_the_schema_s_types(journal: Journal) -> None:
    """Each column is as long, and as optional, as the schema says."""
    with journal.database.reading() as connection:
        found = {
            (table, one["name"]): (str(one["type"]), one["nullable"])
            for table in METADATA.tables
            for one in inspect(connection).get_columns(table)
        }
        dialect = connection.dialect

    wanted = {
        (table.name, one.name): (one.type.compile(dialect), bool(one.nullable))
        for table in METADATA.tables.values()
        for one in table.columns
    }
    assert {name: (kind.replace("DOUBLE PRECISION", "FLOAT"), null) for name, (kind, null) in found.items()} == wanted


def test_key_is_unique_in_an_incident(journal: Journal) -> None:
    """The store itself refuses a second entry under a key."""
    with journal.database.reading() as connection:
        (once,) = inspect(connection).get_indexes(ENTRIES.name)

    assert (once["column_names"], bool(once["unique"])) == (["incident", "key"], True)


def test_two_processes_may_open_a_fresh_journal(url: str) -> None:
    """Both find it ready; neither trips over the other's migration."""
    said = crowd(*([["first", url]] * 3))

    assert sorted(said) == [["1"], ["2"], ["3"]]


def test_opening_again_does_not_load_alembic(story: Journal, url: str, project: Path) -> None:
    """Only the first start pays for the migrations."""
    assert story.head(INCIDENT)
    command = [sys.executable, "-c", REOPEN, url, INCIDENT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project, check=True)

    assert done.stdout.split() == ["6", "False"]


def test_journal_of_a_newer_version_is_left_alone(forger: Forger, url: str) -> None:
    """A schema that this version does not know is a JournalError, not a guess."""
    forger.run("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(JournalError, match=r"another version of crisis: .*9999"):
        Journal.open(url)


def test_journal_of_the_first_version_is_brought_up(url: str, project: Path) -> None:
    """Deliveries that were kept before there were headers are still there, and have none."""
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(project / "src" / "crisis" / "journal" / "migrations"))
    row = "INSERT INTO inbox (delivery, sender, received, raw, state, says) VALUES ('d', 's', 't', :raw, 'new', '')"
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text(row), {"raw": b"{}"})
    database.close()
    journal = Journal.open(url)

    assert [(one.delivery, dict(one.headers)) for one in Inbox(journal.database).new()] == [("d", {})]
    journal.close()
