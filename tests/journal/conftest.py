"""The journal on SQLite and on a real PostgreSQL, and a forger who gets past its triggers."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, insert, make_url, select, text

from crisis.domain.entry import canonical, entry_hash, first_link
from crisis.journal.schema import ENTRIES
from crisis.journal.store import Journal
from tests.journal.postgres import PostgreSQL

INCIDENT = "INC-20261124-3f9a2c"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Run a server; skipped by name where none is installed, an error in CI."""
    binaries = PostgreSQL.binaries_here()
    if binaries is None:
        says = "postgresql is not installed: initdb was not found"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(says)
    with PostgreSQL(binaries) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a journal that nobody has opened yet, on each kind of store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.fresh()


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    """Open a fresh journal."""
    opened = Journal.open(url)
    yield opened
    opened.close()


@pytest.fixture
def story(journal: Journal) -> Journal:
    """Open a journal with one incident of six entries."""
    for number in range(1, 7):
        body = {"says": f"step {number}", "big": 1e22, "sign": "\x1f", "name": "Zoë ✓", "n": number}
        journal.append(INCIDENT, "note", "ada", body, key=f"step:{number}")
    return journal


@dataclass
class Forger:
    """Somebody with the database's password: triggers do not stop them."""

    url: str

    def engine(self) -> Engine:
        """Connect without the journal's own manners."""
        where = make_url(self.url)
        sqlite = where.get_backend_name() == "sqlite"
        return create_engine(where if sqlite else where.set(drivername="postgresql+psycopg"))

    def run(self, *statements: str, **values: Any) -> None:
        """Run statements with the triggers off."""
        engine = self.engine()
        sqlite = engine.dialect.name == "sqlite"
        with engine.begin() as connection:
            triggers = []
            if sqlite:
                wanted = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
                triggers = [tuple(row) for row in connection.execute(text(wanted))]
                for name, _ in triggers:
                    connection.execute(text(f"DROP TRIGGER {name}"))
            else:
                connection.execute(text("SET session_replication_role = replica"))
            for statement in statements:
                connection.execute(text(statement), values)
            for _, sql in triggers:
                connection.execute(text(sql))
        engine.dispose()

    def rewrite(self, incident: str, seq: int, body: Mapping[str, Any]) -> None:
        """Change an entry and chain every later one anew, heads as they are."""
        engine = self.engine()
        with engine.begin() as connection:
            wanted = select(ENTRIES).where(ENTRIES.c.incident == incident).order_by(ENTRIES.c.seq)
            rows = [dict(row._mapping) for row in connection.execute(wanted)]
        self.run("DELETE FROM entries WHERE incident = :incident", incident=incident)
        prev = first_link(incident)
        with engine.begin() as connection:
            for row in rows:
                fields = {**row, "prev": prev, "body": dict(body) if row["seq"] == seq else json.loads(row["body"])}
                prev = fields["hash"] = entry_hash(fields)
                connection.execute(insert(ENTRIES).values({**fields, "body": canonical(fields["body"])}))
        engine.dispose()

    def head_follows(self, incident: str) -> None:
        """Let the head say what the last entry says."""
        self.run(
            "UPDATE heads SET hash = (SELECT hash FROM entries WHERE entries.incident = heads.incident "
            "AND entries.seq = heads.seq) WHERE incident = :incident",
            incident=incident,
        )


@pytest.fixture
def forger(story: Journal, url: str) -> Forger:
    """Let a forger in to a journal with a story in it."""
    assert list(story.verify(INCIDENT)) == []
    return Forger(url)
