"""Reading a draft: what Markdown means on paper, and what is refused."""

import pytest

from crisis.errors import ProtocolError
from crisis.paper.blocks import Marker, Place, Rule, Run, Table, Words, plain
from crisis.paper.reading import LONGEST, read_markdown


def _texts(markdown: str) -> list[str]:
    return [plain(block.runs) for block in read_markdown(markdown) if isinstance(block, Words)]


def test_blocks_know_their_place() -> None:
    """A nested item knows its depth and number, a quote that it is one, a second paragraph that it has no number."""
    blocks = read_markdown("- a\n\n  4. b\n\n     c\n\n---\n\n> d")

    assert [(plain(b.runs), b.place) for b in blocks if isinstance(b, Words)] == [
        ("a", Place(1, 0, Marker(ordered=False, number=1, series=1))),
        ("b", Place(2, 0, Marker(ordered=True, number=4, series=2))),
        ("c", Place(2, 0, None)),
        ("d", Place(0, 1, None)),
    ]
    assert Rule() in blocks


def test_table_keeps_alignment() -> None:
    """Colons of the second row align the columns."""
    (table,) = read_markdown("| a | b | c |\n| - | :-: | --: |\n| 1 | **2** | 3 |")

    assert isinstance(table, Table)
    assert table.aligned == ("left", "center", "right")
    assert table.rows == (((Run("1"),), (Run("2", bold=True),), (Run("3"),)),)


def test_wide_table_becomes_paragraphs() -> None:
    """A table too wide for paper is written row by row, each cell after its title."""
    wide = "|".join("abcdefghi")

    assert _texts(f"{wide}\n{'|'.join('-' * 9)}\n{'|'.join('123456789')}") == [
        "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: 9"
    ]


def test_image_is_its_alt_text() -> None:
    """A picture is never loaded; what it says instead stands there."""
    assert _texts("see ![the *plan*](https://example.com/x.png)") == ["see the plan"]


@pytest.mark.parametrize("address", ["javascript:x", "data:text/html,x", "ftp://x", "file:///x", "/x", "#x", "//x"])
def test_other_addresses_stay_text(address: str) -> None:
    """Only the web and mailboxes are linked; anything else is shown as it was written."""
    (words,) = read_markdown(f"[a]({address})")

    assert isinstance(words, Words)
    assert plain(words.runs) == f"[a]({address})"
    assert not any(run.link for run in words.runs)


@pytest.mark.parametrize("address", ["https://example.com", "http://example.com", "mailto:a@example.com"])
def test_web_and_mailbox_are_linked(address: str) -> None:
    """The address follows the words, because nobody can click on paper."""
    (words,) = read_markdown(f"[a]({address})")

    assert isinstance(words, Words)
    assert plain(words.runs) == f"a ({address.removeprefix('mailto:')})"
    assert {run.link for run in words.runs} == {address}


@pytest.mark.parametrize("markdown", ["<div>\n*x*\n</div>", "<!-- x -->", "<script>x</script>"])
def test_html_is_shown(markdown: str) -> None:
    """Raw HTML hides nothing: each of its characters is on the page."""
    assert "".join(_texts(markdown)) == markdown.replace("\n", " ").replace("*", "")


def test_megabyte_is_refused_at_once() -> None:
    """A draft of a megabyte is refused with the limit named."""
    with pytest.raises(ProtocolError, match=f"draft: wanted at most {LONGEST} characters, saw 1000000"):
        read_markdown("x" * 1_000_000)


@pytest.mark.parametrize("markdown", ["> " * 40_000 + "x", "\n".join("  " * n + "- x" for n in range(200))])
def test_deep_nesting_is_refused(markdown: str) -> None:
    """What is nested deeper than a page can show is refused, never dropped."""
    with pytest.raises(ProtocolError, match="levels deep"):
        read_markdown(markdown)


def test_nesting_below_the_limit_loses_nothing() -> None:
    """Fifteen lists in one another are all read."""
    assert _texts("\n".join("  " * n + f"- x{n}" for n in range(15))) == [f"x{n}" for n in range(15)]


def test_empty_item_keeps_its_number() -> None:
    """An item without words is still an item."""
    assert _texts("1. a\n2.\n3. c") == ["a", "", "c"]
