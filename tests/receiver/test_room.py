"""The incident room: what its page shows, and what it says of a chain that somebody changed."""

from datetime import timedelta
from typing import Any

import pytest

from crisis.domain.clock import utc_now, write_time
from crisis.domain.incident import Incident
from crisis.domain.law.fact import STATED, sealed
from crisis.journal.store import Journal
from crisis.receiver.context import Context
from crisis.receiver.pages import fragment
from crisis.receiver.room import Room as Shown
from crisis.receiver.room import Waits
from tests.domain.story import INCIDENT, RUN
from tests.receiver.conftest import Browser, Room, damage

ROOM = f"/incidents/{INCIDENT}"


def act(journal: Journal, kind: str, **more: Any) -> None:
    """Record one end of a call that starts maintenance."""
    body: dict[str, Any] = {"run": RUN, "action": "start_maintenance", "target": "shop", "call": "1", **more}
    journal.append(INCIDENT, kind, "responder", body)


def test_room_says_what_matters_first(inside: Browser, room: Room) -> None:
    """From top to bottom: what it is, what waits for whom, what is being done, what is in force, what happened."""
    act(room.journal, "intended")
    act(room.journal, "done", note="up", facts={}, seconds=0.2, measure=True, undo="end_maintenance")
    act(room.journal, "intended", action="notify_stakeholders", call="2")
    path = room.ask()
    html = inside.send("GET", ROOM).text
    wanted = [
        "Defcon 1 (critical)",
        "checkout answers 500",
        "Waits for",
        "Take release 4f2c back?",
        "Ada Okafor (CTO) or Ben Lindqvist (lead developer)",
        'data-deadline="',
        f'href="{path}"',
        "Being done now",
        "Notify stakeholders",
        'data-since="',
        "In force now",
        "undone by end maintenance",
        "Clocks",
        "Timeline, newest first",
        "Incident opened: shop",
        "report.md",
    ]
    places = [html.index(words) for words in wanted[:2]]
    for words in wanted[2:]:
        places.append(html.index(words, places[-1]))

    assert places[1:] == sorted(places[1:])


@pytest.mark.parametrize(
    ("needed", "says"), [(1, "Ada or Ben or Cleo"), (2, "two of Ada, Ben, Cleo"), (4, "4 of Ada, Ben, Cleo")]
)
def test_room_says_how_many_must_agree(needed: int, says: str) -> None:
    """Where two are needed, the room does not say that one would do."""
    now = utc_now()
    waits = Waits("Take it back?", "/x", ("Ada", "Ben", "Cleo"), ("revert",), now, "stop", needed)
    shown = Shown(INCIDENT, now, 1, incident=Incident(INCIDENT), changed_at=now, waits=(waits,))

    assert f"<strong>{says}</strong> to decide" in fragment("room.html", room=shown)


@pytest.mark.usefixtures("room")
def test_room_may_ask_our_own_server_and_no_other(inside: Browser) -> None:
    """The policy of the room's page is that of the others and one permission more."""
    policy = inside.send("GET", ROOM).headers["Content-Security-Policy"]

    assert policy.endswith("; connect-src 'self'")
    assert "unsafe" not in policy
    assert "connect-src" not in inside.send("GET", "/incidents").headers["Content-Security-Policy"]


def test_what_waits_for_nobody_says_so(inside: Browser, room: Room) -> None:
    """Where nothing is asked, done or in force, the room says that instead of nothing."""
    html = inside.send("GET", ROOM).text

    assert "Nobody is asked for anything right now." in html
    assert "No change is being made right now." in html
    assert "Nothing that has to be undone." in html
    assert room.entries("started")


@pytest.mark.parametrize(("outcome", "state"), [("recovered", "ok"), ("failed", "bad")])
def test_room_of_what_is_over(inside: Browser, room: Room, outcome: str, state: str) -> None:
    """What is over says how it ended, and a measure that still stands takes its green away."""
    ended = {"run": RUN, "playbook": "bad-deploy", "outcome": outcome, "says": "so it is"}
    room.journal.append(INCIDENT, "ended", "responder", ended)

    assert f'<div class="note {state}" id="over">' in inside.send("GET", ROOM).text

    act(room.journal, "done", note="up", facts={}, seconds=0.2, measure=True, undo="end_maintenance")

    assert ('<div class="note warn" id="over">' in inside.send("GET", ROOM).text) is (outcome == "recovered")


def test_long_story_is_cut(inside: Browser, room: Room) -> None:
    """Of hundreds of rows the newest are shown, and the report has the others."""
    for number in range(310):
        room.journal.append(INCIDENT, "note", "x", {"says": f"note {number}."})
    html = inside.send("GET", ROOM).text

    assert "note 309." in html
    assert "note 5." not in html
    assert "13 older rows" in html


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE entries SET body = '{' WHERE seq = 3", "entry 3 was changed: its body is no JSON"),
        ("DELETE FROM entries WHERE seq = 3", "entries 3 to 3 are missing at the end"),
        ("DELETE FROM entries", "entries 1 to 3 are missing at the end"),
        ("DELETE FROM heads", "its head is missing or cannot be read"),
        ("UPDATE heads SET seq = 'x'", "its head is missing or cannot be read"),
        ("UPDATE heads SET seq = 1", "the head says the last entry is 1, but there are 3"),
    ],
)
@pytest.mark.usefixtures("room")
def test_every_damage_has_its_words(inside: Browser, context: Context, sql: str, says: str) -> None:
    """Whatever was done to a chain, its room says what."""
    damage(context, sql)
    answer = inside.send("GET", ROOM)

    assert answer.status_code == 200
    assert says in answer.text


def test_legal_clocks_count_once_somebody_has_stated_a_fact(inside: Browser, room: Room, context: Context) -> None:
    """Until then there is no word of them; then the tightest is there with its time, its recipient and its zone."""
    before = inside.send("GET", ROOM).text
    key, detected = context.settings.signing_key(), utc_now() - timedelta(hours=30)
    said = {"detected": write_time(detected), "aware": write_time(detected), "personal_data": True, "risk": "risk"}
    for name, value in {
        **said,
        "people": {"DE": {"least": 5, "most": 5}, "elsewhere": {"least": 0, "most": 0}},
    }.items():
        body = {"fact": name, "value": value, "evidence": "a log", "zone": "UTC"}
        room.journal.append(INCIDENT, STATED, "cleo", sealed(STATED, INCIDENT, "cleo", body, key))
    after = inside.send("GET", ROOM).text

    assert "Legal clocks" not in before
    assert "Notification to the supervisory authority (General Data Protection Regulation, Art. 33(1))" in after
    assert f'data-due="{write_time(detected + timedelta(hours=72))[:19]}' in after
    assert "counsel decides" in after
    assert "cleo stated: personal data" in after
