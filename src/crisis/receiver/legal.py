"""Legal: the clocks of the law as a room shows them, once somebody has stated a fact for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from crisis.domain.entry import Entry
from crisis.domain.law.clocks import Clock
from crisis.domain.law.instrument import RECEIPT
from crisis.law import Reading, read_law
from crisis.receiver.context import Context

__all__ = ["Legal", "LegalClock", "legal_of"]


@dataclass(frozen=True, slots=True)
class LegalClock:
    """One clock: what is due to whom, when (in UTC, and on the recipient's clock), from what, and how it stands."""

    id: str
    title: str
    to: str
    state: str
    sign: str
    due: datetime | None
    local: str
    starts: str
    pessimistic: datetime | None
    unclear: bool
    sure: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Legal:
    """What runs, what is due without undue delay alone, how many questions are open, and who contradicts whom."""

    clocks: tuple[LegalClock, ...] = ()
    prompt: tuple[tuple[str, str], ...] = ()
    questions: int = 0
    contradictions: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def sure(self) -> tuple[LegalClock, ...]:
        """What applies, and what only may but is late: each is a card of its own."""
        return tuple(one for one in self.clocks if not self._is_remote(one))

    @property
    def perhaps(self) -> tuple[LegalClock, ...]:
        """What may apply, and has time yet: folded away, so that nobody scrolls past what is due tonight."""
        return tuple(one for one in self.clocks if self._is_remote(one))

    def _is_remote(self, one: LegalClock) -> bool:
        return one.unclear and one.sign not in ("bad", "warn")


def legal_of(context: Context, name: str, entries: Sequence[Entry], now: datetime) -> Legal | None:
    """Return the clocks of an incident; None while nobody has stated anything for the law."""
    reading = read_law(context.library, context.protocol, name, entries, context.settings.signing_key(), now)
    if not reading.facts.statements:
        return None
    return Legal(
        clocks=tuple(_clock(one, now) for one in reading.clocks),
        prompt=tuple(_prompt(reading)),
        questions=len(reading.questions()),
        contradictions=tuple(one.replace("_", " ") for one in reading.facts.contradictions()),
        unknown=reading.unknown,
    )


def _prompt(reading: Reading) -> list[tuple[str, str]]:
    filed = reading.case.receipts
    wanted = [one for one in reading.rulings if one.verdict == "yes" and not one.duty.terms]
    return [(one.duty.title, one.duty.to) for one in wanted if one.duty.id not in filed]


def _clock(one: Clock, now: datetime) -> LegalClock:
    duty, instrument = one.ruling.duty, one.ruling.instrument
    late = bool(one.alarms_due(now)) or one.state == "filed late"
    signs = {"overdue": "bad", "filed": "ok", "held": "info"}
    return LegalClock(
        id=duty.id,
        title=f"{duty.title} ({instrument.title}, {duty.article})",
        to=duty.to,
        state=one.state,
        sign=signs.get(one.state, "warn" if late else "wait"),
        due=one.due or one.pessimistic,
        local=_local(one.due or one.pessimistic, one.zone),
        starts=f"{one.period} from {_said(one.starts)}",
        pessimistic=one.pessimistic,
        unclear=one.ruling.verdict == "unclear",
        sure=duty.certainty or instrument.certainty,
        notes=(*one.notes, *(note for note in (instrument.unsure, duty.unsure) if note)),
    )


def _said(starts: str) -> str:
    if starts.startswith(RECEIPT):
        return f"the day on which {starts.removeprefix(RECEIPT)} was filed"
    return starts.replace("_", " ")


def _local(moment: datetime | None, zone: str) -> str:
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"
