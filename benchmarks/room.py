"""
How soon an open incident room shows a new entry: Chromium on a receiver that listens, timed from the append.

Beside it, in the same run, the same page without scripts, which fetches itself again as its `noscript` says.
"""

import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from crisis.engine.links import link_for
from crisis.journal.inbox import Inbox
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.app import create_app
from crisis.receiver.context import Context
from crisis.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
INCIDENT = "INC-20261124-abcdef"


def main() -> int:
    """Append entries and wait until they are seen; print p50, p95 and the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    program = shutil.which("chromium")
    if program is None:
        print("room: chromium is not installed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        journal, context, server = _serve(Path(folder))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        link = link_for(context.settings, "ada", INCIDENT)
        live = _measure(browser, link, journal, rounds, scripts=True)
        plain = _measure(browser, link, journal, max(3, rounds // 8), scripts=False)
        browser.close()
        context.stopping.set()
        server.should_exit = True
    print(f"live room       p50 {_at(live, 0.5):6.0f} ms  p95 {_at(live, 0.95):6.0f} ms  n={len(live)}")
    print(f"reloading page  p50 {_at(plain, 0.5):6.0f} ms                 n={len(plain)}")
    print(f"ratio           {_at(plain, 0.5) / _at(live, 0.5):.1f} times as long")
    return 0


def _serve(folder: Path) -> tuple[Journal, Context, uvicorn.Server]:
    journal = Journal.open(f"sqlite:///{folder / 'journal.db'}")
    opened = {"service": "shop", "playbook": "bad-deploy", "source": "cli", "summary": "checkout answers 500"}
    journal.append(INCIDENT, "opened", "cli", opened, key="opened")
    config = uvicorn.Config("none", host="127.0.0.1", port=0, log_level="warning", ws="none", lifespan="off")
    socket = config.bind_socket()
    settings = Settings(home=folder, public_url=f"http://127.0.0.1:{socket.getsockname()[1]}")
    protocol = load_protocol(PROJECT / "protocol.yaml")
    context = Context(journal, Inbox(journal.database), protocol, settings, lambda: None, "")
    config.app = create_app(context)
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True).start()
    return journal, context, server


def _measure(browser: Browser, link: str, journal: Journal, rounds: int, *, scripts: bool) -> list[float]:
    page: Page = browser.new_context(java_script_enabled=scripts, viewport={"width": 390, "height": 844}).new_page()
    page.goto(link)
    took = []
    for number in range(rounds):
        says = f"note {number} {'live' if scripts else 'plain'}"
        began = time.monotonic()
        journal.append(INCIDENT, "note", "responder", {"says": says})
        page.get_by_role("main").get_by_text(says).last.wait_for(timeout=60_000)
        took.append(time.monotonic() - began)
        time.sleep(0.05)
    return took


def _at(took: list[float], share: float) -> float:
    if len(took) == 1:
        return took[0] * 1000
    return statistics.quantiles(took, n=100, method="inclusive")[round(share * 100) - 1] * 1000


if __name__ == "__main__":
    raise SystemExit(main())
