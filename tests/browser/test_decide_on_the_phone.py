"""A phone in the night: enrol a passkey and codes, then decide by each, in Chromium with a virtual authenticator."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pyotp
import pytest
from playwright.sync_api import Page, expect

from crisis.domain.clock import utc_now
from crisis.domain.passkey import LINK_LASTS, Link, fold_passkeys
from crisis.domain.person import PEOPLE
from crisis.domain.plan import Plan
from crisis.engine.booth import Booth
from crisis.receiver.context import Context
from crisis.receiver.enrol import make_link
from tests.browser.conftest import Phone, assert_accessible, assert_fits
from tests.domain.story import a_plan
from tests.receiver.conftest import Room, code_of


def with_authenticator(page: Page) -> Page:
    """Give a page's browser a fingerprint reader that always recognises its owner."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True}
    options |= {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


def booth_of(site: Context) -> Booth:
    """Return the booth of a receiver."""
    return Booth.of(site.journal, site.protocol, site.settings)


def looks_right(page: Page, picture: Path) -> None:
    """Keep a picture of a page, and check that it fits its screen and that everybody can use it."""
    page.screenshot(path=picture, full_page=True)
    assert_fits(page)
    assert_accessible(page)


def enrol(site: Context, page: Page) -> None:
    """Let ada make a passkey by a link of her own."""
    page.goto(make_link(booth_of(site), site.settings, "ada", "new", "test")[1])
    page.get_by_label("Name of this device").fill("my phone")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("Your passkey is enrolled")


def in_parts() -> Plan:
    """Return a plan whose recommended way has two steps that make sense alone."""
    plan = a_plan()
    steps = tuple(choice.steps[0] for choice in plan.choices)
    first = plan.choices[0].model_copy(update={"steps": steps, "severable": True})
    return plan.model_copy(update={"choices": (first, plan.choices[1])})


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_enrol_a_passkey_and_codes(
    site: Context, phone: Phone, tmp_path: Path, scheme: Literal["dark", "light"]
) -> None:
    """One link, opened on the phone, gives ada both proofs; each page of it is usable by everybody."""
    page = with_authenticator(phone(scheme=scheme))
    page.goto(make_link(booth_of(site), site.settings, "ada", "new", "test")[1])
    looks_right(page, tmp_path / "enrol.png")
    page.get_by_label("Name of this device").fill("my phone")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("Your passkey is enrolled")
    page.get_by_role("button", name="Show the picture to scan").click()
    looks_right(page, tmp_path / "scan.png")
    secret = page.locator("p.secret").inner_text().replace(" ", "")
    page.get_by_label("The code that it shows now").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm the code").click()
    expect(page.get_by_role("status")).to_contain_text("Your one-time codes are set up")
    looks_right(page, tmp_path / "enrolled.png")

    (passkey,) = fold_passkeys(site.journal.entries(PEOPLE), booth_of(site).key).values()
    assert (passkey.who, passkey.label) == ("ada", "my phone")
    assert (tmp_path / "secrets" / "ada").read_text().strip() == secret


def test_a_device_enrols_once(site: Context, phone: Phone) -> None:
    """The same phone cannot make a second passkey: the browser says so, and nothing is recorded."""
    page = with_authenticator(phone())
    enrol(site, page)
    page.goto(make_link(booth_of(site), site.settings, "ada", "new", "test")[1])
    page.get_by_role("button", name="Make a passkey").click()

    expect(page.get_by_role("alert")).to_contain_text("has a passkey for you already")
    assert len(fold_passkeys(site.journal.entries(PEOPLE), booth_of(site).key)) == 1


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_decide_by_passkey(
    site: Context, room: Room, phone: Phone, tmp_path: Path, scheme: Literal["dark", "light"]
) -> None:
    """The plan is read, the name and the answer are chosen, a finger confirms, and it is decided."""
    page = with_authenticator(phone(scheme=scheme))
    enrol(site, page)
    page.goto(site.settings.address + room.ask())
    looks_right(page, tmp_path / "decide.png")
    button = page.get_by_role("button", name="Send with my passkey")
    page.get_by_label("Who are you?").select_option("ben")
    expect(button).to_be_hidden()
    page.get_by_label("Who are you?").select_option("ada")
    page.get_by_role("radio", name=re.compile("Yes: revert")).check()
    page.screenshot(path=tmp_path / "ready.png", full_page=True)
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Approved: revert")
    looks_right(page, tmp_path / "accepted.png")

    (voted,) = room.entries("voted")
    assert (voted.actor, voted.body["proof"], room.entries("decided")[0].body["choice"]) == ("ada", "passkey", "revert")


def test_a_second_decision_by_the_same_passkey(site: Context, room: Room, phone: Phone) -> None:
    """Its counter goes on: the next question is decided by the same finger, and a stop is a stop."""
    page = with_authenticator(phone())
    enrol(site, page)
    for title, answer, outcome in (
        ("First?", "Yes: roll-back", "approved"),
        ("Second?", "strong objection", "declined"),
    ):
        page.goto(site.settings.address + room.ask(a_plan(title)))
        page.get_by_label("Who are you?").select_option("ada")
        page.get_by_role("radio", name=re.compile(answer)).check()
        page.get_by_role("button", name="Send with my passkey").click()
        expect(page.get_by_role("status")).to_be_visible()
        assert room.entries("decided")[-1].body["outcome"] == outcome


def test_a_passkey_that_is_not_confirmed_sends_nothing(site: Context, room: Room, phone: Phone, tmp_path: Path) -> None:
    """A phone without the key says so on the page, which stays as it was; a code still decides."""
    enrol(site, with_authenticator(phone()))
    other = with_authenticator(phone())
    other.goto(site.settings.address + room.ask())
    other.get_by_label("Who are you?").select_option("ada")
    other.get_by_role("radio", name=re.compile("Yes: revert")).check()
    other.get_by_role("button", name="Send with my passkey").click()

    expect(other.get_by_role("alert")).to_contain_text("did not confirm it")
    looks_right(other, tmp_path / "failed.png")
    assert room.entries("voted") == []
    other.get_by_label("Who are you?").select_option("ben")
    other.get_by_label("One-time code").fill(code_of("ben"))
    other.get_by_role("button", name="Send my answer").click()
    expect(other.get_by_role("status")).to_contain_text("Approved: revert")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_decide_by_code(site: Context, room: Room, phone: Phone, *, scripts: bool) -> None:
    """Six digits decide too, also where no script runs; a wrong one is said, and what was typed is kept."""
    page = phone(scripts=scripts)
    page.goto(site.settings.address + room.ask())
    page.get_by_label("Who are you?").select_option("ben")
    page.get_by_role("radio", name=re.compile("Yes: revert")).check()
    page.get_by_role("textbox", name="Reason").fill("main must be clean")
    page.get_by_label("One-time code").fill(code_of("ben", ago=3600))
    page.get_by_role("button", name="Send my answer").click()
    expect(page.locator("#problem")).to_contain_text("wrong or outdated code")
    expect(page.get_by_role("textbox", name="Reason")).to_have_value("main must be clean")
    page.get_by_label("One-time code").fill(code_of("ben"))
    page.get_by_role("button", name="Send my answer").click()

    expect(page.get_by_role("status")).to_contain_text("Approved: revert")
    assert room.entries("decided")[0].actor == "ben"


def test_ask_for_a_change(site: Context, room: Room, phone: Phone, tmp_path: Path) -> None:
    """The browser wants the reason before it sends anything; then the question ends with it."""
    page = phone()
    page.goto(site.settings.address + room.ask())
    page.get_by_label("Who are you?").select_option("ben")
    page.get_by_role("radio", name=re.compile("Ask for a change")).check()
    page.get_by_label("One-time code").fill(code_of("ben"))
    page.get_by_role("button", name="Send my answer").click()
    assert room.entries("voted") == []
    page.get_by_role("textbox", name="Reason").fill("not before ten")
    page.get_by_role("button", name="Send my answer").click()

    expect(page.get_by_role("status")).to_contain_text("A change was asked for")
    looks_right(page, tmp_path / "change.png")
    assert room.entries("decided")[0].body["outcome"] == "change asked"


def test_approve_a_part_by_passkey(site: Context, room: Room, phone: Phone, tmp_path: Path) -> None:
    """The steps appear with their way, all ticked; what is unticked is neither signed nor done."""
    page = with_authenticator(phone())
    enrol(site, page)
    page.goto(site.settings.address + room.ask(in_parts()))
    boxes = page.get_by_role("checkbox")
    expect(boxes).to_have_count(0)
    page.get_by_label("Who are you?").select_option("ada")
    page.get_by_role("radio", name=re.compile("Yes: revert")).check()
    expect(boxes).to_have_count(2)
    boxes.first.uncheck()
    looks_right(page, tmp_path / "part.png")
    page.get_by_role("button", name="Send with my passkey").click()

    expect(page.locator("main")).to_contain_text("Only this part will be carried out")
    looks_right(page, tmp_path / "part_accepted.png")
    assert room.entries("decided")[0].body["steps"] == [1]


def test_break_the_glass(site: Context, room: Room, phone: Phone, tmp_path: Path) -> None:
    """When the ladder has been silent for long, the loud part takes two of those who may."""
    path = room.ask(in_parts())
    glass = site.protocol.break_glass
    assert glass is not None
    object.__setattr__(glass, "after", timedelta(microseconds=1))
    for who, says in (("cleo", "One more person must break the glass"), ("dan", "The glass was broken")):
        page = phone()
        page.goto(site.settings.address + path)
        page.get_by_text("I want to break the glass").click()
        form = page.locator("section.glass form")
        form.get_by_label("Who are you?").select_option(who)
        form.get_by_role("radio", name=re.compile("Yes: revert")).check()
        looks_right(page, tmp_path / f"glass_{who}.png")
        form.get_by_label("One-time code").fill(code_of(who))
        form.get_by_role("button", name="Break the glass").click()
        expect(page.locator("main")).to_contain_text(says)
        looks_right(page, tmp_path / f"broken_{who}.png")

    assert room.entries("decided")[0].body["glass"] is True


def test_everything_by_keyboard(site: Context, room: Room, phone: Phone) -> None:
    """Tab, arrows, space and Enter are enough."""
    page = phone(width=1280, height=800)
    page.goto(site.settings.address + room.ask())
    page.get_by_label("Who are you?").focus()
    page.keyboard.type("Ben")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.type(code_of("ben"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Approved: revert")
    assert room.entries("decided")[0].body["reason"] == "by keyboard"


def test_a_link_that_has_run_out_says_so(site: Context, phone: Phone, tmp_path: Path) -> None:
    """The page says what to do next, and is usable too."""
    old = Link("ada", "old", utc_now() - LINK_LASTS, "new").write(booth_of(site).key)
    page = phone()
    page.goto(f"{site.settings.address}/enrol/{old}")

    expect(page.get_by_role("heading")).to_have_text("This link has run out")
    looks_right(page, tmp_path / "old.png")
