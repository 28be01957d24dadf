"""Alertmanager, also Grafana's own: asked for what fires now, and so for what does not fire any more."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from crisis.domain.clock import write_time
from crisis.errors import ProtocolError
from crisis.receiver.asking.bounded import Bounded, Row, connect, rows
from crisis.receiver.asking.question import Answer, Asker, Found, Question
from crisis.receiver.senders.reading import time_of

__all__ = ["alertmanager", "grafana"]

_NEVER = "0001-01-01T00:00:00Z"
_IN_ONE_BODY = 500
_STARTING = timedelta(minutes=5)
"""How long after its start an Alertmanager may not have heard yet of all that fires: it keeps alerts in memory."""


@dataclass(frozen=True, slots=True)
class _Dialect:
    vendor: str
    prefix: str
    version: str
    private: bool
    """Whether labels such as `__alert_rule_uid__` stand in lists and not in what is sent."""


def alertmanager() -> Asker:
    """Return how Alertmanager is asked."""
    return _asker(_Dialect("alertmanager", "", "4", private=False))


def grafana() -> Asker:
    """Return how Grafana's own Alertmanager is asked."""
    return _asker(_Dialect("grafana", "/api/alertmanager/grafana", "1", private=True))


def _asker(dialect: _Dialect) -> Asker:
    return Asker(partial(_ask, dialect), partial(_probe, dialect))


def _ask(dialect: _Dialect, question: Question) -> Answer:
    with connect(question, dialect.vendor) as api:
        groups = _groups(api, dialect, question)
        listed = {str(one.get("fingerprint")) for group in groups for one in group["alerts"]}
        gone = question.settled() - listed
        over = _ended(question, gone) if gone and _has_heard(api, dialect, question) else ()
    firing = [found for group in groups for found in _firing(dialect, question, group)]
    return Answer((*firing, *over))


def _groups(api: Bounded, dialect: _Dialect, question: Question) -> list[Row]:
    """Return what fires and goes to us, also what is silenced: that is not over."""
    names = question.place.receivers
    params = {"active": "true", "silenced": "true", "inhibited": "true"}
    params["receiver"] = "|".join(re.escape(name) for name in names)
    found = api.ask(
        "GET", f"{dialect.prefix}/api/v2/alerts/groups", _read_groups,
        params=params, operation="list what fires", target=question.sender,
    )  # fmt: skip
    return [group for group in found if _receiver(group) in names]


def _read_groups(body: Any) -> list[Row]:
    return [{**group, "alerts": rows(group["alerts"])} for group in rows(body)]


def _receiver(group: Row) -> str:
    receiver = group.get("receiver")
    return str(receiver.get("name")) if isinstance(receiver, dict) else ""


def _firing(dialect: _Dialect, question: Question, group: Row) -> Iterator[Found]:
    known = question.firings()
    alerts = [_sent(dialect, one) for one in group["alerts"] if not _is_suppressed(one)]
    new = [one for one in alerts if (one["fingerprint"], _moment(one["startsAt"])) not in known]
    new.sort(key=lambda one: str(one["fingerprint"]))
    for start in range(0, len(new), _IN_ONE_BODY):
        yield _body(dialect, _receiver(group), _labels(group, "labels"), new[start : start + _IN_ONE_BODY])


def _sent(dialect: _Dialect, listed: Row) -> Row:
    """Return an alert of the list as it would have been sent."""
    words = {name: _labels(listed, name) for name in ("labels", "annotations")}
    if dialect.private:
        words = {
            name: {key: value for key, value in pairs.items() if not (key.startswith("__") and key.endswith("__"))}
            for name, pairs in words.items()
        }
    plain = {name: str(listed.get(name) or "") for name in ("startsAt", "generatorURL", "fingerprint")}
    return {"status": "firing", **words, "endsAt": _NEVER, **plain}


def _labels(where: Row, name: str) -> dict[str, str]:
    found = where.get(name)
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _is_suppressed(listed: Row) -> bool:
    status = listed.get("status")
    if not isinstance(status, dict):
        return False
    by = ("silencedBy", "inhibitedBy", "mutedBy")
    return status.get("state") == "suppressed" or any(status.get(one) for one in by)


def _moment(text: str) -> str:
    moment = time_of(text)
    return write_time(moment) if moment else ""


def _body(dialect: _Dialect, receiver: str, labels: dict[str, str], alerts: list[Row]) -> Found:
    # Alertmanager puts the path of the route before the labels, which its API does not tell: `{}` is the root's.
    key = "{}:{" + ", ".join(f"{name}={json.dumps(labels[name])}" for name in sorted(labels)) + "}"
    body = {
        "receiver": receiver,
        "status": "firing",
        "alerts": alerts,
        "groupLabels": labels,
        "commonLabels": _common(one["labels"] for one in alerts),
        "commonAnnotations": _common(one["annotations"] for one in alerts),
        "externalURL": "",
        "version": dialect.version,
        "groupKey": key,
        "truncatedAlerts": 0,
    }
    return Found(json.dumps(body).encode())


def _common(many: Iterable[dict[str, str]]) -> dict[str, str]:
    sets = [set(one.items()) for one in many]
    return dict(sorted(set.intersection(*sets)))


def _has_heard(api: Bounded, dialect: _Dialect, question: Question) -> bool:
    """Say whether what is not in the list can be taken for over."""
    if dialect.private:
        return True  # Grafana's rules tell its Alertmanager again at their next turn, and it does not say since when
    started = api.ask(
        "GET", f"{dialect.prefix}/api/v2/status", lambda body: time_of(body["uptime"]),
        operation="say since when it runs", target=question.sender,
    )  # fmt: skip
    return started is None or question.now - started > _STARTING


def _ended(question: Question, gone: set[str]) -> Iterator[Found]:
    """Take from the deliveries that told of them the alerts that are not listed any more, as resolved."""
    for raw in dict.fromkeys(one.raw for one in question.known if one.fingerprint in gone):
        body = json.loads(raw)
        alerts = [
            {**one, "status": "resolved", "endsAt": write_time(question.now)}
            for one in rows(body.get("alerts"))
            if one.get("fingerprint") in gone
        ]
        if alerts and body.get("receiver") in question.place.receivers:
            yield Found(json.dumps({**body, "status": "resolved", "alerts": alerts, "truncatedAlerts": 0}).encode())


def _probe(dialect: _Dialect, question: Question) -> str:
    """Try to list what fires; Alertmanager also says whether it has the receivers that are to mean us."""
    names = question.place.receivers
    with connect(question, dialect.vendor) as api:
        if not dialect.private:
            there = api.ask(
                "GET", "/api/v2/receivers", lambda body: {str(one["name"]) for one in rows(body)},
                operation="list receivers", target=question.sender,
            )  # fmt: skip
            missing = [name for name in names if name not in there]
            if missing:
                wanted, then = f"a receiver {missing[0]}", f"mend alerts.{question.sender}.ask_back.receivers"
                raise ProtocolError(question.sender, wanted=wanted, saw="none of that name", then=then)
        groups = _groups(api, dialect, question)
    return f"what fires can be listed: {len(groups)} groups now"
