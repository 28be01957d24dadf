"""The pages that only show: incidents, pictures, reports, health."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from crisis.receiver.context import Context
from crisis.receiver.recording import INBOX_CHAIN
from tests.domain.story import INCIDENT, RUN
from tests.receiver.conftest import Browser, Room, code_of


def test_empty_list_says_how_it_fills(inside: Browser) -> None:
    """Before the first incident the list says what opens one."""
    answer = inside.send("GET", "/incidents")

    assert answer.status_code == 200
    assert "None yet" in answer.text


def test_list_shows_incidents_and_nothing_else(inside: Browser, room: Room, context: Context) -> None:
    """Incidents are listed with what they wait for; the other chains are not."""
    room.ask()
    context.journal.append(INBOX_CHAIN, "note", "alertmanager", {"says": "nothing"})
    html = inside.send("GET", "/incidents").text

    assert "checkout answers 500" in html
    assert "waiting for Ada Okafor (CTO) or Ben Lindqvist (lead developer) to decide <code>revert</code>" in html
    assert INBOX_CHAIN not in html


def test_incident_links_to_its_question(inside: Browser, room: Room) -> None:
    """While an incident waits, its page links to question and Prefect; without a script it is loaded again."""
    path = room.ask()
    html = inside.send("GET", f"/incidents/{INCIDENT}").text

    assert f'href="{path}"' in html
    assert f'href="http://prefect.test/runs/flow-run/{RUN}"' in html
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in html
    assert "Incident opened: shop" in html


def test_ended_incident_stands_still(inside: Browser, room: Room) -> None:
    """An incident that is over is not loaded again and again."""
    inside.answer(room.ask(), person="ada", answer="revert", code=code_of("ada"))
    ended = {"run": RUN, "playbook": "bad-deploy", "outcome": "recovered", "says": "every proof held"}
    room.journal.append(INCIDENT, "ended", "responder", ended)
    html = inside.send("GET", f"/incidents/{INCIDENT}").text

    assert "Over: recovered" in html
    assert "http-equiv" not in html
    assert "over: recovered" in inside.send("GET", "/incidents").text


def test_lonely_back_tick_is_text(inside: Browser, room: Room) -> None:
    """What stands between back ticks is shown as a name; a single one is only a sign."""
    room.journal.append(INCIDENT, "alert", "x", {"status": "firing", "labels": {}, "summary": "a `b` <c>"})
    room.journal.append(INCIDENT, "alert", "x", {"status": "firing", "labels": {}, "summary": "d ` <e>"})
    html = inside.send("GET", f"/incidents/{INCIDENT}").text

    assert "a <code>b</code> &lt;c&gt;" in html
    assert "d ` &lt;e&gt;" in html


def test_measures_in_force_are_shown(inside: Browser, room: Room) -> None:
    """What still stands is said on the page."""
    done: dict[str, Any] = {
        "run": RUN,
        "action": "start_maintenance",
        "target": "shop",
        "call": "1",
        "note": "up",
        "facts": {},
    }
    done |= {"seconds": 0.2, "measure": True, "undo": "end_maintenance"}
    room.journal.append(INCIDENT, "done", "responder", done)

    assert "undone by end maintenance" in inside.send("GET", f"/incidents/{INCIDENT}").text


def test_picture_is_a_picture(inside: Browser, room: Room) -> None:
    """The timeline is served as an SVG that a browser may draw and nothing more."""
    room.ask()
    answer = inside.send("GET", f"/incidents/{INCIDENT}/timeline.svg")

    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert ET.fromstring(answer.text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own picture


def test_report_is_markdown(inside: Browser, room: Room) -> None:
    """The report is served as Markdown and ends with the head of the chain."""
    answer = inside.send("GET", f"/incidents/{INCIDENT}/report.md")

    assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert room.entries()[-1].hash in answer.text


@pytest.mark.parametrize("path", ["/incidents/INC-1", "/incidents/PEOPLE", "/incidents/INC-1/report.md", "/nothing"])
def test_unknown_page_says_what_to_do(inside: Browser, path: str) -> None:
    """What is not there is answered 404 with a way on."""
    answer = inside.send("GET", path)

    assert answer.status_code == 404
    assert "All incidents" in answer.text


def test_front_door_leads_to_the_list(browser: Browser) -> None:
    """The bare address leads to the incidents."""
    assert browser.send("GET", "/").headers["Location"] == "/incidents"


def test_health_and_readiness(browser: Browser, context: Context) -> None:
    """The process is healthy without its journal, but not ready."""
    assert browser.send("GET", "/healthz").status_code == 200
    assert browser.send("GET", "/readyz").status_code == 200
    with context.journal.database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE heads")

    later = Browser(context)  # the answer stands for a second
    assert later.send("GET", "/healthz").status_code == 200
    assert later.send("GET", "/readyz").status_code == 503


def test_lost_journal_is_a_page_that_says_so(browser: Browser, room: Room, context: Context) -> None:
    """When the journal cannot be read, people get a page that tells them to come again."""
    path = room.ask()
    with context.journal.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE entries RENAME TO elsewhere")
    answer = browser.send("GET", path)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "cannot be used right now" in answer.text
    assert "sqlite" not in answer.text


def test_what_nobody_foresaw_says_nothing_private(inside: Browser, room: Room, context: Context) -> None:
    """An error of our own becomes a page without details."""
    context.journal.append(INCIDENT, "level", "responder", {"level": "no number"})
    answer = inside.send("GET", f"/incidents/{INCIDENT}")

    assert answer.status_code == 500
    assert "went wrong on our side" in answer.text
    assert "no number" not in answer.text
    assert room.entries("level")
