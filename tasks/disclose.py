"""Disclose: what the law asks of an incident, whom to call as its clocks run down, and when to look again."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

from crisis.domain.change import Change
from crisis.domain.clock import utc_now, write_time
from crisis.domain.entry import Entry
from crisis.domain.law.clocks import ALARMS, Clock
from crisis.domain.law.fact import STATED, WITHDRAWN
from crisis.domain.law.receipt import FILED
from crisis.domain.model import Strict
from crisis.engine.action import action, attempt, past
from crisis.engine.look import observation
from crisis.engine.rest import rest
from crisis.engine.run import current_run
from crisis.errors import ProtocolError
from crisis.law import Reading, library_of, read_law
from tasks.notify import call_for_help, calls_of, tell

_NEWS = (STATED, WITHDRAWN, FILED)
_CALLED_FROM = 0.9
_AGAIN, _SOON, _DAILY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)
_SHOWN = 3
_ROOM = "{room}"


class Clocks(Strict):
    """
    How the clocks stood at a look.

    day         the day of the look, in UTC
    alarms      what each person is to be warned of, as `duty at share of time until due`
    rows        the clocks as a table
    next_at     when the next alarm comes
    """

    says: str
    day: str
    has_facts: bool
    is_over: bool
    alarms: dict[str, tuple[str, ...]]
    rows: tuple[dict[str, str], ...]
    next_at: datetime | None


@observation
def read_clocks(service: str) -> Clocks:
    """Apply the law to what people have stated, and say which clocks run and who must hear of them."""
    run, now = current_run(), utc_now()
    reading = _read(now)
    alarms = {who: tuple(_unheard(who, reading, run.entries(), now)) for who in _people()}
    running = [one for one in reading.clocks if one.state in ("running", "overdue", "not started", "held")]
    over = _is_over(reading)
    coming = [at for one in running for share in ALARMS if (at := one.alarm_at(share)) is not None and at > now]
    hold = reading.case.hold
    coming += [hold] if hold is not None and hold > now else []
    first = next((f"; the tightest: {_say(one)}" for one in running if one.counts), "")
    asked = len(reading.questions())
    rest_of_it = "; all is on record" if over else f"; {asked} questions open"
    return Clocks(
        says=f"{service}: {len(running)} clocks run{first}{rest_of_it}",
        day=f"{now:%Y-%m-%d}",
        has_facts=bool(reading.facts.statements),
        is_over=over,
        alarms={who: news for who, news in alarms.items() if news},
        rows=tuple({"duty": one.ruling.duty.id, "state": one.state, "until": _until(one)} for one in reading.clocks),
        next_at=min(coming, default=None),
    )


@action(kind="inform", needs=("twilio:messages",), undo="none")
def warn_of_clocks(who: str, news: tuple[str, ...]) -> Change:
    """
    Warn one person that the time to tell somebody runs out, by SMS, and by call once nine tenths are gone.

    Again  finds the message at the provider and sends none twice.
    Undo   none: the room shows how each clock stands.
    Fails  RefusedError or TransientError when the provider does not take it.
    """
    reading = {_mark(one, share): one for one in _read(utc_now()).clocks for share in ALARMS}
    found = [(reading[one], one) for one in news if one in reading]
    lines = [_say(one) for one, _ in found[:_SHOWN]]
    more = f" And {len(found) - _SHOWN} more." if len(found) > _SHOWN else ""
    says = f"The law's time runs out: {'; '.join(lines) or 'see the room'}.{more} No notice is on record yet."
    loud = any(_share_of(one) >= _CALLED_FROM for one in news)
    # Since this very warning began, and none of the calls that are on record for other things.
    began = [entry.time for entry in past(warn_of_clocks, who, news) if entry.kind == "intended"]
    since, calls = min(began, default=None) if loud else None, calls_of(current_run().entries())
    change = tell(who, [who], f"law {_digest(news)}", f"{says} {_ROOM}", call_since=since, others=calls)
    return change.model_copy(update={"facts": {**change.facts, "warned": [mark for _, mark in found], "who": who}})


@action(kind="inform", needs=("twilio:messages",), undo="none")
def ask_for_facts(service: str, day: str) -> Change:
    """
    Ask counsel, or whoever decides, for the facts that the law turns on, once a day (`2026-11-24`).

    Again  finds the message at the provider and sends none twice.
    Undo   none.
    Fails  RefusedError or TransientError when nobody could be told.
    """
    incident = current_run().incident
    says = (
        f"{service}: the law may ask to tell authorities or people. State when it was detected and known, and what is "
        f"affected: crisis facts ask {incident}. No clock can be counted before."
    )
    return tell(service, _people(), f"law facts {day}", f"{says} {_ROOM}")


def show_clocks(clocks: Clocks) -> None:
    """Show the clocks beside the run in Prefect."""
    run = current_run()
    run.mirror.show(f"clocks-{run.incident.lower()}", "table", list(clocks.rows), "Legal clocks; counsel decides")


def look_at_clocks(service: str) -> Clocks:
    """
    Ask for facts, once a day while nobody has stated any, and read the clocks.

    Laws that cannot be read end nothing: people are called, and it looks again within the hour.
    """
    try:
        clocks = read_clocks(service)
    except ProtocolError as error:
        attempt(call_for_help, service, str(error))
        rest("the law", utc_now() + _SOON, _NEWS)
    if not clocks.has_facts:
        attempt(ask_for_facts, service, clocks.day)
    return clocks


def rest_until_news(clocks: Clocks, told: Iterable[Change | None]) -> NoReturn:
    """
    Give the process up until the next alarm, or until somebody states, withdraws or files something.

    Where somebody could not be told, it tries again in ten minutes; while nobody states anything, it asks every day.
    """
    soonest = [clocks.next_at] if clocks.next_at is not None else []
    soonest += [utc_now() + _AGAIN] if None in told else []
    soonest += [utc_now() + _DAILY] if not clocks.has_facts else []
    rest("the law", min(soonest, default=None), _NEWS)


def _read(now: datetime) -> Reading:
    run = current_run()
    library = library_of(run.protocol, run.settings.protocol_file)
    return read_law(library, run.protocol, run.incident, run.entries(), run.settings.signing_key(), now)


def _people() -> tuple[str, ...]:
    run = current_run()
    law = run.protocol.law
    return law.alarms or law.counsel or run.protocol.levels[run.state().level].decision_makers


def _unheard(who: str, reading: Reading, entries: list[Entry], now: datetime) -> list[str]:
    """Return the newest alarm of each clock that this person has not been warned of; an older one says less."""
    heard = {mark for entry in entries if entry.kind in ("done", "none") for mark in _warned(entry, who)}
    newest = [_mark(one, max(due)) for one in reading.clocks if (due := one.alarms_due(now))]
    return [mark for mark in newest if mark not in heard]


def _warned(entry: Entry, who: str) -> list[str]:
    facts = entry.body.get("facts") or {}
    mine = entry.body.get("action") == warn_of_clocks.__name__ and facts.get("who") == who
    return list(facts.get("warned", ())) if mine else []


def _is_over(reading: Reading) -> bool:
    """Whether everything that applies is on record, and nothing is unclear."""
    if reading.case.is_none:
        return True
    filed = reading.case.receipts
    due = [one for one in reading.rulings if one.duty.kind != "record" or one.duty.terms]  # the journal is our record
    waits = [one for one in due if one.verdict == "yes" and one.duty.id not in filed]
    unclear = [one for one in reading.rulings if one.verdict == "unclear"]
    return bool(reading.facts.statements) and not waits and not unclear


def _mark(one: Clock, share: float) -> str:
    due = write_time(one.counts[1]) if one.counts else ""
    return f"{one.ruling.duty.id} {share:.2f} {due}"


def _share_of(mark: str) -> float:
    return float(mark.split(" ")[1])


def _digest(news: tuple[str, ...]) -> str:
    """Name one batch of news, so that no other is taken for it."""
    return f"{news[0].split(' ')[0]} {hashlib.sha256(' '.join(news).encode()).hexdigest()[:8]}"


def _say(one: Clock) -> str:
    may = "perhaps " if one.ruling.verdict == "unclear" else ""
    return f"{may}{one.ruling.duty.title} ({one.ruling.instrument.title}) until {_until(one)}"


def _until(one: Clock) -> str:
    if one.counts is None:
        return ""
    local = one.counts[1].astimezone(ZoneInfo(one.zone))
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"
