"""The inbox in Chromium: on a phone and on a desk, in the dark and by day, by keyboard and without scripts."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from crisis.domain.clock import utc_now, write_time
from crisis.engine.links import link_for
from crisis.journal.inbox import Delivery, Settled
from crisis.journal.sightings import Sighting
from crisis.receiver.context import Context
from tests.browser.conftest import Phone, assert_accessible, assert_fits
from tests.domain.story import INCIDENT
from tests.receiver.conftest import Room
from tests.receiver.payloads import alert, delivery

STRANGE = "\u202eevil\u2066 \u05d0\u05d1\u05d2 <script>document.title = 'owned'</script> " + "e\u0301\u0302\u0303" * 30
LONG = "x" * 400

STORY = (
    ("started", f"bad-deploy for {INCIDENT}", INCIDENT, delivery()),
    ("joined", f"belongs to {INCIDENT}", INCIDENT, delivery(alert(journey="login"))),
    ("ignored", "no route of alertmanager fits the alert JourneyFailing", "", delivery(alert(severity="warning"))),
    ("held", f"held: may be an echo of {INCIDENT}; opens an incident if it does not resolve", INCIDENT, delivery()),
    ("ignored", f"the alert {STRANGE} is about {LONG}, which is no service of the protocol", "", b"\xff\x00{"),
    ("opened", f"opens {INCIDENT}", INCIDENT, delivery()),
    ("ignored", STRANGE, "", delivery(alert(journey=STRANGE, **{LONG[:90]: LONG}))),
    ("new", "", "", delivery(alert(), alert("resolved", fingerprint="9951cd2ef7f87255"))),
)


def name_of(number: int) -> str:
    """Return the name of a delivery of the story."""
    return f"{number + 10:x}c97f3e1b2d4"[:12] + f"{number:052}"


@pytest.fixture
def told(site: Context) -> Context:
    """Let a day's deliveries come in, and two dozen of a sender whose name is long."""
    now = utc_now()
    rows = [
        Delivery(name_of(number), "alertmanager", write_time(now - timedelta(minutes=9 - number)), raw)
        for number, (*_, raw) in enumerate(STORY)
    ]
    more = [
        Delivery(f"more-{number}", "datadog-of-the-payment-team", write_time(now - timedelta(hours=5)), b"{}")
        for number in range(60)
    ]
    site.inbox.put_all([*rows, *more])
    site.inbox.settle_all(
        [
            *(
                Settled(
                    name_of(number),
                    state,
                    says,
                    incident,
                    again=now + timedelta(minutes=4) if state == "held" else None,
                )
                for number, (state, says, incident, _) in enumerate(STORY)
                if state != "new"
            ),
            *(
                Settled(one.delivery, "ignored", "datadog-of-the-payment-team is no sender of the protocol")
                for one in more
            ),
        ]
    )
    site.sightings.keep([Sighting(f"a{n}", "s", "", INCIDENT, name_of(n), write_time(now)) for n in range(2)])
    return site


def inside(site: Context, page: Page, path: str) -> Page:
    """Open a page of the inbox by ada's link."""
    page.goto(link_for(site.settings, "ada", ""))
    page.goto(f"{site.settings.address}{path}")
    return page


SCREENS = pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)], ids=["phone", "desk"])
SCHEMES = pytest.mark.parametrize("scheme", ["dark", "light"])


@SCREENS
@SCHEMES
def test_the_list_is_usable(told: Context, phone: Phone, tmp_path: Path, width: int, height: int, scheme: str) -> None:
    """Long and hostile words and all: nothing is cut off, and axe-core finds nothing serious."""
    page = inside(told, phone(width, height, scheme), "/inbox")
    page.screenshot(path=tmp_path / f"inbox-list-{width}-{scheme}.png", full_page=True)

    assert_fits(page)
    assert_accessible(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Inbox")
    expect(page).to_have_title("Inbox")


@SCREENS
@SCHEMES
@pytest.mark.parametrize("number", [2, 3, 6, 7])
def test_a_delivery_is_usable(
    told: Context, phone: Phone, tmp_path: Path, width: int, height: int, scheme: str, number: int
) -> None:
    """With its body open, whatever is in it, the page fits and everybody can use it."""
    page = inside(told, phone(width, height, scheme), f"/inbox/{name_of(number)}")
    page.get_by_text("Body,").click()
    page.screenshot(path=tmp_path / f"inbox-delivery-{number}-{width}-{scheme}.png", full_page=True)

    assert_fits(page)
    assert_accessible(page)
    expect(page).to_have_title(f"Delivery {name_of(number)[:12]}")


@SCREENS
@SCHEMES
def test_an_empty_inbox_is_usable(
    site: Context, phone: Phone, tmp_path: Path, width: int, height: int, scheme: str
) -> None:
    """It says what to do next; so does one in a storm."""
    for number in range(31):
        site.storm.saw(f"group {number}", utc_now())
    page = inside(site, phone(width, height, scheme), "/inbox")
    page.screenshot(path=tmp_path / f"inbox-empty-{width}-{scheme}.png", full_page=True)

    assert_fits(page)
    assert_accessible(page)
    expect(page.get_by_text("Nothing has come in yet.")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("An alert storm is on")


def test_from_the_room_to_its_alerts_and_back(told: Context, room: Room, phone: Phone, tmp_path: Path) -> None:
    """The room leads to its alerts, each of them to its page, and that back to the room."""
    page = inside(told, phone(), f"/incidents/{INCIDENT}")
    page.screenshot(path=tmp_path / "inbox-room.png", full_page=True)
    assert_accessible(page)
    page.get_by_role("link", name="in the inbox").click()
    expect(page.locator("ol.deliveries > li")).to_have_count(4)
    page.screenshot(path=tmp_path / "inbox-of-incident.png", full_page=True)
    page.get_by_role("link", name=f"Delivery {name_of(0)[:12]}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Delivery {name_of(0)[:12]}")
    page.get_by_role("main").get_by_role("link", name=INCIDENT).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("checkout answers 500")
    assert room.entries("opened")


def test_everything_without_scripts_and_by_keyboard(told: Context, phone: Phone) -> None:
    """Filters, older pages and details need neither a script nor a mouse."""
    page = inside(told, phone(width=1280, height=800, scripts=False), "/inbox")
    page.get_by_role("link", name="ignored").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="ignored")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Older").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text("Older deliveries")
    page.get_by_role("link", name="Newest").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=2)).to_have_text("Newest first")


def test_touch_targets_are_large_enough(told: Context, phone: Phone) -> None:
    """On a phone no link is lower than 24 pixels, or it would be missed at night."""
    page = inside(told, phone(), "/inbox")
    heights = page.evaluate(
        "[...document.querySelectorAll('main a, header a')].map(a => a.getBoundingClientRect().height)"
    )

    assert min(heights) >= 24
