"""The command that makes links into the incident room."""

import pytest

from crisis.journal.store import Journal
from tests.cli.conftest import INCIDENT, Crisis


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("name", ["ada", "ADA@shop.example"])
def test_link_is_the_one_line_that_is_printed(crisis: Crisis, name: str) -> None:
    """Standard output is the link and nothing else, signed by the key in the home; how long it lasts stands beside."""
    said = crisis("link", name, "--incident", INCIDENT, CRISIS_PUBLIC_URL="https://crisis.example.com/")

    assert said.code == 0
    assert said.out.startswith("https://crisis.example.com/in/1.")
    assert len(said.out.splitlines()) == 1
    assert "good for 12 h, for Ada Okafor alone" in said.err
    assert (crisis.home / "signing.key").exists()


def test_link_for_a_stranger_names_those_who_are_known(crisis: Crisis) -> None:
    """Nobody outside protocol.yaml gets a link."""
    said = crisis("link", "eve")

    assert (said.code, said.out) == (2, "")
    assert said.line == "crisis: person 'eve': wanted one of: ada, ben, cleo, dan, saw an unknown one"


@pytest.mark.parametrize("incident", ["INC-1", "PEOPLE"])
def test_link_to_no_incident_is_one_line(crisis: Crisis, journal: Journal, incident: str) -> None:
    """A room must be there before somebody is sent to it."""
    journal.append("PEOPLE", "note", "x", {"says": "nothing"})
    said = crisis("link", "ada", "--incident", incident)

    assert (said.code, said.out) == (8, "")
    assert said.line == f"crisis: {incident}: wanted an incident, saw none of that name; see `crisis timeline`"
