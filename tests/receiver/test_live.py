"""The live room: each change shows by itself, over a real server, and nobody who watches holds anything up."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from crisis.errors import JournalError
from crisis.receiver.access import COOKIE
from crisis.receiver.app import create_app
from crisis.receiver.context import Context
from crisis.receiver.live import VIEWERS, Live, Pace, Stream
from crisis.receiver.pages import PageError
from tests.domain.story import INCIDENT
from tests.receiver.conftest import Browser, Room, damage

ROOM = f"/incidents/{INCIDENT}"
ATTACK = "</div><script>alert(1)</script>\r\n\ndata: x\revent: room"


@dataclass
class Event:
    """One server-sent event."""

    name: str = ""
    id: str = ""
    data: list[str] = field(default_factory=list)

    @property
    def html(self) -> str:
        return "\n".join(self.data)


def events(lines: Iterator[str]) -> Iterator[Event]:
    """Read events as a browser does."""
    event = Event()
    for line in lines:
        name, _, value = line.partition(": ")
        if not line:
            if event.name:
                yield event
            event = Event()
        elif name == "event":
            event.name = value
        elif name == "id":
            event.id = value
        elif name == "data":
            event.data.append(value)


@dataclass
class Site:
    """The receiver as a server in this process, and somebody who has a session there."""

    context: Context
    app: FastAPI
    server: uvicorn.Server
    address: str
    cookie: str

    @property
    def live(self) -> Live:
        live: Live = self.app.state.live
        return live

    @contextmanager
    def follow(self, after: int | str = "", last: int | str = "") -> Iterator[Iterator[Event]]:
        """Open a stream; give its events of a room that changed."""
        headers = {"Cookie": f"{COOKIE}={self.cookie}"} | ({"Last-Event-ID": str(last)} if last != "" else {})
        with (
            httpx.Client(base_url=self.address, timeout=5, trust_env=False) as client,
            client.stream("GET", f"{ROOM}/live", params={"after": after}, headers=headers) as answer,
        ):
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            yield (event for event in events(answer.iter_lines()) if event.name == "room")

    def wait(self, viewers: int) -> bool:
        """Wait until so many people watch."""
        until = time.monotonic() + 5
        while self.live.viewers != viewers and time.monotonic() < until:
            time.sleep(0.01)
        return self.live.viewers == viewers


@pytest.fixture
def site(context: Context, inside: Browser) -> Iterator[Site]:
    """Serve on a free port, and stop as `crisis up` does."""
    app = create_app(context)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = listening.getsockname()[1]
    yield Site(context, app, server, f"http://127.0.0.1:{port}", str(inside.cookies.get(COOKIE, path="/incidents")))
    context.stopping.set()
    server.should_exit = True
    thread.join(10)
    listening.close()
    assert not thread.is_alive()


def test_change_shows_by_itself(site: Site, room: Room) -> None:
    """Each entry comes to whoever watches, once, under its number; how soon, `make bench` measures."""
    with site.follow() as changes:
        first = next(changes)
        for number in range(3):
            entry = room.journal.append(INCIDENT, "note", "x", {"says": f"note {number}"})
            event = next(changes)

            assert f"note {number}" in event.html
            assert event.id == str(entry.seq)
    assert 'id="room"' in first.html


@pytest.mark.parametrize("way", ["last", "after"])
def test_what_is_shown_already_is_not_sent_again(site: Site, room: Room, way: str) -> None:
    """A browser that says what it has seen gets the next change, and nothing before it."""
    seen = room.entries()[-1].seq
    where = {way: seen}
    with site.follow(**where) as changes:
        time.sleep(0.5)
        entry = room.journal.append(INCIDENT, "note", "x", {"says": "new"})

        assert next(changes).id == str(entry.seq)


@pytest.mark.parametrize("last", ["0", "99999", "-1", "x", "٣", "9" * 40])
@pytest.mark.usefixtures("room")
def test_who_says_nonsense_gets_the_room(site: Site, last: str) -> None:
    """A number that is not where the incident stands is answered with how it stands."""
    with site.follow(after=last) as changes:
        assert next(changes).id == "3"


def test_markup_in_a_change_is_text(site: Site, room: Room) -> None:
    """What an alert or a person writes stays text in the fragment, and its line ends make no event of their own."""
    room.ask()
    with site.follow(after=room.entries()[-1].seq) as changes:
        room.journal.append(INCIDENT, "alert", "x", {"status": "firing", "labels": {}, "summary": ATTACK})
        event = next(changes)

    assert "<script>" not in event.html
    assert "&lt;script&gt;alert(1)" in event.html
    assert event.html.rstrip().endswith("</div>")


def test_many_viewers_share_one_watcher(site: Site, room: Room) -> None:
    """However many look at an incident, it is watched once, and no more when they are gone."""
    with ExitStack() as stack:
        streams = [stack.enter_context(site.follow()) for _ in range(5)]
        firsts = [next(changes).id for changes in streams]

        assert firsts == ["3"] * 5
        assert site.live.viewers == 5
        assert site.live.watched == [INCIDENT]
    assert site.wait(viewers=0)
    assert site.live.watched == []
    assert room.entries("started")


def test_server_stops_while_rooms_are_open(site: Site, room: Room) -> None:
    """Open rooms end with the server, which does not wait for their viewers to go."""
    with site.follow() as changes:
        next(changes)
        site.context.stopping.set()
        site.server.should_exit = True

        assert list(changes) == []
    assert room.entries("started")


def test_damaged_chain_is_said(site: Site, inside: Browser, room: Room, context: Context) -> None:
    """A chain that somebody changed is not shown: page, stream, list, picture and report say that it is damaged."""
    with site.follow(after=3) as changes:
        damage(context, "UPDATE entries SET actor = 'somebody' WHERE seq = 2")
        room.journal.append(INCIDENT, "note", "x", {"says": "later"})
        told = next(changes).html
    page = inside.send("GET", ROOM)

    assert "entry 2 (level) was changed" in told
    assert page.status_code == 200
    assert "entry 2 (level) was changed" in page.text
    assert "checkout" not in page.text
    assert "its record does not verify" in inside.send("GET", "/incidents").text
    for view in ("timeline.svg", "report.md"):
        answer = inside.send("GET", f"{ROOM}/{view}")
        assert answer.status_code == 503
        assert "does not verify" in answer.text


@pytest.mark.usefixtures("room")
def test_unknown_incident_has_no_stream(inside: Browser) -> None:
    """There is nothing to follow where there is no incident."""
    for name in ("INC-1", "PEOPLE", "%00", "%ff"):
        assert inside.send("GET", f"/incidents/{name}/live").status_code == 404


async def collect(live: Live, seen: int = 0) -> list[str]:
    """Follow a room to the stream's end."""
    with live.seat(INCIDENT) as follow:
        return [event async for event in follow(seen)]


def test_quiet_stream_gives_signs_of_life_and_ends(context: Context, room: Room) -> None:
    """A stream on which nothing happens beats, and ends after a while so that the next one is asked for anew."""
    live = Live(context, Pace(look=0.05, beat=0.1, lasts=0.5))
    told = asyncio.run(collect(live, seen=room.entries()[-1].seq))

    assert told[0].startswith("retry: 300\n\n: still here\n\nevent: beat\ndata: 20")
    assert 3 <= len(told) <= 7
    assert all("event: beat" in event for event in told)
    assert live.watched == []


def test_lost_journal_ends_the_stream(context: Context, room: Room) -> None:
    """When the journal cannot be read the stream ends: the page then says that it stands still."""

    async def lose() -> list[str]:
        following = asyncio.create_task(collect(Live(context, Pace(lasts=5))))
        await asyncio.sleep(0.4)
        await asyncio.to_thread(damage, context, "ALTER TABLE heads RENAME TO elsewhere")
        return await asyncio.wait_for(following, 3)

    assert len(asyncio.run(lose())) == 2
    with pytest.raises(JournalError):
        room.journal.head(INCIDENT)


@pytest.mark.usefixtures("room")
def test_one_viewer_too_many_is_told(context: Context) -> None:
    """Three hundred may watch; the next one gets a page that says so, and a place when somebody has gone."""

    async def crowd() -> tuple[list[dict[str, Any]], int]:
        live, sent = Live(context), list[dict[str, Any]]()
        seats: list[AbstractContextManager[Any]] = [live.seat(INCIDENT) for _ in range(VIEWERS)]

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        with ExitStack() as stack:
            for seat in seats:
                stack.enter_context(seat)
            await Stream(live, INCIDENT, 0)({"type": "http"}, receive, send)
            with pytest.raises(PageError):
                stack.enter_context(live.seat(INCIDENT))
        with live.seat(INCIDENT):
            return sent, live.viewers

    sent, viewers = asyncio.run(crowd())

    assert sent[0]["status"] == 503
    assert b"Too many people are watching" in sent[1]["body"]
    assert viewers == 1


@pytest.mark.usefixtures("room")
def test_viewer_who_takes_nothing_loses_the_seat(context: Context) -> None:
    """Somebody whose line is stuck is let go."""

    async def stuck() -> list[str]:
        live = Live(context, Pace(send=0.1))

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        await asyncio.wait_for(Stream(live, INCIDENT, 0)({"type": "http"}, receive, send), 3)
        return live.watched

    assert asyncio.run(stuck()) == []


def test_room_that_cannot_be_drawn_ends_its_stream(
    context: Context, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry that nobody foresaw ends the stream and is logged without its content."""
    room.journal.append(INCIDENT, "level", "responder", {"level": "no number"})

    assert len(asyncio.run(collect(Live(context)))) == 1
    assert "cannot be drawn: ValueError" in caplog.text
    assert "no number" not in caplog.text
