"""Sentry: it tries each delivery once. It is asked for issues and metric alerts that began or ended meanwhile."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode

from crisis.domain.clock import write_time
from crisis.receiver.asking.bounded import Bounded, Row, connect, pages, rows
from crisis.receiver.asking.question import Answer, Asker, Found, Question
from crisis.receiver.senders.reading import text_of, time_of
from crisis.settings import read_address

__all__ = ["sentry"]

_EVERY_PROJECT = "-1"
_PAGE = "100"
_IN_ONE_REQUEST = 50
_MOST_KNOWN = 500
_BACK_AGAIN = ("regressed", "escalating")
"""Substates of an issue for which Sentry sends `unresolved`: it was thought to be over, or harmless."""

_GRADES = {1: "open", 2: "resolved", 10: "warning", 20: "critical"}
"""A metric alert's state, as the API has it and as the webhook calls it."""

_CAPITAL = re.compile(r"(?<!^)([A-Z])")


def sentry() -> Asker:
    """Return how Sentry is asked."""
    return Asker(_ask, _probe)


def _ask(question: Question) -> Answer:
    with connect(question, "sentry") as api:
        began = [*_began(api, question), *_metric_alerts(api, question)]
        return Answer((*began, *_ended(api, question)))


def _path(question: Question, rest: str) -> str:
    organization = quote(question.place.organization, safe="")
    return f"/api/0/organizations/{organization}/{rest}/"


def _search(question: Question) -> dict[str, str]:
    since = f"{question.since:%Y-%m-%dT%H:%M:%S}Z"
    return {"query": f"is:unresolved lastSeen:>={since}", "project": _EVERY_PROJECT}


def _began(api: Bounded, question: Question) -> Iterator[Found]:
    """Yield the issues that are new since then, or that came back."""
    params = {**_search(question), "sort": "date", "limit": _PAGE}
    known = question.firings()
    for page in pages(
        api, _path(question, "issues"), params=params, operation="list issues", target=question.sender,
    ):  # fmt: skip
        for issue in page:
            first = time_of(issue.get("firstSeen"))
            if first is None or (f"issue-{text_of(issue.get('id'))}", write_time(first)) in known:
                continue
            if first >= question.since:
                yield _issue("created", issue)
            elif issue.get("substatus") in _BACK_AGAIN:
                yield _issue("unresolved", issue)


def _ended(api: Bounded, question: Question) -> Iterator[Found]:
    """Yield the issues that fire as far as we know, and that somebody has resolved."""
    known = {one.removeprefix("issue-") for one in question.settled() if one.startswith("issue-")}
    numbers = sorted(one for one in known if one.isascii() and one.isdigit())[:_MOST_KNOWN]
    for start in range(0, len(numbers), _IN_ONE_REQUEST):
        wanted = [("project", _EVERY_PROJECT), *(("group", one) for one in numbers[start : start + _IN_ONE_REQUEST])]
        path = f"{_path(question, 'issues')}?{urlencode(wanted)}"
        for issue in api.ask("GET", path, rows, operation="look at issues", target=question.sender):
            if issue.get("status") == "resolved" and text_of(issue.get("id")) in known:
                yield _issue("resolved", issue)


def _issue(action: str, issue: Row) -> Found:
    body = {"action": action, "data": {"issue": issue}}
    return Found(json.dumps(body).encode(), {"sentry-hook-resource": "issue"})


def _metric_alerts(api: Bounded, question: Question) -> Iterator[Found]:
    """Yield the metric alerts that are open, and those that fire as far as we know and have closed since."""
    path, known = _path(question, "incidents"), question.firings()
    params = {"start": write_time(question.since), "project": _EVERY_PROJECT, "per_page": _PAGE}
    # 404: the organization has none in its plan. That there is such an organization was seen before.
    for page in pages(
        api, path, params=params, ok=(200, 404), operation="list metric alerts", target=question.sender,
    ):  # fmt: skip
        for incident in page:
            action, began = _grade(incident), time_of(incident.get("dateStarted"))
            is_known = (f"metric_alert-{text_of(incident.get('id'))}", _written(began)) in known
            if action and is_known == (action == "resolved"):
                yield _metric_alert(question, action, incident)


def _grade(incident: Row) -> str:
    status = incident.get("status")
    return _GRADES.get(status, "") if isinstance(status, int) else ""


def _written(moment: datetime | None) -> str:
    return write_time(moment) if moment else ""


def _metric_alert(question: Question, action: str, incident: Row) -> Found:
    """Return an incident as the webhook tells of it: with other names for its fields, and a link."""
    rule = incident.get("alertRule")
    alert = _snake(incident) | {"alert_rule": _snake(rule if isinstance(rule, dict) else {})}
    title = text_of(alert["alert_rule"].get("name")) or text_of(incident.get("title"))
    organization, number = question.place.organization, text_of(alert["alert_rule"].get("id"))
    link = f"{read_address(question.place.url)}/organizations/{organization}/alerts/rules/details/{quote(number)}/"
    data = {"metric_alert": alert, "description_title": f"{action.capitalize()}: {title}", "web_url": link}
    return Found(json.dumps({"action": action, "data": data}).encode(), {"sentry-hook-resource": "metric_alert"})


def _snake(row: Row) -> Row:
    return {_CAPITAL.sub(r"_\1", name).lower(): value for name, value in row.items()}


def _probe(question: Question) -> str:
    """List one issue, and one metric alert where the organization has them."""
    with connect(question, "sentry") as api:
        api.ask(
            "GET", _path(question, "issues"), rows,
            params={**_search(question), "limit": "1"}, operation="list issues", target=question.sender,
        )  # fmt: skip
        said = api.get(
            _path(question, "incidents"), params={"project": _EVERY_PROJECT, "per_page": "1"}, ok=(200, 404),
            operation="list metric alerts", target=question.sender,
        )  # fmt: skip
    has = said.status_code != HTTPStatus.NOT_FOUND
    return "issues can be listed, and metric alerts" if has else "issues can be listed; it has no metric alerts"
