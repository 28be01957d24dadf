"""Foreign: what others wrote, made fit to look at. Nothing of it steers, hides or reorders, and no secret is shown."""

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import urlsplit

__all__ = ["HIDDEN", "body_text", "is_secret", "linked", "one_line"]

HIDDEN = "(hidden: a secret)"

_LINE = 500
_STACKED = 2
"""Marks over one letter. Languages need two; more of them are painted over the lines around."""

_NAMES = r"(?:token|secret|password|passwd|api[_-]?key|authorization|subscribe_?url)"
_SECRET = re.compile(rf"[\w.-]{{0,60}}{_NAMES}", re.IGNORECASE)
_IN_JSON = re.compile(
    rf'("[\w.-]{{0,60}}{_NAMES}"\s{{0,20}}:\s{{0,20}})"(?:[^"\\]|\\.)*(?:"|\Z)', re.IGNORECASE | re.DOTALL
)
_IN_FORM = re.compile(rf"((?:^|[&?])[\w.-]{{0,60}}{_NAMES}=)[^&\s\"]+", re.IGNORECASE)
"""A few vendors prove themselves by a word in the body, and AWS sends an address that confirms."""


def one_line(text: object, limit: int = _LINE) -> str:
    """Return it as one line; what is invisible or would turn the writing round is spelt out."""
    said = str(text)
    shown = _visible(" ".join(said[: 2 * limit].split()))
    return shown if len(shown) <= limit and len(said) <= 2 * limit else f"{shown[:limit]}…"


def body_text(raw: bytes, limit: int) -> str:
    """Return the beginning of a body as text; bytes that are no UTF-8 are spelt out."""
    text = raw[:limit].decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    text = _IN_FORM.sub(rf"\1{HIDDEN}", _IN_JSON.sub(rf'\1"{HIDDEN}"', text))
    return _visible(text, keeps="\n\t")


def is_secret(name: str) -> bool:
    """Say whether what has such a name is likely to prove something."""
    return _SECRET.fullmatch(name.strip()) is not None


def linked(address: str) -> bool:
    """Say whether an address may be followed: a plain one of the web, that leads where it says."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    plain = address.isascii() and address.isprintable() and " " not in address and "\\" not in address
    # A name before the host is how an address that looks like another's is made.
    return (
        plain and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and port != 0
    )


def _visible(text: str, keeps: str = "") -> str:
    shown, stacked = list[str](), 0
    for sign in text:
        stacked = stacked + 1 if unicodedata.combining(sign) else 0
        fine = sign in keeps or (sign.isprintable() and stacked <= _STACKED)
        shown.append(sign if fine else f"\\u{ord(sign):04x}")
    return "".join(shown)


def without_secrets(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels, or headers, with the values hidden that are likely to prove something."""
    return {name: HIDDEN if is_secret(name) else value for name, value in labels.items()}
