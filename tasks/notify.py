"""Notify: tell people, once each, what they need to know."""

from collections.abc import Collection, Iterable
from contextlib import ExitStack
from datetime import datetime
from typing import Literal

from crisis.clients import slack, twilio
from crisis.domain.change import Change
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.entry import Entry
from crisis.domain.level import Level
from crisis.domain.protocol import Person
from crisis.engine.action import action, attempt
from crisis.engine.links import link_for
from crisis.engine.run import current_run
from crisis.engine.votes import known_answers
from crisis.errors import CrisisError, RefusedError, TransientError

Phase = Literal["down", "recovered", "breach", "closed"]

_MOST_ANSWERS = 60
"""Letters that an SMS spends on listing answers: it is paid and cut by length."""

_ROOM = "{room}"
"""Where an SMS has a link of one's own into the incident room; a call cannot say one."""

_WORDS: dict[Phase, str] = {
    "breach": "Somebody else may hold keys of {service}. We are locking them out; all users will have to log in again.",
    "closed": "{service}: the old keys are refused, all sessions are ended, and the hole is closed.",
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
    says = _WORDS[phase].format(service=service)
    since = run.state().opened_at if phase in ("down", "breach") else None
    return tell(service, run.protocol.stakeholders, phase, f"{says} {_ROOM}", call_since=since)


@action(kind="inform", needs=("twilio:messages",), undo="none")
def ask_decision_maker(who: str, title: str, page: str, question: int, mark: str = "", says: str = "") -> Change:
    """
    Ask one decision maker by SMS and on Slack, and by a call at Defcon 1; or tell them news about the question.

    Again  finds the message at the provider and sends none twice; whoever was called is not called again.
    Undo   none: the page shows what became of the question.
    Fails  RefusedError or TransientError when the provider does not take it; what goes on Slack stands by itself.
    """
    person, gate = current_run().protocol.people[who], _question(question)
    if not (person.sms or person.call) and _uses_slack(person):
        return ask_on_slack(who, title, page, question, mark, says)
    text = f"{title}. {says} {page}" if says else f"{title}. Please decide: {page}"
    called = list[str]()  # at most one call, by its sid
    with ExitStack() as also:  # whatever becomes of the SMS, the other ways are tried
        if _uses_slack(person):
            also.callback(attempt, ask_on_slack, who, title, page, question, mark, says)
        if not mark:
            also.callback(lambda: called.extend(_ring(who, person, gate, text)))
        change = tell(who, [who], _mark(page, question, mark), text + _how_to_reply(who, person, gate))
    return Change.done(who, f"{change.note}; called {person.name}", calls=called) if called else change


@action(kind="inform", needs=("slack:chat:write", "slack:im:write", "slack:im:history"), undo="none")
def ask_on_slack(who: str, title: str, page: str, question: int, mark: str = "", says: str = "") -> Change:
    """
    Put a question to one decision maker on Slack, with a button for each answer; or tell them news about it.

    Again  finds its message in the conversation and posts none twice.
    Undo   none: the message says what became of the question once it is decided on Slack.
    Fails  RefusedError or TransientError when Slack does not take it; the SMS goes out all the same.
    """
    run, gate = current_run(), _question(question)
    person, place = run.protocol.people[who], run.protocol.slack
    if place is None or person.slack is None:
        return Change.none(who, because="not on Slack")
    marker = f"[{run.incident} {_mark(page, question, mark)}]"
    asks = gate is not None and not mark
    content = slack.message(marker, gate, page) if gate and asks else slack.only_text(marker, title, f"{says} {page}")
    with slack.connect(place) as app:
        conversation = app.conversation(person.slack)
        if app.find(conversation, marker) is not None:
            return Change.none(who, because=f"{person.name} has it on Slack already")
        app.post(conversation, content)
    return Change.done(who, f"told {person.name} on Slack")


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
    # Each try that gives up calls for itself: a call of an earlier phase, try or run is not taken for this one.
    mine = [entry for entry in run.entries() if entry.run == run.id]
    ended = max((entry.seq for entry in mine if entry.kind == "ended"), default=0)
    began = next(
        entry.time
        for entry in mine
        if entry.kind == "intended" and entry.seq > ended and entry.body["action"] == call_for_help.__name__
    )
    mark, others = f"help {run.id[:8]} {run.tries + 1}", calls_of(run.entries())
    return tell(service, names, mark, f"{text} {_ROOM}", call_since=began, others=others)


def hand_over_to_people(service: str) -> Change:
    """Call people to an incident that no remedy starts for, with the reason that this run was started with."""
    run = current_run()
    return call_for_help(service, run.summary or run.state().summary)


def tell(
    target: str,
    people: Iterable[str],
    mark: str,
    text: str,
    *,
    call_since: datetime | None = None,
    others: Collection[str] = (),
) -> Change:
    """
    Send each person what they have not got yet, and call who was not called since a moment, but for other things.

    Fails when it reached nobody, or when somebody missed it for a passing reason: a retry tells those alone.
    """
    marked = f"[{current_run().incident} {mark}] {text}"
    told, had, failed, calls = list[str](), list[str](), dict[str, CrisisError](), list[str]()
    for who in people:
        person = current_run().protocol.people[who]
        try:
            (told if _reach(who, marked, call_since, others, calls) else had).append(person.name)
        except CrisisError as error:
            failed[person.name] = error
    passing = next((error for error in failed.values() if isinstance(error, TransientError)), None)
    if passing is not None or (failed and not told and not had):
        raise passing or next(iter(failed.values()))
    missing = f"; could not reach {', '.join(failed)}" if failed else ""
    before = f"told already: {', '.join(had) or 'nobody to tell'}"
    if not told:
        return Change.none(target, because=f"{before}{missing}")
    note = f"told {', '.join(told)}{f'; {before}' if had else ''}{missing}"
    return Change.done(target, note, failed=list(failed), calls=calls)


def _reach(who: str, text: str, call_since: datetime | None, others: Collection[str], calls: list[str]) -> bool:
    """Send an SMS, and call where asked, noting the call; False when both had gone out before."""
    run = current_run()
    person = run.protocol.people[who]
    if person.sms is None and person.call is None:
        raise RefusedError(
            person.name, vendor="twilio", operation="send", saw="no number", then="add sms to protocol.yaml"
        )
    marker, news = text.partition("]")[0], False
    with twilio.connect(run.protocol.messages) as client:
        if person.sms and not any(body.startswith(f"{marker}]") for _, body in client.messages(person.sms)):
            client.send(person.sms, text.replace(_ROOM, link_for(run.settings, who, run.incident)))
            news = True
        if person.call and call_since is not None and not _called(client, person.call, call_since, others):
            calls.append(client.call(person.call, text.partition("] ")[2].replace(_ROOM, "").strip()))
            news = True
    return news


def _called(client: twilio.Twilio, number: str, since: datetime, others: Collection[str]) -> bool:
    began = since.replace(microsecond=0)  # Twilio counts in seconds
    return any(at >= began and sid not in others for sid, at in client.calls(number))


def _mark(page: str, question: int, mark: str) -> str:
    # A plan that was made or asked again is another question: who was asked before must hear of it.
    return " ".join(filter(None, ["decide", page.rsplit("/", 1)[-1], str(question), mark]))


def _question(number: int) -> Gate | None:
    """Return the question of this run that was asked under a number, while it is open."""
    run = current_run()
    gates = fold_gates(run.entries()).values()
    return next((one for one in gates if (one.run, one.asked_as) == (run.id, number) and one.decision is None), None)


def _uses_slack(person: Person) -> bool:
    return person.slack is not None and current_run().protocol.slack is not None


def _has_codes(person: Person) -> bool:
    return person.proof is not None and person.proof.totp is not None


def _how_to_reply(who: str, person: Person, gate: Gate | None) -> str:
    """Say how to answer by SMS, to those who can."""
    if gate is None or who not in gate.people or not _has_codes(person):
        return ""
    first, *others = known_answers(gate)
    listed = ", ".join(others)
    return f" Reply: Q{gate.asked_as} {first} CODE" + (f" (or {listed})" if len(listed) <= _MOST_ANSWERS else "")


def _ring(who: str, person: Person, gate: Gate | None, text: str) -> list[str]:
    """
    Call somebody about a question that cannot wait, once; return the call's sid.

    A crash between the call and its record leaves only Twilio's list of calls, which does not say what they were
    about: so it is looked at on a repeat alone, from the first try on, without those that are on record otherwise.
    """
    run = current_run()
    if person.call is None or gate is None or (person.sms is not None and gate.level != Level.CRITICAL):
        return []
    mine = [
        entry
        for entry in run.entries()
        if (entry.run, entry.body.get("action"), entry.body.get("target")) == (run.id, ask_decision_maker.__name__, who)
        and entry.seq > gate.asked_as
    ]
    tries = [entry.time for entry in mine if entry.kind == "intended"]
    if calls_of(mine):
        return []  # a run that had ended goes on with the question it had asked
    with twilio.connect(run.protocol.messages) as client:
        if len(tries) > 1 and _called(client, person.call, tries[0], calls_of(run.entries())):
            return []
        if not _has_codes(person):
            return [client.call(person.call, text)]
        ticket = twilio.CallTicket(who, run.incident, run.id, gate.name, gate.asked_as)
        voice, key = f"{run.settings.address}/twilio/voice", run.settings.signing_key()
        return [client.ask_by_call(person.call, ticket.address(voice, key))]


def calls_of(entries: Iterable[Entry]) -> set[str]:
    """Return the calls that finished actions made: none of them is one whose record a crash has cost us."""
    return {sid for entry in entries for sid in (entry.body.get("facts") or {}).get("calls", ())}
