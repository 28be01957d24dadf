"""Outlook: what an alert would start, by today's protocol, and why or why not. Starts nothing, reads no record."""

from datetime import UTC, datetime, timedelta

from crisis.domain.alerting import AlertRoute
from crisis.domain.clock import say_duration
from crisis.domain.correlation import cause_of
from crisis.domain.protocol import Protocol
from crisis.domain.start import Start
from crisis.receiver.routing import Ignored, carried, fitting, route
from crisis.receiver.senders.alert import Alert

__all__ = ["Line", "fields_of", "outlook", "say_span"]

Line = tuple[str, str]
"""What it is about, in one word, and what is said of it."""

_ROUTES = 8


def fields_of(alert: Alert) -> list[Line]:
    """Say what was read of an alert, without its labels."""
    return [
        ("state", alert.status),
        ("summary", alert.summary),
        ("severity", alert.severity or "(not said in words we know)"),
        ("service", alert.service or "(not said)"),
        ("began", _moment(alert.starts_at) if alert.starts_at else "(not said: the time it comes stands for that)"),
        ("key", alert.fingerprint or "(not said: the labels stand for that)"),
    ]


def outlook(protocol: Protocol, sender: str, alert: Alert, now: datetime) -> list[Line]:
    """Say which route fits, what it starts, and what may keep it from starting at this moment."""
    wish = route(protocol, sender, alert)
    said = _routes(protocol, sender, alert, wish)
    if isinstance(wish, Ignored):
        return [*said, ("starts", f"nothing: {wish.because}")]
    what = f"{wish.playbook} for {wish.service}"
    if not alert.firing:
        says = f"nothing: it is resolved; an open incident of {what} notes it, and its health we prove ourselves"
        return [*said, ("starts", says)]
    starts = (
        "starts",
        f"{what} at level {int(wish.level)}, unless an incident of it is open already: then it joins that",
    )
    return [*said, starts, *_held(protocol, wish, now), *_joins(protocol, wish, alert), _people(protocol, wish)]


def _routes(protocol: Protocol, sender: str, alert: Alert, wish: Start | Ignored) -> list[Line]:
    rule = protocol.alerts.get(sender)
    if rule is None or not rule.routes:
        return [("route", f"{sender} has none in protocol.yaml")]
    found = fitting(rule.routes, alert)
    if found is not None:
        return [("route", f"{rule.routes.index(found) + 1} of {len(rule.routes)} fits: {_pairs(found.when)}")]
    said = [("route", f"none of {len(rule.routes)} fits")]
    said += [("", f"{number}: {_lack(one, alert)}") for number, one in enumerate(rule.routes[:_ROUTES], 1)]
    said += [("", f"and {len(rule.routes) - _ROUTES} more")] if len(rule.routes) > _ROUTES else []
    if isinstance(wish, Start):
        return [*said, ("otherwise", f"{wish.playbook}: `intake.otherwise` names it for what no route fits")]
    if protocol.intake.otherwise:
        return said
    return [*said, ("otherwise", "nothing: `intake.otherwise` names no playbook for what no route fits")]


def _lack(one: AlertRoute, alert: Alert) -> str:
    """Say why a route does not fit."""
    pairs = carried(alert)
    said = dict(reversed(pairs))  # the sender's own word stands before ours
    lacking = [
        f"{name} = {value} ({f'it says {said[name]}' if said.get(name) else 'not there'})"
        for name, value in one.when.items()
        if (name, value) not in pairs
    ]
    return f"{one.start} wants {', '.join(lacking)}"


def _held(protocol: Protocol, wish: Start, now: datetime) -> list[Line]:
    mine = [(end, one) for one in protocol.maintenance if one.service == wish.service and (end := one.until(now))]
    if not mine:
        return []
    until, window = max(mine, key=lambda one: one[0])
    says = f"now, and until {_moment(until)}: {window.because} on {wish.service}"
    return [("held", f"{says}; judged when that is over, if it still fires")]


def _joins(protocol: Protocol, wish: Start, alert: Alert) -> list[Line]:
    intake = protocol.intake
    cause = cause_of(carried(alert), intake.causes)
    said = [("cause", f"{cause}: an open incident of this cause takes it in, whatever its service")] if cause else []
    if wish.playbook in intake.apart:
        return [*said, ("apart", f"{wish.playbook} joins no incident of another playbook: `intake.apart` says so")]
    within = say_span(intake.window)
    return [*said, ("joins", f"instead any open incident of {wish.service} that had a sign of life within {within}")]


def _people(protocol: Protocol, wish: Start) -> Line:
    """Say when people are told instead of a remedy started; with the numbers in force."""
    storm, flaps, cool = protocol.intake.storm, protocol.intake.flapping, protocol.intake.cool_down
    many = f"more than {storm.groups} groups of alerts within {say_span(storm.per)}"
    cases = [f"in a storm ({many}, until it is calm for {say_span(storm.calm)})"]
    if cool.after and wish.playbook not in protocol.intake.apart:
        cases.append(f"within {say_span(cool.lasts)} after {' or '.join(cool.after)} was done to {wish.service}")
    cases.append(f"after {flaps.runs} starts of {wish.playbook} for {wish.service} within {say_span(flaps.per)}")
    return "people", f"are told instead, and no remedy starts: {'; '.join(cases)}"


def _pairs(when: dict[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in when.items()) or "every alert"


def say_span(length: timedelta) -> str:
    """Say a duration as protocol.yaml gives them: `15 min`, not `15 min 00 s`."""
    said = say_duration(length).replace(".0 s", " s")
    return said.removesuffix(" 00 s").removesuffix(" 00 min")


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
