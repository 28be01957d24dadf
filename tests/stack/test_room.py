"""The incident room in a whole stack: it must neither hold up its end nor be locked by it."""

import threading
import time

import httpx

from crisis.engine.links import link_for
from crisis.settings import Settings
from tests.stack.conftest import Site


def test_a_stack_stops_while_a_room_is_open(site: Site) -> None:
    """Streams of open rooms end when the server is told to stop; a restart is not held up by who looks on."""
    site.break_shop()
    asked = site.wait_for("asked")
    settings = Settings(home=site.stack.home, public_url=site.stack.receiver)
    opened, ended = threading.Event(), threading.Event()

    def watch() -> None:
        with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as browser:
            browser.get(link_for(settings, "ada", asked.incident)).raise_for_status()
            with browser.stream("GET", f"{site.stack.receiver}/incidents/{asked.incident}/live") as stream:
                for line in stream.iter_lines():
                    if line.startswith("data:"):
                        opened.set()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    site.journal.append(asked.incident, "note", "responder", {"says": "somebody looks on"})
    assert opened.wait(10)
    began = time.monotonic()
    site.stack.stop()

    assert time.monotonic() - began < 10
    assert ended.wait(5)
