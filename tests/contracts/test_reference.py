"""The pages of docs/reference say what the code says."""

from pathlib import Path

import pytest

from scripts.reference import PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_current(project: Path, name: str) -> None:
    """What stands in docs/reference is what the code says today; run `make docs` when this fails."""
    written = (project / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert written == PAGES[name]()


def test_no_page_is_left_over(project: Path) -> None:
    """Every page is one that the generator writes."""
    pages = {page.name for page in (project / "docs" / "reference").iterdir()}

    assert pages == set(PAGES)
