"""The picture: an SVG that stands alone, is read aloud, and shows nothing by colour only."""

import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from itertools import pairwise

import pytest

from crisis.domain.entry import Entry
from crisis.domain.picture import draw_timeline
from tests.domain.story import START, Story, a_bad_deploy

SVG = "{http://www.w3.org/2000/svg}"


def parse(entries: list[Entry], title: str = "INC-1") -> ET.Element:
    """Draw, and read the drawing as XML."""
    return ET.fromstring(draw_timeline(entries, title))  # noqa: S314 - our own drawing


def words(picture: ET.Element) -> str:
    """Return all text that is drawn."""
    return " ".join("".join(text.itertext()) for text in picture.iter(f"{SVG}text"))


def test_picture_shows_every_lane() -> None:
    """Alerts, responder, people, changes and what is in force each have their lane."""
    shown = words(parse(a_bad_deploy().entries))

    for name in ("Alerts", "Responder", "People", "Changes", "In force", "Revert release", "3 min 53 s"):
        assert name in shown


def test_picture_is_read_aloud() -> None:
    """Title and description say in words what is drawn."""
    picture = parse(a_bad_deploy().entries, "INC-1 · shop")

    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title") == "INC-1 · shop"
    assert "03:12:07 JourneyFailing fired, problem" in (picture.findtext(f"{SVG}desc") or "")


def test_state_is_never_colour_only() -> None:
    """Each thing that is drawn carries the icon of its state and says it in words."""
    picture = parse(a_bad_deploy().entries)
    drawn = [group for group in picture.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]

    assert len(drawn) > 20
    assert all(any(part.get("class") == "icon" for part in group) for group in drawn)


def test_picture_needs_nothing_from_outside() -> None:
    """No script, no link, no font and no address but the name of SVG itself."""
    drawn = draw_timeline(a_bad_deploy().entries, "x")

    assert re.findall(r"(?:https?:)?//[^\s\"<]+", drawn) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|href|url\(|@import|<image|foreignObject", drawn)
    assert "prefers-color-scheme" in drawn


def test_markup_in_words_stays_words() -> None:
    """Markup, quotes and control characters of an alert become text, never part of the drawing."""
    story = Story()
    attack = '</title><script>alert("1")</script>&\x00\x1b\ud7ff'
    told = {"playbook": "p", "source": "s", "summary": attack}
    story.tell(0, "opened", "x", service=attack, **told)
    story.tell(1, "alert", "x", sender="s", status="firing", labels={"alertname": attack}, summary=attack)
    picture = parse(story.entries, attack)

    assert not list(picture.iter(f"{SVG}script"))
    assert '<script>alert("1")</script>&' in (picture.findtext(f"{SVG}title") or "")


def test_labels_do_not_touch() -> None:
    """Labels on one line keep apart, measured by a generous width of their letters."""
    story = a_bad_deploy()
    for number in range(30):
        story.act(260 + number / 10, 260.05 + number / 10, "notify_stakeholders", "told", target=f"t{number}")
    picture = parse(story.entries)
    for line in picture.iter(f"{SVG}g"):
        if not (line.get("transform") or "").startswith("translate(0 "):
            continue
        spans = sorted(span(text) for text in line.iter(f"{SVG}text"))

        assert all(a >= 0 and b <= 1200 for a, b in spans)
        assert all(first[1] < second[0] for first, second in pairwise(spans))


def span(text: ET.Element) -> tuple[float, float]:
    """Return where a label begins and ends."""
    x, width = float(text.get("x") or 0), len("".join(text.itertext())) * 6.5
    return (x - width, x) if text.get("text-anchor") == "end" else (x, x + width)


@pytest.mark.parametrize("seconds", [0, 0.001, 3, 59, 3600, 90_000, 3_000_000])
def test_axis_has_few_nice_ticks(seconds: float) -> None:
    """From a moment to a month, the axis has between one and ten ticks."""
    story = Story()
    story.tell(0, "note", says="first")
    story.tell(seconds, "note", says="last")
    grid = [line for line in parse(story.entries).iter(f"{SVG}line") if line.get("opacity")]

    assert 1 <= len(grid) <= 10


def test_what_is_not_over_reaches_to_now() -> None:
    """An open question and an open measure are drawn up to the given moment, dashed."""
    entries = a_bad_deploy(until="asked").entries
    drawn = draw_timeline(entries, "x", START + timedelta(minutes=2))

    assert drawn.count('class="bar open"') == 3
    assert "2 min 00 s" in drawn


def test_nothing_can_be_drawn() -> None:
    """Without entries there is still a picture."""
    assert "nothing yet" in words(parse([]))
