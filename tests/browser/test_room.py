"""The incident room in Chromium: live, readable at night, usable by everybody."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from crisis.engine.links import link_for
from crisis.receiver.context import Context
from tests.browser.conftest import Phone, assert_accessible, assert_fits
from tests.domain.story import INCIDENT, RUN
from tests.receiver.conftest import Room


def inside(site: Context, page: Page) -> Page:
    """Open the room by ada's link."""
    page.goto(link_for(site.settings, "ada", INCIDENT))
    expect(page.get_by_role("heading", level=1)).to_contain_text("checkout answers 500")
    return page


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_room_is_usable(
    site: Context, room: Room, phone: Phone, tmp_path: Path, width: int, height: int, scheme: str
) -> None:
    """While a question waits: nothing is cut off, and axe-core finds nothing serious."""
    room.ask()
    page = inside(site, phone(width, height, scheme))
    page.screenshot(path=tmp_path / f"room-{width}-{scheme}.png", full_page=True)

    assert_fits(page)
    assert_accessible(page)
    expect(page.get_by_text("Ada Okafor (CTO)").first).to_be_visible()


def test_what_happens_shows_by_itself(site: Context, room: Room, phone: Phone) -> None:
    """A new entry of the journal stands on an open page without a reload; how soon, `make bench` measures."""
    page = inside(site, phone())
    page.evaluate("window.loadedOnce = true")
    for number in range(5):
        says = f"note {number}: the cache is warm"
        room.journal.append(INCIDENT, "note", "responder", {"run": RUN, "says": says})
        expect(page.get_by_role("main").get_by_text(says).last).to_be_visible()

    assert page.evaluate("window.loadedOnce")


def test_the_last_state_stays_when_the_server_is_gone(site: Context, room: Room, phone: Phone) -> None:
    """Without a server the page says since when, and still shows how it stood."""
    room.ask()
    page = inside(site, phone())
    page.context.set_offline(True)
    site.stopping.set()

    expect(page.get_by_text("Connection lost at")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("checkout answers 500").first).to_be_visible()


def test_the_room_works_without_scripts(site: Context, room: Room, phone: Phone) -> None:
    """Without scripts the same stands there, and the page fetches itself again."""
    room.ask()
    page = inside(site, phone(scripts=False))

    assert page.locator("meta[http-equiv=refresh]").count() == 1
    assert_fits(page)
