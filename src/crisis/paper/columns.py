"""Columns: how the width of a page is shared among the columns of a table; the same in both formats."""

from crisis.paper.blocks import Table, plain

__all__ = ["share_width"]

_ACROSS = 92  # characters of the small type that fit on one line
_WORD, _CELL = 22, 60  # longer words are broken, longer cells wrap


def share_width(table: Table) -> tuple[float, ...]:
    """Give each column its part of one: room for its longest word first, then by its longest cell."""
    columns = list(zip(table.head, *table.rows, strict=True))
    texts = [[plain(cell) for cell in column] for column in columns]
    words = [min(max(map(_longest_word, column)) + 2, _WORD) for column in texts]
    wants = [min(max(map(len, column)) + 2, _CELL) for column in texts]
    spare = max(_ACROSS - sum(words), 0)
    widths = [word + spare * want / sum(wants) for word, want in zip(words, wants, strict=True)]
    return tuple(width / sum(widths) for width in widths)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)
