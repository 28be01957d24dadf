"""Guard of secrets: what looks like one, also coded, broken over lines, or had in hand by this process."""

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

from crisis.domain.disclosure.finding import Spot
from crisis.domain.redaction import Touched
from crisis.domain.sighting import Sighting, entropy, sightings

__all__ = ["secrets_in", "touched_in"]

_GUESSED = {"named secret", "password", "cookie"}
_BROKEN = re.compile(r"\n(?<=[\w./+=-]{8}\n)[ \t>]{0,16}+([\w./+=-]{4,512}+)")
_BEFORE = re.compile(r"[^\w./+=-]")
_CODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}+={0,2}")
_PERCENT = re.compile(r"[\w.~-]{0,64}+(?:%[0-9A-Fa-f]{2}[\w.~-]{0,64}+){2,}+")
_LONG = re.compile(r"\S{14}")
_OPAQUE = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9]{32,}+(?![+/=_-])")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){12,}")
_MOST_DECODED = 64 * 1024
_DEEPEST = 3
_REMOVE = "Remove it; name the system and say that the credential was withdrawn."
_REMOVE_NAME = "Remove it; the id of a key belongs in the record, not in a notice."


def secrets_in(text: str) -> list[Spot]:
    """List what looks like a secret in a plain text, with what base64, hex and addresses hide of it."""
    found = [_spot(one, one.start, one.end) for one in sightings(_without_prose(text))]
    found += [*_broken(text), *_coded(text, _DEEPEST), *_opaque(text)]
    return found


def _without_prose(text: str) -> str:
    """Blank the lines that can hold no secret: no name of one stands before a sign, and no word is long enough."""
    lines = text.split("\n")
    return "\n".join(one if ":" in one or "=" in one or _LONG.search(one) else " " * len(one) for one in lines)


def touched_in(text: str, touched: Touched) -> list[Spot]:
    """List where a secret stands that this process has had in hand, in any of its forms."""
    return [Spot("secret", start, end, "touched secret", _REMOVE) for start, end in touched.spans(text)]


def _spot(one: Sighting, start: int, end: int) -> Spot:
    return Spot("secret", start, end, one.kind, _REMOVE_NAME if one.public else _REMOVE)


def _broken(text: str) -> Iterator[Spot]:
    """Look at what a line break tears apart; only what is told by its look, for words are torn apart too."""
    for match in _BROKEN.finditer(text):
        line = text[max(text.rfind("\n", 0, match.start()) + 1, match.start() - 512) : match.start()]
        head = _BEFORE.split(line)[-1]
        for one in sightings(head + match[1]):
            if one.kind not in _GUESSED and not one.public and one.start < len(head) < one.end:
                yield _spot(one, match.start() - len(head), match.end())
                break


def _coded(text: str, depth: int) -> Iterator[Spot]:
    for match in (*_CODED.finditer(text), *(_PERCENT.finditer(text) if "%" in text else ())):
        for inner in _decoded(match[0][:_MOST_DECODED]):
            one = next((one for one in sightings(inner) if not one.public), None)
            deeper = next(_coded(inner, depth - 1), None) if one is None and depth > 1 else None
            if one is not None:
                yield Spot("secret", match.start(), match.end(), f"{one.kind}, coded", _REMOVE)
            elif deeper is not None:
                yield Spot("secret", match.start(), match.end(), deeper.kind, _REMOVE)
            else:
                continue
            break


def _decoded(coded: str) -> Iterator[str]:
    if "%" in coded:
        yield unquote(coded, errors="ignore")
        return
    if _HEX.fullmatch(coded):
        yield from _readable(bytes.fromhex(coded))
    body = coded.rstrip("=").replace("-", "+").replace("_", "/")
    whole = body[: len(body) - 1] if len(body) % 4 == 1 else body
    try:
        yield from _readable(base64.b64decode(whole + "=" * (-len(whole) % 4)))
    except binascii.Error:  # the last letter carried too few bits
        return


def _readable(raw: bytes) -> Iterator[str]:
    try:
        shown = raw.decode()
    except UnicodeDecodeError:
        return
    if sum(sign.isprintable() or sign in "\r\n\t" for sign in shown) == len(shown):
        yield shown


def _opaque(text: str) -> Iterator[Spot]:
    """Look for long strings that a machine drew: small and large letters and digits, without an order."""
    for match in _OPAQUE.finditer(text):
        counts = [sum(map(test, match[0][:512])) for test in (str.isdigit, str.islower, str.isupper)]
        if min(counts) >= 3 and entropy(match[0][:512]) >= 3.8:  # noqa: PLR2004
            yield Spot("secret", *match.span(), "random string", "Remove it, or say in words what it is.")
