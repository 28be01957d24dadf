"""Blocks: what a draft is made of once it is read: text, tables and rules, each with its place on the page."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Align", "Block", "Cell", "Kind", "Marker", "Place", "Row", "Rule", "Run", "Table", "Words", "plain"]

Kind = Literal["h1", "h2", "h3", "plain", "code"]
Align = Literal["left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Run:
    """Words that look the same; a line feed in them is a forced line break."""

    text: str
    bold: bool = False
    italic: bool = False
    link: str = ""


Cell = tuple[Run, ...]
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """The bullet or number that opens a list item, and which list of the draft it belongs to."""

    ordered: bool
    number: int
    series: int


@dataclass(frozen=True, slots=True)
class Place:
    """How deep in lists and quotes a block stands."""

    depth: int = 0
    quotes: int = 0
    marker: Marker | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """A heading, a paragraph or a piece of code."""

    kind: Kind
    runs: Cell
    place: Place


@dataclass(frozen=True, slots=True)
class Table:
    """A table with one heading row; every row is as long as it."""

    head: Row
    rows: tuple[Row, ...]
    aligned: tuple[Align, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the page."""


Block = Words | Table | Rule


def plain(cell: Cell) -> str:
    """Give the words without their looks."""
    return "".join(run.text for run in cell)
