"""Notify: tell people, once each, what they need to know."""

from collections.abc import Iterable
from typing import Literal

from crisis.clients import twilio
from crisis.domain.change import Change
from crisis.domain.protocol import Person
from crisis.engine.action import action
from crisis.engine.run import current_run
from crisis.errors import CrisisError, RefusedError

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
    return _tell(
        service, people, phase, f"{says} {run.settings.address}/incidents/{run.incident}", call=phase == "down"
    )


@action(kind="inform", needs=("twilio:messages",), undo="none")
def ask_decision_maker(who: str, title: str, page: str) -> Change:
    """
    Send one decision maker the address of the decision page.

    Again  finds the message at the provider and sends none twice.
    Undo   none: the page shows what became of the question.
    Fails  RefusedError or TransientError when the provider does not take it.
    """
    person = current_run().protocol.people[who]
    return _tell(who, [person], f"decide {page.rsplit('/', 1)[-1]}", f"{title}. Please decide: {page}", call=False)


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
    return _tell(service, [run.protocol.people[who] for who in names], "help", text, call=True)


def _tell(target: str, people: Iterable[Person], mark: str, text: str, *, call: bool) -> Change:
    """Send each person what they have not got yet; fail only when it reached nobody."""
    marked = f"[{current_run().incident} {mark}] {text}"
    told, had, failed = list[str](), list[str](), list[str]()
    last: CrisisError | None = None
    for person in people:
        try:
            (told if _reach(person, marked, call=call) else had).append(person.name)
        except CrisisError as error:
            failed.append(person.name)
            last = error
    if last is not None and not told and not had:
        raise last
    missing = f"; could not reach {', '.join(failed)}" if failed else ""
    if not told:
        return Change.none(target, because=f"told already: {', '.join(had) or 'nobody to tell'}{missing}")
    return Change.done(target, f"told {', '.join(told)}{missing}", failed=failed)


def _reach(person: Person, text: str, *, call: bool) -> bool:
    """Send an SMS, and call where asked; False when both had gone out before."""
    if person.sms is None and person.call is None:
        raise RefusedError(
            person.name, vendor="twilio", operation="send", saw="no number", then="add sms to protocol.yaml"
        )
    marker = text.split("]", 1)[0]
    run, news = current_run(), False
    with twilio.connect(run.protocol.messages) as client:
        if person.sms and not any(body.startswith(marker) for _, body in client.messages(person.sms)):
            client.send(person.sms, text)
            news = True
        since = run.state().opened_at
        if (
            call
            and person.call
            and not any(since is None or at >= since.replace(microsecond=0) for _, at in client.calls(person.call))
        ):
            client.call(person.call, text.split("] ", 1)[1])
            news = True
    return news
