"""Reading: a text as a reader sees it, whatever it is spelt with, and where each sign of it stands in the draft."""

# ruff: noqa: RUF001  what looks like another letter is what this is about

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["View", "flowing", "folded", "plain"]

# What looks like a Latin letter or a common sign and is none.
_LOOKS_LIKE = dict(
    zip(
        "аеорсухіѕјһԁԛԝкмтнвАВЕКМНОРСТХУІЅЈԌԚԜαιοκνρυχτεΑΒΕΖΗΙΚΜΝΟΡΤΥΧıłøđŁØĐ’‘ʼ′“”„«»⁄∕。․‚﹒٫",
        'aeopcyxisjhdqwkmthbABEKMHOPCTXYISJGQWaioknpuxteABEZHIKMNOPTYXilodLOD\'\'\'\'"""""//..,.,',
        strict=True,
    )
) | {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "−": "-", "…": "...", "№": "No"}
_BLANKS = "\u2800\u3164\u115f\u1160\uffa0\u17b4\u17b5"

_ODD = re.compile(
    r"&(?:amp;){0,3}(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
    r"|[^\x00-\x7f\u3400-\u9fff\uac00-\ud7af]++|\r\n?+|[\x0b\x0c]"
)
"""What is not what it seems; Chinese and Korean signs look like nothing else."""

_BLOCKS = r"p|br|div|td|th|tr|li|ul|ol|table|h[1-6]|hr"
_INLINE = r"a|abbr|b|big|code|del|em|font|i|ins|kbd|mark|s|small|span|strong|sub|sup|u|wbr"
_MARKUP = re.compile(
    r"(?=[<\-\t\n\\*~`_|]|[ ][ \t\n])(?:"
    rf"</?(?P<tag>{_BLOCKS}|{_INLINE})(?:\s[^<>]{{0,400}})?/?>|<!--|-->"
    r"|(?P<gap>(?:(?<=[a-z])-(?=\n))?[ \t\n]{2,}+(?:>[ \t\n>]*+)?|(?:(?<=[a-z])-)?\n(?:>[ \t\n>]*+)?"
    r"|\t)(?P<item>(?:[-+*•]|\d{1,3}[.)])[ \t]|\#)?"
    r"|\\(?P<bare>[!-/:-@\[-`{-~])|(?P<marks>\*++|~~|`++)|(?<![A-Za-z0-9_])_++(?=[A-Za-z])"
    r"|(?<=[A-Za-z])_++(?![A-Za-z0-9_])"
    r"|(?P<cell>\|))",
    re.IGNORECASE,
)
_BLOCK = re.compile(rf"(?:{_BLOCKS})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class View:
    """A text made from another, which knows where each of its signs stood there."""

    text: str
    outs: list[int]
    ins: list[int]

    def origin(self, at: int) -> int:
        """Return where the sign at a place stood in the text that this was made from."""
        piece = bisect_right(self.outs, at) - 1
        last = self.ins[piece + 1] if piece + 1 < len(self.ins) else None
        found = self.ins[piece] + at - self.outs[piece]
        return found if last is None else min(found, max(last - 1, self.ins[piece]))


def plain(text: str) -> View:
    """Return a text without what hides: entities, invisible signs, look-alikes, wide digits, accents."""
    return _rewritten(text, _ODD, lambda match: _read(match[0]))


def folded(text: str) -> str:
    """Return a text spelt as `plain` does."""
    return plain(text).text


def flowing(text: str) -> View:
    """Return a plain text as it flows: soft line breaks are blanks, marks of Markdown and HTML are gone.

    A paragraph, a list item and a table's cell each begin after a line break.
    """
    return _rewritten(text, _MARKUP, _flow)


def _flow(match: re.Match[str]) -> str | None:
    if (gap := match["gap"]) is not None:
        item = match["item"] or ""
        if gap.count("\n") > 1 or (item and "\n" in gap):
            return f"\n{item}"
        broken = gap[0] == "-" and match.string[match.end() : match.end() + 1].islower()
        return item if broken else f"{'-' * (gap[0] == '-')} {item}"
    if match["tag"]:
        return "\n" if _BLOCK.fullmatch(match["tag"]) else ""
    if match["cell"]:
        return "\n"
    return match["bare"] or ""


def _rewritten(text: str, pattern: re.Pattern[str], spell: Callable[[re.Match[str]], str | None]) -> View:
    pieces, outs, ins, last, size = list[str](), [0], [0], 0, 0
    for match in pattern.finditer(text):
        start, end = match.span()
        new = spell(match) or ""
        pieces += (text[last:start], new)
        size += start - last
        if len(new) != end - start:
            outs += (size, size + len(new))
            ins += (start, end)
        size += len(new)
        last = end
    pieces.append(text[last:])
    return View("".join(pieces), outs, ins)


class _Signs(dict[int, str]):
    """What each sign looks like, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        if len(self) > 5000:  # noqa: PLR2004  a draft in every script of the world fills no memory
            self.clear()
        self[code] = look = _look(chr(code))
        return look


_SIGNS = _Signs()


def _read(found: str) -> str:
    if found[0] == "&":
        shown = html.unescape(html.unescape(html.unescape(found)))
        return shown if shown.isascii() else shown.translate(_SIGNS)
    return "\n" if found[0] in "\r\x0b\x0c" else found.translate(_SIGNS)


def _look(sign: str) -> str:
    kind, digit = unicodedata.category(sign), unicodedata.decimal(sign, None)
    if sign in _LOOKS_LIKE or sign.isascii():
        return _LOOKS_LIKE.get(sign, sign)
    if kind in ("Cf", "Mn", "Me") or sign in _BLANKS:
        return ""
    if digit is not None:
        return str(digit)
    if kind in ("Zl", "Zp") or sign == "\x85":
        return "\n"
    if kind in ("Zs", "Pd"):
        return " " if kind == "Zs" else "-"
    parts = [one for one in unicodedata.normalize("NFKD", sign) if unicodedata.category(one) != "Mn"]
    shown = "".join(_LOOKS_LIKE.get(one, one) for one in parts)
    return shown if shown.isascii() else sign
