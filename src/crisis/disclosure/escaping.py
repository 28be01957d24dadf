"""Escaping: what people typed stays text on a page of Markdown: no heading, list, table, link or HTML comes of it."""

import re
import unicodedata

__all__ = ["Markdown", "as_line", "as_text"]

_ANYWHERE = re.compile(r"[\\`*_\[\]<>|~]|&(?=#?\w+;)")
_AT_START = re.compile(r"^(?:[#=]|[-+](?=\s|-|$))")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the direction of what follows: with them a page shows something else than stands in it."""


class Markdown(str):
    """Text that is Markdown on purpose: whatever else a template prints is escaped."""

    __slots__ = ()


def as_text(typed: object) -> Markdown:
    """Return text as paragraphs: each of its lines is one."""
    if isinstance(typed, Markdown):
        return typed
    lines = (_escaped(one) for one in _clean(str(typed)).split("\n"))
    return Markdown("\n\n".join(one for one in lines if one))


def as_line(typed: object) -> Markdown:
    """Return text as one line, as a cell of a table and a point of a list hold it."""
    if isinstance(typed, Markdown):
        return typed
    # Not split(): the narrow space that sets thousands apart must stay.
    return Markdown(_escaped(re.sub(r"[ \n]+", " ", _clean(str(typed)))))


def _clean(text: str) -> str:
    unified = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", text).replace("\t", " ")
    return "".join(one for one in unified if one == "\n" or not (one in _TURNS or unicodedata.category(one) == "Cc"))


def _escaped(line: str) -> str:
    shown = _ANYWHERE.sub(lambda found: f"\\{found[0]}", line.strip())
    return _NUMBERED.sub(r"\1\\\2", _AT_START.sub(lambda found: f"\\{found[0]}", shown))
