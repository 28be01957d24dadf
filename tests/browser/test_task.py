"""Closing a task in Chromium: phone first, without scripts, usable by everybody."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import expect

from crisis.engine.links import link_for
from crisis.receiver.context import Context
from tests.browser.conftest import Phone, assert_accessible, assert_fits
from tests.domain.story import INCIDENT
from tests.receiver.conftest import Room, code_of


@pytest.fixture
def tasked(room: Room) -> Room:
    """Open two tasks."""
    for name, owner in (("pypi/upload-token", "ben"), ("bank/payments-certificate", "ada")):
        system, _, credential = name.partition("/")
        task = {
            "name": name, "what": f"end {credential} of {system}", "owner": owner,
            "how": "Account settings, API tokens, Remove; then log out everywhere", "wanted": "a request answers 403",
        }  # fmt: skip
        body: dict[str, Any] = {"action": "open_task", "target": name, "note": "a task", "facts": {"task": task}}
        room.journal.append(INCIDENT, "done", "responder", body)
    return room


@pytest.mark.parametrize(
    ("width", "height", "scheme", "scripts"), [(390, 844, "dark", False), (1280, 800, "light", True)]
)
def test_a_task_is_closed_on_a_phone(
    site: Context, tasked: Room, phone: Phone, tmp_path: Path, *,
    width: int, height: int, scheme: Literal["dark", "light"], scripts: bool,
) -> None:  # fmt: skip
    """From the room to the form and back; axe-core finds nothing serious, with scripts or without."""
    page = phone(width, height, scheme, scripts=scripts)
    page.goto(link_for(site.settings, "ben", INCIDENT))
    page.screenshot(path=tmp_path / "room.png", full_page=True)
    assert_fits(page)
    if scripts:
        assert_accessible(page)

    page.get_by_role("link", name=re.compile("Close with evidence.*upload-token of pypi")).click()
    expect(page.get_by_label("Who are you?")).to_have_value("ben")
    page.get_by_label("What shows that it is done?").fill("twine upload answered 403 at 03:12")
    page.screenshot(path=tmp_path / "task.png", full_page=True)
    assert_fits(page)
    if scripts:
        assert_accessible(page)
    page.get_by_label("One-time code").fill("000 000")
    page.get_by_role("button", name="Close the task").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong or outdated code")
    page.screenshot(path=tmp_path / "refused.png", full_page=True)

    page.get_by_label("One-time code").fill(code_of("ben"))
    page.get_by_role("button", name="Close the task").click()
    expect(page.get_by_role("region", name="Tasks for people")).to_contain_text("proved by one-time code")
    page.screenshot(path=tmp_path / "closed.png", full_page=True)

    assert len(tasked.entries("task closed")) == 1
