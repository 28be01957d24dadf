"""Word index: the words of a text in one pass; lines that hold a sign worth a look; names, however many there are."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from crisis.domain.disclosure.reading import folded

__all__ = ["NameIndex", "Words", "lines_with", "lows_of"]

_WORD = re.compile(r"[^\W_]++")
_FAR = 3
"""How many signs may stand between two words of one name, as in `Doe, Jane`."""


class Words:
    """The words of a text in order: in small letters, and where each stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans = [match.span() for match in _WORD.finditer(text)]
        self.lows = [text[start:end].lower() for start, end in self.spans]

    def __len__(self) -> int:
        return len(self.lows)

    def said(self, at: int) -> str:
        """Return a word as it stands there."""
        start, end = self.spans[at]
        return self.text[start:end]

    def between(self, at: int) -> str:
        """Return what stands between a word and the one before it."""
        return self.text[self.spans[at - 1][1] : self.spans[at][0]]

    def places(self, wanted: Callable[[str], bool]) -> list[int]:
        """Return which words are wanted; each different one is asked about once."""
        hits = {low for low in set(self.lows) if wanted(low)}
        return [at for at, low in enumerate(self.lows) if low in hits] if hits else []


def lows_of(name: str) -> tuple[str, ...]:
    """Return the words of a name as they are looked for."""
    return tuple(Words(folded(name)).lows)


def lines_with(low: str, hints: Iterable[str]) -> list[tuple[int, int]]:
    """Return the lines of a text in small letters that hold one of some hints; a search costs less than a pattern."""
    found = set[tuple[int, int]]()
    for hint in hints:
        at = low.find(hint)
        while at >= 0:
            end = low.find("\n", at)
            end = len(low) if end < 0 else end
            found.add((low.rfind("\n", 0, at) + 1, end))
            at = low.find(hint, end)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class _Name:
    words: tuple[str, ...]
    whole: str


class NameIndex:
    """Finds any of many names; a genitive's s at the end of the last word is no part of it."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        """Take pairs: how it may be spelt, and the whole name that this spelling stands for."""
        # By their first two words: many people share an initial or a first name.
        self._by_start: dict[tuple[str, ...], list[_Name]] = {}
        for spelling, whole in dict.fromkeys(names):
            if words := lows_of(spelling):
                self._by_start.setdefault(words[:2], []).append(_Name(words, whole))
        for known in self._by_start.values():
            known.sort(key=lambda one: -len(one.words))
        self._firsts = {start[0] for start in self._by_start}

    def found(self, words: Words) -> Iterator[tuple[int, int, str]]:
        """Yield each name that stands in the words: its first word, the one after its last, and the whole name."""
        over = 0
        for at in words.places(lambda low: low in self._firsts or _nominative(low) in self._firsts):
            if at < over:
                continue
            for name in self._candidates(*words.lows[at : at + 2]):
                end = at + len(name.words)
                if _stands(words, at, end, name.words):
                    over = end
                    yield at, end, name.whole
                    break

    def _candidates(self, first: str, second: str = "") -> Iterator[_Name]:
        starts = ((first, second), (first, _nominative(second)), (first,), (_nominative(first),))
        for start in dict.fromkeys(starts):
            yield from self._by_start.get(start, ())


def _stands(words: Words, at: int, end: int, name: tuple[str, ...]) -> bool:
    lows = words.lows[at:end]
    if tuple(lows) != name and (*lows[:-1], _nominative(lows[-1])) != name:
        return False
    return all(len(words.between(one)) <= _FAR for one in range(at + 1, end))


def _nominative(word: str) -> str:
    return word.removesuffix("s")
