"""Tasks for people at the terminal: listed, and closed with evidence by who proves who they are."""

from typing import Any

import pyotp
import pytest

from crisis.domain.person import PEOPLE
from crisis.journal.store import Journal
from tests.cli.conftest import INCIDENT, Crisis

SECRET = pyotp.random_base32()
EVIDENCE = ["--evidence", "upload answered 403 at 03:12"]


@pytest.fixture
def tasked(journal: Journal) -> Journal:
    """Open one task."""
    task = {
        "name": "pypi/upload", "what": "end upload of pypi", "owner": "ada", "how": "Account settings",
        "wanted": "an upload is refused",
    }  # fmt: skip
    body: dict[str, Any] = {"action": "open_task", "target": "pypi", "note": "a task", "facts": {"task": task}}
    journal.append(INCIDENT, "done", "responder", body)
    return journal


def close(crisis: Crisis, code: str, *words: str, task: str = "pypi/upload", who: str = "ada") -> Any:
    """Close a task, with a code typed in."""
    said = ["tasks", "close", INCIDENT, task, "--who", who, *(words or EVIDENCE)]
    return crisis.typing(f"{code}\n", *said, CRISIS_SANDBOX_TOTP_ADA=SECRET)


def test_a_task_is_closed_once_by_a_code(crisis: Crisis, tasked: Journal) -> None:
    """The list says who closed it and how that was proved; the entry says so too, and holds no code."""
    before = crisis("tasks", "list", INCIDENT)
    code = pyotp.TOTP(SECRET).now()
    first, second = close(crisis, code), close(crisis, code)
    after = crisis("tasks", "list", INCIDENT)

    assert [" open " in before.out, first.out, second.out] == [True, "closed\n", "it is closed already\n"]
    assert "closed by ada, one-time code" in " ".join(after.out.split())
    (entry,) = [one for one in tasked.entries(INCIDENT) if one.kind == "task closed"]
    assert (entry.actor, entry.body["proof"], entry.body["how"]) == ("ada", "one-time code", "command line")
    assert code not in repr(entry)


def test_a_name_may_hold_anything(crisis: Crisis, journal: Journal) -> None:
    """What a hunt found is named by what was found: with spaces, slashes and signs."""
    name = "cloud//home/a b/../cloud.json: wanted a baseline, saw 'one'; take --another"
    task = {"name": name, "what": "find out", "owner": "ada", "how": "ask", "wanted": "it is gone"}
    body: dict[str, Any] = {"action": "open_task_for_ghost", "target": "x", "note": "a task", "facts": {"task": task}}
    journal.append(INCIDENT, "done", "responder", body)

    assert close(crisis, pyotp.TOTP(SECRET).now(), task=name).out == "closed\n"


def test_a_wrong_code_closes_nothing(crisis: Crisis, tasked: Journal) -> None:
    """It is one line, counts as a wrong answer of ada's, and the task stays open."""
    said = close(crisis, "000000" if pyotp.TOTP(SECRET).now() != "000000" else "111111")

    assert (said.code, said.out) == (7, "")
    assert said.err.splitlines()[-1] == (
        "crisis: ada at pypi/upload: wanted a proof of who you are, saw wrong or outdated code"
    )
    assert [entry.kind for entry in tasked.entries(PEOPLE)] == ["code refused"]
    assert "task closed" not in [entry.kind for entry in tasked.entries(INCIDENT)]


@pytest.mark.usefixtures("tasked")
def test_what_closes_no_task_is_one_line(crisis: Crisis) -> None:
    """No evidence, no such task, a stranger, no such incident."""
    code = pyotp.TOTP(SECRET).now()
    says = [
        close(crisis, code, "--evidence", "ok").err.splitlines()[-1],
        close(crisis, code, task="other").err.splitlines()[-1],
        close(crisis, code, who="eve").err.splitlines()[-1],
        crisis("tasks", "list", "INC-20261126-00000000").line,
    ]

    assert says == [
        "crisis: pypi/upload: wanted evidence: an upload is refused, saw nothing; say what you saw, or a link",
        "crisis: other: wanted a task of this incident, saw none; look which are open",
        "crisis: eve at pypi/upload: wanted a proof of who you are, saw 'eve' has no way to prove who they are",
        "crisis: INC-20261126-00000000: wanted an incident of this journal, saw none; check the name",
    ]
