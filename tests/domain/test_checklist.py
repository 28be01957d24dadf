"""Tasks for people: open until a named person shows evidence; and in which order third parties' keys end."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crisis.domain.checklist import OpenTasks, Proof, closing, fold_tasks, open_tasks
from crisis.domain.entry import Entry
from crisis.domain.systems.third import order_of_ending

KEY = b"k" * 32
PROOF = Proof(how="page", proved_at="2026-11-26T10:00:00.000000Z")
TASK = {"name": "pypi/upload", "what": "end upload of pypi", "owner": "ada", "how": "Settings", "wanted": "401"}


def entry(kind: str, actor: str = "responder", **body: Any) -> Entry:
    """Write an entry."""
    return Entry("INC-1", 1, "2026-11-26T10:00:00.000000Z", kind, actor, body, None, "", "")


OPENED = entry("done", action="open_task", facts={"task": TASK})


def test_a_task_is_open_until_it_is_closed() -> None:
    """Closed, it says who showed what and when."""
    closed = entry("task closed", "ada", **closing("INC-1", "pypi/upload", "ada", "403 at 10:00", PROOF, KEY))

    assert [task.owner for task in open_tasks([OPENED], KEY)] == ["ada"]
    assert open_tasks([OPENED, closed], KEY) == ()
    task = fold_tasks([OPENED, closed], KEY)["pypi/upload"]
    assert (task.closed_by, task.evidence, task.proof, task.closed) == (
        "ada",
        "403 at 10:00",
        "one-time code",
        datetime(2026, 11, 26, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("actor", "change"),
    [
        ("ben", {}),
        ("ada", {"evidence": "another"}),
        ("ada", {"seal": ""}),
        ("ada", {"task": "other"}),
        ("ada", {"evidence": " "}),
        ("ada", {"proof": ""}),
        ("ada", {"proof": "a passkey"}),
        ("ada", {"proved_at": "2026-11-26T11:00:00.000000Z"}),
    ],
)
def test_what_we_did_not_seal_closes_nothing(actor: str, change: dict[str, str]) -> None:
    """A row that was written past us, for another task, by another person, without evidence or proof does not count."""
    body = {**closing("INC-1", "pypi/upload", "ada", "403 at 10:00", PROOF, KEY), **change}

    assert len(open_tasks([OPENED, entry("task closed", actor, **body)], KEY)) == 1


def test_a_task_that_is_opened_again_stays_closed() -> None:
    """A second run finds it closed and does not ask again."""
    closed = entry("task closed", "ada", **closing("INC-1", "pypi/upload", "ada", "403 at 10:00", PROOF, KEY))
    again = entry("none", action="open_task", facts={"task": TASK})

    assert open_tasks([OPENED, closed, again], KEY) == ()


def test_open_tasks_say_for_whom() -> None:
    """One line for the timeline names each owner and what is to be done."""
    assert OpenTasks().says == "no task is open"
    assert OpenTasks(tasks=open_tasks([OPENED])).says == "1 open: ada: end upload of pypi"


def test_keys_end_in_the_order_of_what_they_open() -> None:
    """Source control and CI first, then cloud, payment, messaging, whatever else, monitoring last."""
    kinds = {
        "eyes": "datadog keys", "ai": "openai keys", "chat": "slack tokens", "mail": "sendgrid keys",
        "pay": "stripe keys", "dns": "cloudflare tokens", "pack": "npm tokens", "code": "github keys", "odd": "by hand",
        "sms": "twilio keys",
    }  # fmt: skip

    assert order_of_ending(kinds) == ("code", "pack", "dns", "pay", "chat", "mail", "sms", "ai", "odd", "eyes")
    assert order_of_ending(reversed(list(kinds.items()))) == order_of_ending(kinds)
