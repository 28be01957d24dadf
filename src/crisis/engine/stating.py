"""Stating: a person puts facts for the law on record, or takes one back, or a receipt; a one-time code proves who."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.domain.entry import Entry
from crisis.domain.law.fact import NEVER, FactKind, fold_facts, sealed
from crisis.domain.law.receipt import fold_receipts
from crisis.domain.law.typed import parse_value
from crisis.domain.redaction import Mask
from crisis.engine.booth import Booth, RefusedVote, Way
from crisis.engine.codes import Showing, unproved_by_code
from crisis.errors import ProtocolError, UnauthorisedError

__all__ = ["LONGEST", "Person", "file_receipt", "state_facts", "withdraw_fact"]

LONGEST = 2000
"""Characters of a text that are kept."""

_CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Person:
    """
    Who says something, with the code that proves it, by which way, and the zone their clock shows.

    The code may be a function that asks for it: it is called once all else is found right.
    """

    who: str
    code: str | Callable[[], str] = field(default="", repr=False)
    how: Way = "page"
    zone: str = "UTC"


def state_facts(
    booth: Booth,
    incident: str,
    said: Mapping[str, str],
    person: Person,
    evidence: str,
    kinds: Mapping[str, FactKind],
) -> list[Entry] | RefusedVote:
    """
    Put facts on record in somebody's name, as they were typed, once they have proved it; RefusedVote if they have not.

    Raises ProtocolError for a fact that is none, a value that cannot be, a moment in the future, or no evidence: these
    cost no code.
    """
    now = utc_now()
    values = {name: _value(name, text, kinds, now) for name, text in said.items()}
    shown = _plain(evidence)
    if not values:
        raise ProtocolError("facts", wanted="NAME=VALUE", saw="none", then="`crisis facts ask` lists what is missing")
    if not shown:
        raise ProtocolError("evidence", wanted="how you know", saw="nothing", then="name a log, a ticket or a person")
    zone = _zone(person)
    bodies = [{"fact": name, "value": value, "evidence": shown, "zone": zone} for name, value in values.items()]
    return _said(booth, incident, "fact stated", person, bodies)


def withdraw_fact(booth: Booth, incident: str, number: int, person: Person, because: str) -> list[Entry] | RefusedVote:
    """
    Take a statement or a receipt back: its author, or counsel. It stays on record, and counts no more.

    Raises ProtocolError for a number that is no statement that counts; UnauthorisedError for anybody else's.
    """
    entries = booth.journal.entries(incident)
    receipts = fold_receipts(entries, booth.key).values()
    said = {one.number: (one.by, one.fact) for one in fold_facts(entries, booth.key).statements if one.counts}
    found = (said | {one.number: (one.by, one.duty) for one in receipts}).get(number)
    if found is None:
        then = "`crisis facts list` shows the numbers"
        raise ProtocolError(f"statement {number}", wanted="one that counts", saw="none", then=then)
    who, (author, about) = _who(booth, person), found
    if who != author and who not in booth.protocol.law.counsel:
        allowed = ", ".join(dict.fromkeys((author, *booth.protocol.law.counsel)))
        raise UnauthorisedError(f"statement {number}", wanted=f"its author or counsel: {allowed}", saw=who)
    shown = _plain(because)
    if not shown:
        raise ProtocolError("reason", wanted="why it is taken back", saw="nothing", then="say it with --because")
    body = {"number": number, "fact": about, "because": shown}
    return _said(booth, incident, "fact withdrawn", person, [body])


def file_receipt(
    booth: Booth, incident: str, duty: str, at: datetime, reference: str, person: Person
) -> list[Entry] | RefusedVote | None:
    """
    Put on record that a notice was handed in; None when it is on record already. Clocks that wait for it start.

    Raises ProtocolError for a moment in the future, or without what the recipient gave back.
    """
    if duty in fold_receipts(booth.journal.entries(incident), booth.key):
        return None
    _not_in_future(duty, at, utc_now())
    shown = _plain(reference)
    if not shown:
        then = "write what the recipient gave back, or how it was sent"
        raise ProtocolError(duty, wanted="a reference", saw="nothing", then=then)
    body = {"duty": duty, "at": write_time(at), "reference": shown, "zone": _zone(person)}
    return _said(booth, incident, "notice filed", person, [body])


def _said(
    booth: Booth, incident: str, kind: str, person: Person, bodies: Sequence[Mapping[str, Any]]
) -> list[Entry] | RefusedVote:
    who = _who(booth, person)
    if booth.journal.head(incident) is None:
        raise ProtocolError(incident, wanted="an incident of this journal", saw="none", then="check the name")
    known = booth.protocol.people.get(who)
    if known is None or known.proof is None or known.proof.totp is None:
        return RefusedVote(f"{who[:40]!r} has no one-time code to prove who they are")
    code = person.code if isinstance(person.code, str) else person.code()
    refusal = unproved_by_code(booth.journal, Showing(who, code, known.proof.totp, incident, kind), utc_now())
    if refusal is not None:
        return RefusedVote(refusal)
    made = [sealed(kind, incident, who, body, booth.key) for body in bodies]
    return [booth.journal.append(incident, kind, who, body) for body in made]


def _who(booth: Booth, person: Person) -> str:
    return booth.protocol.person(person.who) or person.who


def _value(name: str, text: str, kinds: Mapping[str, FactKind], now: datetime) -> Any:
    kind = kinds.get(name)
    if kind is None:
        raise ProtocolError(name[:40], wanted=f"a fact: {', '.join(kinds)}", saw="none of them")
    if len(text) > LONGEST:
        then = "sum it up, by country and not by town"
        raise ProtocolError(name, wanted=f"{LONGEST} characters at most", saw=f"{len(text)}", then=then)
    try:
        value = parse_value(kind, _plain(text))
    except ValueError as error:
        raise ProtocolError(name, wanted=kind.asks, saw=str(error)) from None
    if kind.kind == "moment" and value != NEVER and name != "law_enforcement_hold":  # which is until when
        _not_in_future(name, parse_time(value), now)
    return value


def _not_in_future(name: str, at: datetime, now: datetime) -> None:
    if at > now + _CLOCKS_DIFFER:
        then = "write when it happened, with its zone"
        raise ProtocolError(name, wanted="a moment that has been", saw=f"{at:%Y-%m-%d %H:%M} UTC", then=then)


def _zone(person: Person) -> str:
    try:
        ZoneInfo(person.zone)
    except (ZoneInfoNotFoundError, ValueError):
        then = "write for example Europe/Berlin"
        raise ProtocolError(
            person.zone[:40], wanted="a time zone of the IANA database", saw="none", then=then
        ) from None
    return person.zone


def _plain(text: str) -> str:
    """Write a text on one line, without half a surrogate pair, and masked as the journal would: the seal binds it."""
    return Mask()(" ".join(text.encode("utf-8", "replace").decode().split()))[:LONGEST]
