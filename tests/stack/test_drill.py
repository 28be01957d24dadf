"""The drill as a newcomer runs it: one command, a scorecard, and nothing left running."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crisis.domain.incident import RECOVERED
from crisis.journal.store import Journal
from tests.conftest import PROJECT

CRISIS = [sys.executable, "-m", "crisis"]


def _mine(mark: str) -> list[str]:
    """Return the command lines of the processes whose environment carries our mark."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def _environment(home: Path, mark: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CRISIS_", "PREFECT_"))}
    return {**clean, "CRISIS_HOME": str(home), "TEST_MARK": mark, "HOME": str(home / "nobody")}


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """
    A drill that was run to its end: its home, and what it printed.

    Production has settings of its own there, and another drill has ended in this home a moment ago.
    """
    home = tmp_path_factory.mktemp("drill")
    _drilled_before(home / "drill")
    command = [*CRISIS, "drill", "--hold", "0"]
    production = {
        "CRISIS_JOURNAL_URL": f"sqlite:///{home / 'production.db'}",
        "CRISIS_PROTOCOL": str(home / "production.yaml"),
    }
    done = subprocess.run(
        command,
        env={**_environment(home, "mark-drill-end"), **production},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    return home, done


def _drilled_before(home: Path) -> None:
    home.mkdir()
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    incident, run = "INC-20261101-0ea11e20", {"run": "earlier", "playbook": "bad-deploy"}
    more = {"service": "shop", "summary": "checkout fails", "source": "alert:alertmanager", "requester": ""}
    journal.append(incident, "opened", "responder", {**run, **more, "drill": True})
    done: dict[str, Any] = {**run, "action": "revert_release", "target": "shop", "call": "revert_release:1"}
    done |= {"note": "reverted", "facts": {}, "seconds": 0.1, "measure": False, "undo": "none"}
    journal.append(incident, "done", "responder", done)
    journal.append(incident, "ended", "responder", {**run, "outcome": RECOVERED, "says": "healthy"})
    journal.close()


def _incident(home: Path) -> str:
    (report,) = (home / "drill" / "reports").iterdir()
    return report.name


def _crisis(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*CRISIS, *words, "--home", str(home / "drill")]
    return subprocess.run(
        command, env=_environment(home, "x"), cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_ends_well_and_prints_a_scorecard(drilled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Exit 0, the shop recovered, and the times stand in a table."""
    _, done = drilled

    assert done.returncode == 0, done.stderr
    for words in ("Scorecard", "alert → maintenance page", "decision → revert pushed", "recovered", "verify it"):
        assert words in done.stdout


@pytest.mark.usefixtures("drilled")
def test_it_leaves_no_process() -> None:
    """Shop, vendors, receiver, responder and Prefect are gone with the drill."""
    assert _mine("mark-drill-end") == []


def test_it_keeps_away_from_production(drilled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The journal that the environment names is not even opened."""
    home, _ = drilled

    assert not (home / "production.db").exists()


def test_it_leaves_a_report_and_a_picture(drilled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The Markdown report and the timeline picture stand where the drill said."""
    home, _ = drilled
    folder = home / "drill" / "reports" / _incident(home)

    assert "recovered" in (folder / "report.md").read_text(encoding="utf-8")
    assert (folder / "timeline.svg").read_text(encoding="utf-8").startswith("<svg")


def test_its_journal_verifies(drilled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """`crisis verify` finds the chain unbroken and ends 0."""
    home, _ = drilled
    done = _crisis(home, "verify", _incident(home))

    assert done.returncode == 0
    assert "unbroken" in done.stdout


def test_one_flipped_byte_is_found_by_name(drilled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """A single byte changed in the journal's file makes verify name the entry and end 8."""
    home, _ = drilled
    incident = _incident(home)
    file = home / "drill" / "journal.db"
    exported = _crisis(home, "export", incident).stdout.splitlines()
    entry = next(one for one in map(json.loads, exported) if one["kind"] == "decided")
    good = file.read_bytes()
    where = good.index(b'"outcome":"approved"') + len(b'"outcome":"')
    file.write_bytes(good[:where] + b"A" + good[where + 1 :])
    done = _crisis(home, "verify", incident)
    file.write_bytes(good)

    assert done.returncode == 8
    assert f"entry {entry['seq']} (decided) was changed" in done.stdout


def test_interrupting_it_ends_everything(tmp_path: Path) -> None:
    """Ctrl-C in the middle leaves no process behind."""
    command = [*CRISIS, "drill", "--hold", "0"]
    mark = "mark-drill-interrupted"
    drill = subprocess.Popen(
        command,
        env=_environment(tmp_path, mark),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert drill.stdout is not None
    for line in drill.stdout:
        if "Freeze deployments" in line:
            break
    drill.send_signal(signal.SIGINT)
    drill.stdout.read()
    drill.wait(timeout=40)
    drill.stdout.close()
    until = time.monotonic() + 5
    while _mine(mark) and time.monotonic() < until:
        time.sleep(0.1)

    assert _mine(mark) == []


def test_a_second_drill_in_the_same_home_is_refused(tmp_path: Path) -> None:
    """While one runs, another ends with one line and touches nothing."""
    home = tmp_path / "drill"
    home.mkdir()
    with (home / "drill.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [*CRISIS, "drill", "--hold", "0"],
            env=_environment(tmp_path, "mark-drill-second"),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "wanted one drill at a time, saw another one" in done.stderr
    assert [file.name for file in home.iterdir()] == ["drill.lock"]


def test_a_drill_dies_with_its_flow(tmp_path: Path) -> None:
    """Killing the process of the drill's flow leaves no drill behind."""
    mark = "mark-drill-flow"
    flow = subprocess.Popen(
        [sys.executable, "-c", "from flows.drill import drill; drill.fn()"],
        env={**_environment(tmp_path, mark), "PYTHONPATH": str(PROJECT), "PREFECT_HOME": str(tmp_path / "prefect")},
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = tmp_path / "drill" / "up.log"
    until = time.monotonic() + 60
    while not log.exists() and flow.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    begun = log.exists()
    flow.kill()
    flow.wait()
    until = time.monotonic() + 10
    while _mine(mark) and time.monotonic() < until:
        time.sleep(0.1)

    assert begun
    assert _mine(mark) == []
