"""`crisis law draft --paper`: papers that no law asks for, beside notices or alone."""

from pathlib import Path

import pytest

from tests.cli.conftest import INCIDENT, Crisis


@pytest.mark.usefixtures("journal")
def test_papers_alone(crisis: Crisis, tmp_path: Path) -> None:
    """Who asks for papers gets these, once each, and no notice."""
    said = crisis(
        "law", "draft", INCIDENT, "--paper", "press", "--paper", "brief", "--paper", "press",
        "--language", "de", "--into", str(tmp_path / "papers"),
    )  # fmt: skip

    assert said.code == 0, said.err
    kept = sorted(one.name for one in (tmp_path / "papers" / INCIDENT).glob("*.md"))
    assert kept == ["paper-brief.de.v1.md", "paper-press.de.v1.md"]
    assert "# Erste Stellungnahme für die Presse\n" in (tmp_path / "papers" / INCIDENT / kept[1]).read_text("utf-8")


def test_unknown_paper_is_refused(crisis: Crisis, tmp_path: Path) -> None:
    """A kind of paper that there is not is an error that names those there are, before anything is written."""
    said = crisis("law", "draft", INCIDENT, "--paper", "poem", "--into", str(tmp_path / "papers"))

    assert said.code == 2
    assert "paper 'poem': wanted one of: brief, customers, staff, press, withdrawal, follow-up" in said.line
    assert not (tmp_path / "papers").exists()
