"""
Guard: reads a draft notice before people may approve it, and says what must not stand in it.

It sees what a reader would: look-alike letters, wide digits, entities, invisible signs, soft line breaks and what
base64 hides are read first. It finds what has a shape or is listed; the names of people it has never heard of, without
a title, it does not find: people read the draft too. No work grows faster than the text.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from crisis.domain.disclosure.finding import Allowed, Finding, Spot
from crisis.domain.disclosure.guard_addresses import addresses_in
from crisis.domain.disclosure.guard_attribution import attribution_in
from crisis.domain.disclosure.guard_blame import blame_in
from crisis.domain.disclosure.guard_numbers import numbers_in
from crisis.domain.disclosure.guard_people import NAMED, customers_in, mail_in, people_in
from crisis.domain.disclosure.guard_raw_data import raw_data_in
from crisis.domain.disclosure.guard_secrets import secrets_in, touched_in
from crisis.domain.disclosure.guard_technical import exploits_in
from crisis.domain.disclosure.reading import View, flowing, plain
from crisis.domain.disclosure.word_index import Words
from crisis.domain.redaction import TOUCHED, Touched

__all__ = ["Allowed", "Finding", "inspect"]

_HIDDEN = ("secret", "personal data", "address of a customer", "other customer", "raw data")
_SHOWN = 60
_MOST = 1000
_LINE_END = re.compile(r"\r\n|\r|\n")


def inspect(text: str, allowed: Allowed, touched: Touched = TOUCHED) -> list[Finding]:
    """List what may not stand in a draft, in the order of the draft; none means that it may be shown for approval.

    A draft with more than a thousand is no draft: the first thousand are named.
    """
    seen = plain(text)
    flow = flowing(seen.text)
    words = Words(flow.text)
    people = people_in(words, allowed)
    named = sorted((one.start, one.end) for one in people if one.kind == NAMED)
    # Names are looked for as they flow; all else that a machine wrote, as it stands.
    found = _placed(
        flow,
        [*people, *customers_in(words, allowed), *numbers_in(flow.text, allowed.addresses),
         *blame_in(words, named), *attribution_in(words)],
    )  # fmt: skip
    standing = [*found, *secrets_in(seen.text), *mail_in(seen.text, allowed), *addresses_in(seen.text),
                *exploits_in(seen.text, allowed), *raw_data_in(seen.text)]  # fmt: skip
    spots = _once([*_placed(seen, standing), *touched_in(text, touched)])
    return list(_findings(text, spots[:_MOST]))


def _placed(view: View, spots: Iterable[Spot]) -> list[Spot]:
    return [
        replace(one, start=view.origin(one.start), end=view.origin(max(one.end - 1, one.start)) + 1) for one in spots
    ]


def _once(spots: Iterable[Spot]) -> list[Spot]:
    """Keep one of several that overlap and say the same."""
    reach, kept = dict[str, int](), list[Spot]()
    for one in sorted(spots, key=lambda one: (one.start, -one.end)):
        if one.start >= reach.get(one.rule, -1):
            kept.append(one)
            reach[one.rule] = one.end
        else:
            reach[one.rule] = max(reach[one.rule], one.end)
    return kept


def _findings(text: str, spots: Sequence[Spot]) -> Iterator[Finding]:
    hidden = [one for one in spots if one.rule in _HIDDEN]
    starts, breaks = [one.start for one in hidden], _line_starts(text)
    for one in spots:
        line = bisect_right(breaks, one.start)
        shown = f"[{one.kind}]" if one.rule in _HIDDEN else _excerpt(text, one, hidden, starts)
        column = one.start - breaks[line - 1] + 1
        yield Finding(rule=one.rule, line=line, column=column, shown=shown, says=one.says)


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in _LINE_END.finditer(text))]


def _excerpt(text: str, spot: Spot, hidden: Sequence[Spot], starts: Sequence[int]) -> str:
    """Show what was found, with what is secret or personal inside it in brackets."""
    end = min(spot.end, spot.start + _SHOWN)
    at, pieces = spot.start, list[str]()
    first = max(0, bisect_left(starts, spot.start) - len(_HIDDEN))
    for one in hidden[first : bisect_left(starts, end)]:
        if one.end > at:
            pieces += (text[at : max(at, one.start)], f"[{one.kind}]")
            at = one.end
    pieces.append(text[at:end])
    return " ".join("".join(pieces).split()) + ("…" if end < spot.end else "")
