"""The command line as a person uses it: a process of its own, over a journal made in the test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crisis.journal.store import Journal
from tests.domain.story import RUN, a_plan

INCIDENT = "INC-20261124-3f9a2c"
SUMMARY = "checkout answers [red]500[/nothing]"


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of an error; fails the test when there are more, or less."""
        (line,) = self.err.splitlines()
        assert line.startswith("crisis: ")
        return line


@dataclass
class Crisis:
    """Runs `crisis` in a home of its own."""

    home: Path
    project: Path

    def __call__(self, *words: str | bytes, **environment: str) -> Said:
        """Run a command to its end, with nobody at the keyboard."""
        return self.typing("", *words, **environment)

    def typing(self, keys: str, /, *words: str | bytes, **environment: str) -> Said:
        """Run a command to its end; what is typed comes from a pipe, where no code is echoed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRISIS_", "PREFECT_"))}
        told = {"CRISIS_HOME": str(self.home), "CRISIS_PROJECT": str(self.project), "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, "-m", "crisis", *words],
            env={**kept, **told, **environment},
            cwd=self.project,
            input=keys.encode(),
            capture_output=True,
            start_new_session=True,  # or the code would be asked for at the terminal of whoever runs the tests
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return Said(done.returncode, out, err)


@pytest.fixture
def crisis(tmp_path: Path, project: Path) -> Crisis:
    """Open a terminal."""
    return Crisis(tmp_path / "home", project)


@pytest.fixture
def journal(crisis: Crisis) -> Iterator[Journal]:
    """Write a journal with one incident, whose alert tries to be markup and to steer the terminal."""
    opened = Journal.open(f"sqlite:///{crisis.home / 'journal.db'}")
    about: dict[str, Any] = {"service": "shop", "playbook": "bad-deploy", "source": "alertmanager", "requester": None}
    opened.append(INCIDENT, "opened", "alertmanager", {**about, "summary": SUMMARY, "drill": False}, key="opened")
    opened.append(INCIDENT, "level", "responder", {"level": 1, "because": "checkout fails \x1b]0;owned\x07"})
    opened.append(INCIDENT, "started", "responder", {"run": RUN, "playbook": "bad-deploy", "start": 1})
    yield opened
    opened.close()


@pytest.fixture
def asked(journal: Journal) -> Journal:
    """Let a question wait."""
    plan = a_plan()
    body = {"run": RUN, "gate": plan.gate, "plan": plan.model_dump(mode="json"), "hash": plan.hash, "needed": 1}
    more = {"people": ["ada", "ben"], "deadline": "2099-01-01T00:00:00.000000Z", "silence": "stop", "requester": ""}
    journal.append(INCIDENT, "asked", "responder", {**body, **more})
    return journal


@pytest.fixture
def broken(journal: Journal, crisis: Crisis) -> Journal:
    """Change an entry behind the journal's back."""
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(crisis.home / "journal.db") as connection:
        connection.execute("DROP TRIGGER entries_UPDATE")
        connection.execute("UPDATE entries SET actor = 'eve' WHERE seq = 2")
    connection.close()
    return journal
