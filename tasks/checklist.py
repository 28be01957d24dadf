"""Checklist: what has no API is put before a person, and stays open until there is evidence."""

import time

from crisis.domain.change import Change
from crisis.domain.checklist import HandTask, OpenTasks, fold_tasks, open_tasks
from crisis.domain.systems.by_hand import ByHand
from crisis.engine.action import action
from crisis.engine.look import observation, progress
from crisis.engine.run import current_run
from crisis.errors import ProtocolError, UnprovenError

_PATIENCE_SECONDS = 1800.0
_LOOK_AGAIN = 0.5


@action(kind="inform", needs=("crisis:journal",), undo="none")
def open_task(system: str, credential: str) -> Change:
    """
    Open a task: its owner ends one credential of a system that has no API, and shows that it is refused.

    Again  finds the task, open or closed, and opens none.
    Undo   none: it is closed with evidence.
    Fails  ProtocolError when the system or the credential is not one that is ended by hand.
    """
    found = current_run().protocol.systems.get(system)
    if not isinstance(found, ByHand) or credential not in found.credentials:
        then = "name a system of kind `by hand`, and one of its credentials"
        raise ProtocolError(f"{system}/{credential}", wanted="a credential ended by hand", saw="none", then=then)
    return _opened(
        HandTask(
            name=f"{system}/{credential}",
            what=f"end {credential} of {system}",
            owner=found.owner,
            how=found.how,
            wanted=found.evidence,
        )
    )


@action(kind="inform", needs=("crisis:journal",), undo="none")
def open_task_for_key(system: str, key: str, owner: str, because: str) -> Change:
    """
    Open a task for a key that an API should have ended and did not, or that nobody could try.

    Again  finds the task, open or closed, and opens none.
    Undo   none: it is closed with evidence.
    Fails  ProtocolError when the owner is not one of protocol.yaml's people.
    """
    return _opened(
        HandTask(
            name=f"{system}/{key}",
            what=f"end {key} of {system}",
            owner=owner,
            how=because,
            wanted="the vendor refuses the old key",
        )
    )


@action(kind="inform", needs=("crisis:journal",), undo="none")
def open_task_for_ghost(system: str, what: str, owner: str) -> Change:
    """
    Open a task for something that is not as it was before the breach, and that nobody of us has changed.

    Again  finds the task, open or closed, and opens none.
    Undo   none: it is closed with evidence.
    Fails  ProtocolError when the owner is not one of protocol.yaml's people.
    """
    return _opened(
        HandTask(
            name=f"{system}/{what}",
            what=f"find out about {what} in {system}",
            owner=owner,
            how="ask who did it; if nobody here did, take it away",
            wanted="it is gone, or somebody of ours made it and says why",
        )
    )


@observation
def look_for_open_tasks() -> OpenTasks:
    """Say which tasks nobody has closed."""
    run = current_run()
    return OpenTasks(tasks=open_tasks(run.entries(), run.settings.signing_key()))


@observation
def wait_for_tasks() -> OpenTasks:
    """
    Wait until people have closed every task, for half an hour; a run ends green only then.

    Raises UnprovenError while one is open: once it is closed, the run is started again and goes on.
    """
    run = current_run()
    until, told, head = time.monotonic() + _PATIENCE_SECONDS, "", None
    while True:
        if head != (now := run.journal.head(run.incident)):
            head, found = now, OpenTasks(tasks=open_tasks(run.entries(), run.settings.signing_key()))
        if not found.tasks:
            return found
        if time.monotonic() >= until:
            owners = ", ".join(dict.fromkeys(task.owner for task in found.tasks))
            then = f"close them with evidence: {owners}; then start the run again"
            raise UnprovenError("checklist", wanted="no open task", saw=found.says, then=then)
        if told != found.says:
            told = found.says
            progress(0, 1, told)
        time.sleep(_LOOK_AGAIN)


def _opened(task: HandTask) -> Change:
    if task.owner not in current_run().protocol.people:
        raise ProtocolError(task.owner, wanted="one of protocol.yaml's people", saw="nobody", then="name the owner")
    before = fold_tasks(current_run().entries()).get(task.name)
    facts = task.model_dump(mode="json", exclude_none=True, exclude={"closed_by", "evidence", "proof"})
    if before is not None:
        state = "closed" if before.closed else "open"
        return Change.none(task.name, because=f"the task stands already, {state}", task=facts)
    return Change.done(task.name, f"a task for {task.owner}: {task.what}", task=facts)
