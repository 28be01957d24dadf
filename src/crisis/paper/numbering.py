"""Numbering: real Word lists, each counting from its own start."""

from typing import Any

from docx.document import Document
from docx.text.paragraph import Paragraph

from crisis.paper.blocks import Marker
from crisis.paper.markup import element, element_of

__all__ = ["Numbering"]

_BULLETS = "•\u2013·"
_LEVELS = 9  # as many as Word knows; deeper items are the ninth
_TAB = 369  # twentieths of a point: 6.5 mm


class Numbering:
    """The lists of one paper: each gets a definition of its own, so that no list goes on counting for another."""

    def __init__(self, paper: Document) -> None:
        self._root = paper.part.numbering_part.element
        for child in list(self._root):  # those of the library's template; no style of ours uses them
            self._root.remove(child)
        self._made: set[int] = set()
        self._abstract = 0

    def number(self, paragraph: Paragraph, marker: Marker, depth: int) -> None:
        """Make a paragraph an item of its list."""
        level = min(depth, _LEVELS) - 1
        if marker.series not in self._made:
            self._made.add(marker.series)
            self._define(marker, level)
        properties = element_of(paragraph).get_or_add_pPr().get_or_add_numPr()
        properties.get_or_add_ilvl().val = level
        properties.get_or_add_numId().val = marker.series

    def _define(self, marker: Marker, level: int) -> None:
        abstract = element("abstractNum", abstractNumId=marker.series)
        abstract.append(element("multiLevelType", val="multilevel"))
        for each in range(_LEVELS):
            abstract.append(_level(each, marker, start=marker.number if each == level else 1))
        concrete = element("num", numId=marker.series)
        concrete.append(element("abstractNumId", val=marker.series))
        # The schema wants every definition before the first list that uses one.
        self._root.insert(self._abstract, abstract)
        self._abstract += 1
        self._root.append(concrete)


def _level(each: int, marker: Marker, *, start: int) -> Any:
    level = element("lvl", ilvl=each)
    level.append(element("start", val=start))
    level.append(element("numFmt", val="decimal" if marker.ordered else "bullet"))
    level.append(element("lvlText", val=f"%{each + 1}." if marker.ordered else _BULLETS[each % len(_BULLETS)]))
    level.append(element("lvlJc", val="left"))
    look = element("pPr")
    look.append(element("ind", left=(each + 1) * _TAB, hanging=_TAB))
    level.append(look)
    return level
