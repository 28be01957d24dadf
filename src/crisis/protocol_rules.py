"""Protocol rules: what must hold between the parts of one alert sender, beyond the shape of each."""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from crisis.domain.alerting import ALERT_KINDS

__all__ = ["ALWAYS_SIGNED", "Fault", "Faults", "Names", "Where", "unknown", "wrong_alerts"]

SIGNING = frozenset({"github", "pagerduty", "sentry", "standard-webhooks", "vercel"})
"""Kinds that sign what they send: nothing else proves them."""

ALWAYS_SIGNED = SIGNING | {"aws-sns"}
"""Kinds that are believed by their signature alone, whatever else they show."""

MAY_SIGN = frozenset({"grafana", "statuscake"})
"""Kinds that sign, or show a token of their own in the body, where they are set up to."""

DATING = frozenset({"aws-sns", "grafana", "standard-webhooks"})
"""Kinds that sign a time."""

BY_FIELDS = frozenset({"cloudevents", "generic", "standard-webhooks"})
"""Kinds whose fields stand where protocol.yaml says."""

ASKED = {
    "alertmanager": frozenset({"receivers", "token", "basic"}),
    "github": frozenset({"repository", "organization", "token"}),
    "grafana": frozenset({"receivers", "token", "basic"}),
    "sentry": frozenset({"organization", "token"}),
}
"""Kinds that can be asked for what did not reach us, and what that may take besides the address."""

Where = tuple[str | int, ...]
Fault = tuple[Where, str, str]  # where it is, what is wrong, how to mend it
Faults = Iterator[Fault]
Names = Collection[str] | None
Pick = Callable[[object, Collection[object]], str]

_ORGANIZATION = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
_SHOWN = ("bearer", "basic", "header", "url_secret")


def wrong_alerts(root: dict[Any, Any], playbooks: Names, pick: Pick) -> Faults:
    """Find senders that cannot prove themselves, and routes that lead nowhere."""
    services = _map(root.get("services"))
    for sender, rule in _map(root.get("alerts")).items():
        if isinstance(rule, dict) and isinstance(sender, str):
            yield from _wrong_proof(("alerts", sender), rule, _kind(sender, rule))
            yield from _misplaced(("alerts", sender), rule, _kind(sender, rule))
            yield from _wrong_ask_back(("alerts", sender, "ask_back"), rule.get("ask_back"), _kind(sender, rule))
        for at, route in _list(_map(rule).get("routes")):
            where, route = ("alerts", sender, "routes", at), _map(route)  # noqa: PLW2901
            yield from unknown((*where, "service"), "service", route.get("service"), services, pick)
            yield from unknown((*where, "start"), "playbook", route.get("start"), playbooks, pick)
            if "service" not in route:
                label = _map(route.get("when")).get("service")
                yield from unknown((*where, "when", "service"), "service", label, services, pick)


def _kind(sender: str, rule: dict[Any, Any]) -> str:
    return str(rule.get("kind") or (sender if sender in ALERT_KINDS else "alertmanager"))


def _wrong_proof(where: Where, rule: dict[Any, Any], kind: str) -> Faults:
    shown = [way for way in _SHOWN if rule.get(way)]
    if kind not in ALERT_KINDS or not (shown or rule.get("secret") or rule.get("topics")):
        return  # said where the shape is checked
    if kind == "aws-sns" and not rule.get("topics"):
        yield (*where, "topics"), "missing", "list the ARNs of the topics that may send; anybody has a topic"
    elif kind in SIGNING and not rule.get("secret"):
        wrong = f"a sender of kind {kind} signs what it sends, and nothing else proves it"
        yield where, wrong, "add `secret: [env:NAME]`"
    elif kind not in ALWAYS_SIGNED | MAY_SIGN and not shown:
        wrong = f"a sender of kind {kind} signs nothing"
        yield where, wrong, f"give {', '.join(_SHOWN[:3])} or {_SHOWN[3]}"
    signs = "topics" if kind == "aws-sns" else "secret"
    if shown and rule.get(signs) and kind in ALWAYS_SIGNED | MAY_SIGN:
        yield (*where, shown[0]), f"beside `{signs}`, where the signature alone decides", "take it out"


def _misplaced(where: Where, rule: dict[Any, Any], kind: str) -> Faults:
    """Find keys that a kind has no use for: whoever wrote them would rely on them."""
    belongs = {
        "secret": SIGNING | MAY_SIGN,
        "topics": {"aws-sns"},
        "hosts": {"aws-sns"},
        "window": DATING,
        "fields": BY_FIELDS,
        "ask_back": ASKED,
    }
    for key, kinds in belongs.items():
        if rule.get(key) and kind in ALERT_KINDS and kind not in kinds:
            yield (*where, key), f"of no use to the kind {kind}", f"it is for {', '.join(sorted(kinds))}; take it out"
    if kind == "generic" and not rule.get("fields"):
        yield (*where, "fields"), "missing", "say where the fields stand: state, firing, key, started"


def _wrong_ask_back(where: Where, place: Any, kind: str) -> Faults:
    """Find what is missing for a sender to be asked, and what its kind has no use for."""
    if not isinstance(place, dict) or kind not in ASKED:
        return  # said elsewhere
    for key in ("receivers", "repository", "organization", "token", "basic"):
        if place.get(key) and key not in ASKED[kind]:
            yield (*where, key), f"of no use to the kind {kind}", "take it out"
    if "receivers" in ASKED[kind] and not place.get("receivers"):
        yield (*where, "receivers"), "missing", "name the receivers that post to us; others' alerts are not ours"
    if kind in SIGNING and not place.get("token"):
        yield (*where, "token"), "missing", "add a reference to a token, for example env:NAME"
    if place.get("token") and place.get("basic") and "basic" in ASKED[kind]:
        yield (*where, "basic"), "beside `token`, which is what is shown", "take one of them out"
    yield from _wrong_owner(where, place, kind)


def _wrong_owner(where: Where, place: dict[Any, Any], kind: str) -> Faults:
    organization = place.get("organization")
    if kind == "sentry" and not organization:
        yield (*where, "organization"), "missing", "write the short name that stands in Sentry's addresses"
    if isinstance(organization, str) and organization and not re.fullmatch(_ORGANIZATION, organization):
        yield (*where, "organization"), "no short name", "copy it from the organization's address, for example acme"
    if kind == "github" and bool(place.get("repository")) == bool(organization):
        yield where, "needs one of repository and organization", "say whose webhook it is, and only that"


def unknown(where: Where, kind: str, name: Any, known: Names, pick: Pick) -> Faults:
    """Find a name that nothing has."""
    if known is not None and isinstance(name, str) and name not in known:
        yield where, f"no such {kind} {name!r}", pick(name, sorted(known))


def _map(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[tuple[int, Any]]:
    return list(enumerate(value)) if isinstance(value, list) else []
