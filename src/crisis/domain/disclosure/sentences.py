"""Sentences: pieces of a flowing text that are short enough to look at whole, and that hold a word worth a look."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from crisis.domain.disclosure.word_index import Words

__all__ = ["pieces_with"]

_END = re.compile(r"\n|[.!?](?<=[a-z0-9)\]\"'%][a-z0-9)\]\"'%].)[\"')]{0,3}\s(?=\s?[A-Z\"'(\[])|;\s")
_LONGEST, _OVERLAP = 600, 150


def pieces_with(words: Words, asks: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Yield each sentence that holds a word that asks for a look; a very long one in overlapping pieces."""
    places = [words.spans[at][0] for at in words.places(asks)]
    for begin, end in _pieces(words.text) if places else ():
        at = bisect_left(places, begin)
        if at < len(places) and places[at] < end:
            yield begin, end


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        while end - begin > _LONGEST:
            yield begin, begin + _LONGEST
            begin += _LONGEST - _OVERLAP
        if end > begin:
            yield begin, end
        begin = end
