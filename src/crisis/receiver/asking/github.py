"""GitHub: it tries each delivery once. It is asked which of those to us have failed, and to send them again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from crisis.errors import ProtocolError, RefusedError
from crisis.receiver.asking.bounded import Bounded, Row, connect, pages, rows
from crisis.receiver.asking.question import Answer, Asker, Question
from crisis.receiver.senders.reading import text_of, time_of

__all__ = ["EVENTS", "github"]

EVENTS = frozenset({"deployment_status", "secret_scanning_alert", "workflow_run"})
"""Events that may start something; no other is asked for again."""

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_REST = timedelta(hours=1)
"""How long a delivery is left alone after it was sent again."""

_MOST_ATTEMPTS = 6
"""Attempts after which a delivery is given up: something is wrong with it that trying again does not mend."""

_AT_ONCE = 50
"""Deliveries asked for in one go: GitHub takes 80 requests a minute that make something."""

_MOST_REFUSALS = 3
_PAGE = 100
_HOOK_PAGES = 5
_SHOWN = 5


@dataclass(slots=True)
class _Delivery:
    """What GitHub did to deliver one thing: all attempts share its guid. `again` is when it was last sent again."""

    guid: str
    path: str
    first: datetime
    last: datetime
    attempts: int = 0
    arrived: bool = False
    again: datetime | None = None


def github() -> Asker:
    """Return how GitHub is asked."""
    return Asker(_ask, _probe)


def _ask(question: Question) -> Answer:
    with connect(question, "github", _HEADERS) as api:
        missed = [one for hook in _ours(api, question) for one in _missed(api, question, hook)]
        missed.sort(key=lambda one: one.first)
        asked, refusals = _send_again(api, question, missed[:_AT_ONCE])
    if refusals and not asked:
        raise refusals[0]
    notes = [f"GitHub does not send a delivery again: {refusals[0]}"] if refusals else []
    if asked:
        more = f" and {len(asked) - _SHOWN} more" if len(asked) > _SHOWN else ""
        notes.append(f"GitHub is asked to send again what did not arrive: {', '.join(asked[:_SHOWN])}{more}")
    return Answer(notes=tuple(notes), more=len(missed) > _AT_ONCE)


def _base(question: Question) -> str:
    place = question.place
    return f"/repos/{place.repository}/hooks" if place.repository else f"/orgs/{place.organization}/hooks"


def _ours(api: Bounded, question: Question) -> list[str]:
    """Return the paths of the webhooks that post to us."""
    hooks = list[Row]()
    for page in range(1, _HOOK_PAGES + 1):
        params = {"per_page": str(_PAGE), "page": str(page)}
        part = api.ask(
            "GET", _base(question), rows, params=params, operation="list webhooks", target=question.sender,
        )  # fmt: skip
        hooks += part
        if len(part) < _PAGE:
            break
    fit = [one for one in hooks if _address(one)[1].endswith(f"/alerts/{question.sender}")]
    # A rehearsal's receiver may have a webhook beside ours; where we know our own address, only that one counts.
    same = [one for one in fit if _address(one)[0] == urlsplit(question.address).netloc]
    found = [f"{_base(question)}/{one['id']}" for one in same or fit if isinstance(one.get("id"), int)]
    if not found:
        wanted, saw = f"an active webhook to /alerts/{question.sender}", f"none among {len(hooks)}"
        then = f"add it at GitHub, or mend alerts.{question.sender}.ask_back"
        raise ProtocolError(question.sender, wanted=wanted, saw=saw, then=then)
    return found


def _address(hook: Row) -> tuple[str, str]:
    config = hook.get("config")
    if hook.get("active") is False or not isinstance(config, dict):
        return "", ""
    try:
        parts = urlsplit(text_of(config.get("url")))
    except ValueError:
        return "", ""
    return parts.netloc, parts.path.rstrip("/")


def _missed(api: Bounded, question: Question, hook: str) -> list[_Delivery]:
    """Return what did not arrive at all since then, and may be sent again."""
    known = dict[str, _Delivery]()
    params = {"per_page": str(_PAGE)}
    for page in pages(
        api, f"{hook}/deliveries", params=params, operation="list deliveries", target=question.sender,
    ):  # fmt: skip
        moments = [_fold(known, row, hook) for row in page]
        if any(moment is not None and moment < question.since for moment in moments):  # the newest come first
            break
    return [one for one in known.values() if one.last >= question.since and _may_be_sent(one, question)]


def _fold(known: dict[str, _Delivery], row: Row, hook: str) -> datetime | None:
    """Add an attempt to what is known of its delivery; return when it was made."""
    guid, number, moment = text_of(row.get("guid"), 64), row.get("id"), time_of(row.get("delivered_at"))
    if not guid or not isinstance(number, int) or moment is None or row.get("event") not in EVENTS:
        return moment
    one = known.setdefault(guid, _Delivery(guid, f"{hook}/deliveries/{number}/attempts", moment, moment))
    status = row.get("status_code")
    one.first, one.last = min(one.first, moment), max(one.last, moment)
    one.attempts += 1
    one.arrived |= isinstance(status, int) and 200 <= status < 300  # noqa: PLR2004
    if row.get("redelivery"):
        one.again = max(one.again or moment, moment)
    return moment


def _may_be_sent(one: _Delivery, question: Question) -> bool:
    # By our own memory as well: what was asked for a moment ago need not be in the list yet, and the list has an end.
    ours = question.asked.get(one.guid, [])
    lately = max([*ours, *([one.again] if one.again else [])], default=None)
    rested = lately is None or question.now - lately >= _REST
    return not one.arrived and rested and max(one.attempts, len(ours) + 1) < _MOST_ATTEMPTS


def _send_again(api: Bounded, question: Question, missed: Iterable[_Delivery]) -> tuple[list[str], list[RefusedError]]:
    """Have deliveries sent again, the oldest first; return which, and what was refused."""
    asked, refusals = list[str](), list[RefusedError]()
    for one in missed:
        if len(refusals) >= _MOST_REFUSALS:
            break
        try:
            api.post(one.path, ok=(202,), operation="send a delivery again", target=question.sender)
        except RefusedError as error:
            refusals.append(error)
        else:
            asked.append(one.guid)
        question.asked.setdefault(one.guid, []).append(question.now)
    return asked, refusals


def _probe(question: Question) -> str:
    """Find our webhook, and read the last of its deliveries. Whether it may be sent again only sending would show."""
    with connect(question, "github", _HEADERS) as api:
        hooks = _ours(api, question)
        api.ask(
            "GET", f"{hooks[0]}/deliveries", rows,
            params={"per_page": "1"}, operation="list deliveries", target=question.sender,
        )  # fmt: skip
    return "the deliveries of our webhook can be listed"
