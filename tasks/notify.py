"""Notify: tell people, once each, what they need to know."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from crisis.clients import twilio
from crisis.domain.change import Change
from crisis.domain.protocol import Person
from crisis.engine.action import action
from crisis.engine.run import current_run
from crisis.errors import CrisisError, RefusedError, TransientError

Phase = Literal["down", "recovered"]

_WORDS: dict[Phase, str] = {
    "down": "{service} fails for users. They see a maintenance page while we put the last good release back.",
    "recovered": "{service} works again: every primary journey was proved from outside. Releases stay frozen.",
}


@action(kind="inform", needs=("twilio:messages",), undo="none")
def notify_stakeholders(service: str, phase: Phase) -> Change:
    """
    Tell the stakeholders by SMS, and by call when it begins.

    Again  finds each message at the provider and sends none twice.
    Undo   none: send a correction.
    Fails  RefusedError or TransientError when nobody could be told.
    """
    run = current_run()
    people = [run.protocol.people[who] for who in run.protocol.stakeholders]
    says = _WORDS[phase].format(service=service)
    since = run.state().opened_at if phase == "down" else None
    return _tell(service, people, phase, f"{says} {run.settings.address}/incidents/{run.incident}", call_since=since)


@action(kind="inform", needs=("twilio:messages",), undo="none")
def ask_decision_maker(who: str, title: str, page: str, question: int) -> Change:
    """
    Send one decision maker the address of the decision page.

    Again  finds the message at the provider and sends none twice.
    Undo   none: the page shows what became of the question.
    Fails  RefusedError or TransientError when the provider does not take it.
    """
    # A plan that was made or asked again is another question: who was asked before must hear of it.
    mark = f"decide {page.rsplit('/', 1)[-1]} {question}"
    return _tell(who, [current_run().protocol.people[who]], mark, f"{title}. Please decide: {page}")


@action(kind="inform", needs=("twilio:messages",), undo="none")
def call_for_help(service: str, says: str) -> Change:
    """
    Tell decision makers and stakeholders that the playbook could not finish and a human must take over.

    Again  finds each message at the provider and sends none twice.
    Undo   none.
    Fails  RefusedError or TransientError when nobody could be told.
    """
    run = current_run()
    names = dict.fromkeys((*run.protocol.levels[run.state().level].decision_makers, *run.protocol.stakeholders))
    open_measures = ", ".join(measure.action for measure in run.state().measures) or "none"
    text = f"{service} is NOT proved healthy and needs you. {says}. In force: {open_measures}."
    people = [run.protocol.people[who] for who in names]
    # Each try that gives up calls for itself: a call of an earlier phase, try or run is not taken for this one.
    mine = [entry for entry in run.entries() if entry.run == run.id]
    ended = max((entry.seq for entry in mine if entry.kind == "ended"), default=0)
    began = next(
        entry.time
        for entry in mine
        if entry.kind == "intended" and entry.seq > ended and entry.body["action"] == call_for_help.__name__
    )
    return _tell(service, people, f"help {run.id[:8]} {run.tries + 1}", text, call_since=began)


def _tell(target: str, people: Iterable[Person], mark: str, text: str, *, call_since: datetime | None = None) -> Change:
    """
    Send each person what they have not got yet, and call who was not called since a moment.

    Fails when it reached nobody, or when somebody missed it for a passing reason: a retry tells those alone.
    """
    marked = f"[{current_run().incident} {mark}] {text}"
    told, had, failed = list[str](), list[str](), dict[str, CrisisError]()
    for person in people:
        try:
            (told if _reach(person, marked, call_since) else had).append(person.name)
        except CrisisError as error:
            failed[person.name] = error
    passing = next((error for error in failed.values() if isinstance(error, TransientError)), None)
    if passing is not None or (failed and not told and not had):
        raise passing or next(iter(failed.values()))
    missing = f"; could not reach {', '.join(failed)}" if failed else ""
    before = f"told already: {', '.join(had) or 'nobody to tell'}"
    if not told:
        return Change.none(target, because=f"{before}{missing}")
    return Change.done(target, f"told {', '.join(told)}{f'; {before}' if had else ''}{missing}", failed=list(failed))


def _reach(person: Person, text: str, call_since: datetime | None) -> bool:
    """Send an SMS, and call where asked; False when both had gone out before."""
    if person.sms is None and person.call is None:
        raise RefusedError(
            person.name, vendor="twilio", operation="send", saw="no number", then="add sms to protocol.yaml"
        )
    marker, news = text.partition("]")[0], False
    with twilio.connect(current_run().protocol.messages) as client:
        if person.sms and not any(body.startswith(f"{marker}]") for _, body in client.messages(person.sms)):
            client.send(person.sms, text)
            news = True
        if person.call and call_since is not None and not _called(client, person.call, call_since):
            client.call(person.call, text.partition("] ")[2])
            news = True
    return news


def _called(client: twilio.Twilio, number: str, since: datetime) -> bool:
    return any(at >= since.replace(microsecond=0) for _, at in client.calls(number))  # Twilio counts in seconds
