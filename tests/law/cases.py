"""Cases: facts, company and calendar made short, for tests of rulings and clocks."""

from datetime import UTC, datetime
from typing import Any

from crisis.domain.clock import write_time
from crisis.domain.law.duties import Case
from crisis.domain.law.fact import Facts, Statement
from crisis.domain.law.receipt import Receipt
from crisis.domain.protocol import Law
from crisis.law import load_law

LIBRARY = load_law()
OPENED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    """Read a moment with its zone."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return moment


def facts(*said: tuple[str, Any], by: str = "cleo") -> Facts:
    """State facts one after the other: moments as datetimes, numbers of people as `{place: (least, most)}`."""
    made = [
        Statement(number=number, fact=name, value=_stored(value), by=by, stated=OPENED)
        for number, (name, value) in enumerate(said, 1)
    ]
    return Facts(statements=tuple(made))


def case(
    company: Law | None = None, *, opened: datetime = OPENED, filed: dict[str, str] | None = None, **said: Any
) -> Case:
    """Return a case in which these facts are stated and these duties were filed."""
    receipts = {
        duty: Receipt(number=100, duty=duty, at=at(when), by="cleo", reference="seen")
        for duty, when in (filed or {}).items()
    }
    return Case(opened, facts(*said.items()), company or Law(), LIBRARY.kinds, receipts)


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return write_time(value)
    if isinstance(value, dict):
        return {place: {"least": pair[0], "most": pair[1]} for place, pair in value.items()}
    return value
