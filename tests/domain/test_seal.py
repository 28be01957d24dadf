"""Seal: a mark that only our key makes, for one purpose and one body."""

from typing import Any

import pytest

from crisis.domain.seal import is_sealed, seal

KEY = b"k" * 32
BODY: dict[str, Any] = {"who": "ada", "answer": "revert", "steps": [0, 1]}


def test_mark_does_not_depend_on_the_order_of_names() -> None:
    """The same body has the same mark, however it was put together."""
    assert is_sealed(KEY, "vote", dict(reversed(BODY.items())), seal(KEY, "vote", BODY))


@pytest.mark.parametrize(
    ("key", "purpose", "body"),
    [
        (b"K" * 32, "vote", BODY),
        (KEY, "link", BODY),
        (KEY, "vote", {**BODY, "who": "ben"}),
        (KEY, "vote", {**BODY, "more": 1}),
        (KEY, "vote", {**BODY, "who": "\ud800"}),
        (KEY, "vot", {"e": BODY}),
    ],
)
def test_mark_is_good_for_nothing_else(key: bytes, purpose: str, body: dict[str, Any]) -> None:
    """Another key, purpose or body has another mark; what no UTF-8 can hold has none."""
    assert not is_sealed(key, purpose, body, seal(KEY, "vote", BODY))


@pytest.mark.parametrize("mark", ["", "0" * 64, "ß", "\ud800"])
def test_what_is_no_mark_is_none(mark: str) -> None:
    """Any text may come as a mark."""
    assert not is_sealed(KEY, "vote", BODY, mark)
