"""Mutation: changes an input where it matters: a value, a name or the shape of its JSON or form, or a header."""

import json
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from tests.fuzz.wire import joined, parted

__all__ = ["by_bytes", "mutated"]

Raw = Callable[[bytes], bytes]
"""Changes bytes without knowing what they are."""

_TIMES = (
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59", "2026-11-24T12:00:00+23:59:59.999999", "2026-W53-7",
    "1970-01-01T00:00:00+14:00", "2026-02-30T25:61:61Z", "10000-01-01T00:00:00Z", "1e308", "99999999999999999999",
    "-1", "253402300800", "253402300799999999999", "0.0000000001", "2016-12-31T23:59:60Z", "\u0661\u0662\u0663",
)  # fmt: skip
_TEXTS = (
    "", " ", "\x00", "a\x00b", "\x1b[31m", "\u202e", "\ufeff", "\ud800", "\U0001f600", "\u2028", "'\"><", "${jndi:x}",
    "{{7*7}}", "%00", "../..", "a" * 501, "\N{COMBINING ACUTE ACCENT}" * 40, "firing", "resolved", "ALARM", "critical",
    "JourneyFailing", "shop", "[SAMPLE] x", "true", "env:HOME", "a:b,c:d,env:prod,service:shop", "{}", '{"sample": 1}',
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 10**4000, -(10**300), 1.5, 1e308, -0.0, [], {}, [[]], [{}], {"": ""}, [None],
    float("inf"), float("nan"), {"a": {"b": {"c": []}}}, ["service:shop"], *_TIMES, *_TEXTS,
)  # fmt: skip
_HEADERS = (
    "content-type", "x-github-event", "sentry-hook-resource", "ce-type", "ce-specversion", "ce-id", "webhook-id",
    "webhook-timestamp", "webhook-signature", "authorization", "x-hub-signature-256", "x-crisis-token",
    "x-grafana-alerting-timestamp", "x-grafana-alerting-signature", "x-pagerduty-signature", "x-vercel-signature",
)  # fmt: skip
_HEADER_VALUES = (
    "", "1.0", "application/cloudevents-batch+json", "application/cloudevents+json", "issue", "workflow_run",
    "Bearer ", "Bearer x", "Basic eDp4", "Basic \xff", "bearer\t", "sha256=", "v1,", "v1=", "-1", "9" * 30, "\xff\xfe",
    "%ff%00", "a" * 600, ",".join(["sha256=00"] * 40), "1795521600",
)  # fmt: skip
_ENCODINGS = (*["utf-8"] * 40, "utf-8-sig", "utf-16", "utf-32-be", "latin-1")


def mutated(data: bytes, rng: Random, raw: Raw) -> bytes:
    """Return an input that differs in one to three places."""
    ways = (*[_in_body] * 10, _in_header, _in_bytes)
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(ways)(data, rng, raw)
    return data


def by_bytes(rng: Random) -> Raw:
    """Return the change of bytes for where no fuzzer is at hand: one is changed, left out or repeated."""

    def change(data: bytes) -> bytes:
        at, length = rng.randrange(len(data) + 1), rng.choice((0, 1, 1, 2, 8, 64))
        put = rng.choice((b"", rng.randbytes(length), data[at : at + length] * 2, b"\x00", b"\\", b'"', b"9" * 400))
        return data[:at] + put + data[at + length :]

    return change


def _in_bytes(data: bytes, _rng: Random, raw: Raw) -> bytes:
    return raw(data)


def _in_header(data: bytes, rng: Random, raw: Raw) -> bytes:
    headers, body = parted(data)
    kept = [one for one in headers if rng.random() < 0.9]
    name = rng.choice([*_HEADERS, *(name for name, _ in headers)])
    value = rng.choice((*_HEADER_VALUES, raw(dict(headers).get(name, "x").encode("latin-1", "replace"))))
    said = value if isinstance(value, str) else value.decode("latin-1")
    return joined([*kept, (name, said)], body)


def _in_body(data: bytes, rng: Random, raw: Raw) -> bytes:
    headers, body = parted(data)
    with suppress(ValueError, RecursionError):
        return joined(headers, _in_json(json.loads(body), rng, raw))
    with suppress(ValueError):
        pairs = parse_qsl(body.decode(), strict_parsing=True, keep_blank_values=True)
        at = rng.randrange(len(pairs))
        pairs[at] = rng.choice(((pairs[at][0], str(rng.choice(_VALUES))), (str(rng.choice(_TEXTS)), pairs[at][1])))
        return joined(headers, "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs).encode())
    return raw(data)


def _quoted(text: str) -> str:
    return quote_plus(text, errors="replace")


def _in_json(value: Any, rng: Random, raw: Raw) -> bytes:
    places = _places(value)
    leaves = [one for one in places if not isinstance(_at(value, one), dict | list)]
    where = rng.choice(leaves if leaves and rng.random() < 0.7 else places)
    changed = _put(value, where, lambda one: _other(one, value, rng, raw))
    text = json.dumps(changed, ensure_ascii=rng.random() < 0.7)
    if rng.random() < 0.05 and text.startswith("{"):
        text = f"{text[:-1]}, {text[1:]}"
    return text.encode(rng.choice(_ENCODINGS), "surrogatepass" if text.isascii() else "replace")


def _other(old: Any, whole: Any, rng: Random, raw: Raw) -> Any:
    kind = rng.randrange(9)
    if kind == 0:
        return [old] * rng.choice((0, 1, 2, 30))
    if kind == 1:
        return _at(whole, rng.choice(_places(whole)))
    if kind in (2, 3, 4) and isinstance(old, str):
        return _other_text(old, rng, raw)
    if kind in (2, 3, 4) and isinstance(old, dict):
        gone = rng.choice([*old, ""])
        kept = {key: one for key, one in old.items() if key != gone or kind == 2}
        return kept | {str(rng.choice(_TEXTS)): old.get(gone, rng.choice(_VALUES))}
    return rng.choice(_VALUES)


def _other_text(old: str, rng: Random, raw: Raw) -> str:
    with suppress(ValueError, RecursionError):  # JSON within JSON, as SNS has it
        return _in_json(json.loads(old), rng, raw).decode("utf-8", "replace")
    return raw(old.encode("utf-8", "replace")).decode("utf-8", "replace")


def _places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [where, *(place for key, below in list(pairs)[:40] for place in _places(below, (*where, key)))]


def _at(value: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        value = value[key]
    return value


def _put(value: Any, where: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not where:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[where[0]] = _put(value[where[0]], where[1:], change)
    return copy
