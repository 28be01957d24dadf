"""Checklist: what only a person can do, each with an owner, open until somebody shows that it is done."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import AwareDatetime

from crisis.domain.entry import Entry
from crisis.domain.model import Strict, Text
from crisis.domain.seal import is_sealed, seal

__all__ = ["CLOSED", "LONGEST", "HandTask", "OpenTasks", "Proof", "closing", "fold_tasks", "open_tasks"]

CLOSED = "task closed"
"""The kind of the entry by which a person closes a task."""

_PURPOSE = "task closed"
LONGEST = 2000
"""Characters of evidence that are kept."""


class Proof(Strict):
    """By which way a person closed a task, and how and when it was proved that it was they."""

    how: Text
    proof: Text = "one-time code"
    proved_at: Text


class HandTask(Strict):
    """
    One thing for a person: what is to be ended, by whom and how, and what shows that it is.

    `name` tells it from all others of the incident. Closed, it says who closed it, when, by what evidence, and how it
    was proved that it was they.
    """

    name: Text
    what: Text
    owner: Text
    how: Text
    wanted: Text
    opened: AwareDatetime | None = None
    closed: AwareDatetime | None = None
    closed_by: str = ""
    evidence: str = ""
    proof: str = ""


class OpenTasks(Strict):
    """The tasks that are not closed."""

    tasks: tuple[HandTask, ...] = ()

    @property
    def says(self) -> str:
        """What is open and for whom, in one line."""
        if not self.tasks:
            return "no task is open"
        listed = "; ".join(f"{task.owner}: {task.what}" for task in self.tasks)
        return f"{len(self.tasks)} open: {listed}"


def fold_tasks(entries: Iterable[Entry], key: bytes | None = None) -> dict[str, HandTask]:
    """
    Read the tasks out of an incident's entries, by name.

    With `key`, the signing key, a closing that was not made by us does not count.
    """
    found = dict[str, HandTask]()
    for entry in entries:
        task = (entry.body.get("facts") or {}).get("task") if entry.kind in ("done", "none") else None
        if isinstance(task, Mapping) and str(task.get("name")) not in found:
            found[str(task["name"])] = HandTask(**{**task, "opened": entry.time})
        elif entry.kind == CLOSED and _counts(entry, found, key):
            about = {"closed": entry.time, "closed_by": entry.actor, "evidence": str(entry.body["evidence"])}
            about |= {"proof": str(entry.body["proof"])}
            found[str(entry.body["task"])] = found[str(entry.body["task"])].model_copy(update=about)
    return found


def open_tasks(entries: Iterable[Entry], key: bytes | None = None) -> tuple[HandTask, ...]:
    """Return the tasks that nobody has closed: while there is one, no run may end green."""
    return tuple(task for task in fold_tasks(entries, key).values() if task.closed is None)


def closing(incident: str, task: str, who: str, evidence: str, proof: Proof, key: bytes) -> dict[str, Any]:
    """Return the body of the entry by which a person closes a task; the seal binds person, task, evidence and proof."""
    body = {"task": task, "evidence": evidence[:LONGEST], **proof.model_dump(mode="json")}
    return {**body, "seal": seal(key, _PURPOSE, {**body, "incident": incident, "who": who})}


def _counts(entry: Entry, found: Mapping[str, HandTask], key: bytes | None) -> bool:
    body, task = entry.body, found.get(str(entry.body.get("task")))
    shows = str(body.get("evidence") or "").strip() and body.get("proof")
    if task is None or task.closed is not None or not shows:
        return False
    said = {name: value for name, value in body.items() if name != "seal"}
    return key is None or is_sealed(
        key, _PURPOSE, {**said, "incident": entry.incident, "who": entry.actor}, str(body.get("seal", ""))
    )
