"""Real pages in a real browser: Chromium over a receiver that listens on a port, with a journal in a file."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from crisis.domain.protocol import Proof
from crisis.journal.inbox import Inbox
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.app import create_app
from crisis.receiver.context import Context
from crisis.settings import Settings
from tests.domain.story import INCIDENT, RUN
from tests.receiver.conftest import SECRETS, Room, Wakes

__all__ = ["Phone", "assert_accessible", "assert_fits"]

Phone = Callable[..., Page]
"""Opens a page: `phone()`, or `phone(width=1280, height=800, scheme="light", scripts=False)`."""

_SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium. Once a module: its loop must be gone before a test elsewhere starts one of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        assert not os.environ.get("CI"), "chromium must be installed in CI"
        pytest.skip("not installed: chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, headless=True, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Phone]:
    """Return what opens a page the size of a phone, in the dark, each with cookies of its own."""
    opened: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(
        width: int = 390, height: int = 844, scheme: Literal["dark", "light"] = "dark", *, scripts: bool = True
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            has_touch=True,
            is_mobile=True,
        )
        context.set_default_timeout(10_000)
        opened.append(context)
        page = context.new_page()
        # What a script could not do, or our policy kept it from, fails the test that saw it.
        page.on("pageerror", lambda error: faults.append(error.message))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert faults == []


def assert_accessible(page: Page) -> None:
    """Fail with what axe-core finds serious or critical on a page."""
    found = Axe().run(page).response["violations"]
    bad = [
        f"{one['id']}: {one['help']}: {node['target']}"
        for one in found
        if one["impact"] in _SERIOUS
        for node in one["nodes"]
    ]

    assert bad == []


def assert_fits(page: Page) -> None:
    """Fail when a page is wider than its screen."""
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")

    assert wide <= screen


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Open a fresh journal."""
    journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield journal
    journal.close()


@pytest.fixture
def room(journal: Journal) -> Room:
    """Open an incident by hand."""
    opened = {"service": "shop", "playbook": "bad-deploy", "source": "cli", "requester": "", "drill": False}
    journal.append(INCIDENT, "opened", "cli", {**opened, "summary": "checkout answers 500"}, key="opened")
    journal.append(INCIDENT, "level", "responder", {"level": 1, "because": "checkout fails"}, key="level:1")
    journal.append(INCIDENT, "started", "responder", {"run": RUN, "playbook": "bad-deploy", "start": 1})
    return Room(journal)


@pytest.fixture
def site(journal: Journal, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """Serve a receiver at http://localhost, where browsers use passkeys; its ada keeps her secret in a file."""
    for who, secret in SECRETS.items():
        monkeypatch.setenv(f"CRISIS_SANDBOX_TOTP_{who.upper()}", secret)
    protocol = load_protocol(project / "protocol.yaml")
    ada = protocol.people["ada"].model_copy(update={"proof": Proof(totp=f"file:{tmp_path / 'secrets' / 'ada'}")})
    protocol = protocol.model_copy(update={"people": {**protocol.people, "ada": ada}})
    config = uvicorn.Config("none", host="127.0.0.1", port=0, log_level="warning", ws="none", lifespan="off")
    socket = config.bind_socket()
    settings = Settings(home=tmp_path, public_url=f"http://localhost:{socket.getsockname()[1]}")
    context = Context(journal, Inbox(journal.database), protocol, settings, Wakes(), "http://prefect.test")
    config.app = create_app(context)
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    serving.start()
    yield context
    context.stopping.set()
    server.should_exit = True
    serving.join(timeout=10)
    socket.close()
