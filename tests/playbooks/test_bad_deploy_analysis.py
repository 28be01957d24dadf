"""Why the tests passed: the culprit, the lines that no test ran, and a test that catches it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crisis.sandbox.origin import Origin
from tests.playbooks.conftest import Ground


@pytest.fixture(scope="module")
def report(analysed: Ground) -> str:
    """Read the ticket that the run filed."""
    return str(analysed.world.state()["tickets"][0]["body"])


def test_the_ticket_is_filed_once(analysed: Ground) -> None:
    """One ticket, with the incident's mark."""
    (ticket,) = analysed.world.state()["tickets"]

    assert f"<!-- incident:{analysed.incident} -->" in ticket["body"]
    assert len(analysed.done("file_ticket")) == 1


def test_the_culprit_is_inside_the_merged_branch(analysed: Ground, report: str) -> None:
    """Not the tip, not the merge: the very commit that brought the fault."""
    culprit = analysed.git("log", "--format=%H", "--grep", "Price bundles", "main")

    assert f"**The change that broke it:** {culprit[:10]} \N{LEFT DOUBLE QUOTATION MARK}Price bundles" in report


def test_untested_lines_are_named(report: str) -> None:
    """The report says which changed lines no test ran."""
    assert re.search(r"- `shop/bundles\.py`: [0-9, -]+", report)


@pytest.mark.parametrize(("which", "outcome"), [("bad", 1), ("good", 0)])
def test_the_missing_test_tells_good_from_bad(
    analysed: Ground, report: str, tmp_path: Path, which: str, outcome: int
) -> None:
    """Copied out of the ticket, the test fails on the bad release and passes on the good one."""
    commit = analysed.done("revert_release")[0].body["facts"][which]
    where = re.search(r"`(tests/\S+\.py)`", report)
    test = re.search(r"```python\n(.*?)```", report, re.DOTALL)
    assert where is not None
    assert test is not None
    Origin(analysed.world.origin).archive(commit, tmp_path)
    (tmp_path / where[1]).write_text(test[1], encoding="utf-8")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", where[1]],
        cwd=tmp_path,
        env={**os.environ, **analysed.world.env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        check=False,
    )

    assert ran.returncode == outcome, ran.stdout.decode()


def test_filing_again_files_nothing(analysed: Ground) -> None:
    """The second time finds the first ticket."""

    def again(service: str) -> None:
        from tasks.ticket import file_ticket  # noqa: PLC0415 - loads Prefect

        file_ticket(service, "checkout broke", "another report")

    analysed.play_body(again)

    assert len(analysed.world.state()["tickets"]) == 1
    assert analysed.of("file_ticket", "none")[-1].body["note"] == "ticket 1 stands already"
