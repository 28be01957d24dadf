"""Try what an alert would start: from a saved payload, without a server, without a secret, changing nothing."""

from pathlib import Path

from rich.console import Console

from crisis.domain.clock import write_time
from crisis.domain.protocol import Protocol
from crisis.errors import ProtocolError
from crisis.protocol_file import load_protocol
from crisis.receiver.dispatch import Ignored, fitting, route
from crisis.receiver.senders.alert import Alert, Reading
from crisis.receiver.senders.registry import kept_headers, kind_named, read_as
from crisis.settings import Settings

__all__ = ["try_payload"]

_LARGEST = 5 * 1024 * 1024
_SHOWN = 20


def try_payload(settings: Settings, file: Path, sender: str, headers: list[str], console: Console) -> None:
    """Print what is read from a payload and what it would start; ProtocolError when it cannot be read."""
    protocol = load_protocol(settings.protocol_file)
    reading = _read(protocol, file, sender, _pairs(headers))
    for number, alert in enumerate(reading.alerts[:_SHOWN], 1):
        console.print(f"alert {number} of {len(reading.alerts)}", markup=False, highlight=False)
        for name, value in (*_fields(alert), *_judged(protocol, sender, alert)):
            console.print(f"  {name:<12}{_plain(value)}", markup=False, highlight=False, soft_wrap=True)
    for note in reading.notes:
        console.print(f"note: {_plain(note)}", markup=False, highlight=False, soft_wrap=True)
    if not reading.alerts:
        console.print("starts nothing: it holds no alert", markup=False, highlight=False)


def _read(protocol: Protocol, file: Path, sender: str, headers: list[tuple[str, str]]) -> Reading:
    rule = protocol.alerts.get(sender)
    if rule is None:
        known = ", ".join(protocol.alerts) or "none yet"
        raise ProtocolError(f"sender {sender!r}", wanted=f"one of: {known}", saw="one that protocol.yaml does not name")
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST + 1)
    except OSError as error:
        saw = error.strerror or "an error"
        raise ProtocolError(str(file), wanted="a readable payload", saw=saw, then="mend its path or mode") from None
    kind = rule.kind_as(sender)
    try:
        if len(raw) > _LARGEST:
            raise ValueError("it is longer than the receiver takes")  # noqa: TRY301 - one way to say what is wrong
        return read_as(sender, rule, raw, kept_headers(kind_named(kind), headers))
    except ValueError as error:
        then = "it would be answered 400 or 413; save the body as it was sent"
        raise ProtocolError(str(file), wanted=f"a delivery of {kind}", saw=str(error), then=then) from None


def _pairs(headers: list[str]) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in headers]
    for name, equals, _ in pairs:
        if not equals or not name.strip():
            raise ProtocolError(
                "--header", wanted="NAME=VALUE", saw="another form", then="for example X-GitHub-Event=ping"
            )
    return [(name.strip(), value) for name, _, value in pairs]


def _fields(alert: Alert) -> list[tuple[str, str]]:
    return [
        ("state", alert.status),
        ("summary", alert.summary),
        ("severity", alert.severity or "(not said in words we know)"),
        ("service", alert.service or "(not said)"),
        ("began", write_time(alert.starts_at) if alert.starts_at else "(not said: the time it comes stands for that)"),
        ("key", alert.fingerprint or "(not said: the labels stand for that)"),
        *((("link", alert.url),) if alert.url else ()),
        *(("label", f"{name} = {value}") for name, value in sorted(alert.labels.items())),
    ]


def _judged(protocol: Protocol, sender: str, alert: Alert) -> list[tuple[str, str]]:
    found, wish = fitting(protocol.alerts[sender].routes, alert), route(protocol, sender, alert)
    said = [("route", str(dict(found.when)) if found else "none fits")]
    if isinstance(wish, Ignored):
        return [*said, ("starts", f"nothing: {wish.because}")]
    what = f"{wish.playbook} for {wish.service} at level {int(wish.level)}"
    if alert.firing:
        return [*said, ("starts", f"{what}, unless an incident of it is open already: then it joins that")]
    return [*said, ("starts", f"nothing: it is resolved; noted where an incident of {what} is open")]


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
