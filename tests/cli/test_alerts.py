"""`crisis alerts`: what came and what became of it, what a payload would start, and sending a stored one again."""

import asyncio
import getpass
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from crisis.domain.start import Start
from crisis.journal.inbox import STATES, Inbox, Settled
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.clerk import Clerk
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle
from crisis.settings import UP_FILE, Settings
from tests.cli.conftest import Crisis
from tests.receiver.conftest import damage
from tests.receiver.payloads import alert, delivery

NAME = "ab12cd34ef56" + "0" * 52


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """Save what Alertmanager sent."""
    file = tmp_path / "payload.json"
    file.write_bytes(delivery())
    return file


def test_payload_that_fits_says_what_it_would_start(crisis: Crisis, payload: Path) -> None:
    """Fields, route and start are named; no secret and no server is needed, and nothing is written."""
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager")

    assert (said.code, said.err) == (0, "")
    assert "label       journey = checkout" in said.out
    assert "starts      bad-deploy for shop at level 1" in said.out
    assert not crisis.home.exists()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (delivery(alert(severity="warning")), "nothing: no route of alertmanager fits the alert JourneyFailing"),
        (delivery(alert(service="pump")), "nothing: the alert JourneyFailing is about pump"),
        (delivery(alert("resolved")), "nothing: it is resolved"),
        (delivery(alerts=[]), "starts nothing: it holds no alert"),
    ],
)
def test_payload_that_starts_nothing_says_why(crisis: Crisis, payload: Path, raw: bytes, why: str) -> None:
    """It is readable all the same: exit code 0."""
    payload.write_bytes(raw)
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager")

    assert said.code == 0
    assert why in said.out


def test_words_of_a_payload_do_not_steer_the_terminal(crisis: Crisis, payload: Path) -> None:
    """Neither markup nor control characters come through."""
    payload.write_bytes(delivery(alert(journey="[red]x[/nothing]\x1b]0;owned\x07")))
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager")

    assert "[red]x[/nothing]" in said.out
    assert "\x1b" not in said.out


def test_headers_say_what_a_body_is(crisis: Crisis, tmp_path: Path) -> None:
    """A sender whose body alone does not say it gets its header from the command line."""
    project = (crisis.project / "protocol.yaml").read_text(encoding="utf-8")
    rule = "alerts:\n  github: {secret: ['env:GH'], routes: [{when: {alertname: DeploymentFailed}, start: bad-deploy"
    file, body = tmp_path / "protocol.yaml", tmp_path / "body.json"
    file.write_text(project.replace("alerts:", f"{rule}, service: shop}}]}}"), encoding="utf-8")
    status = {"state": "failure", "environment": "production", "created_at": "2026-11-24T12:00:00Z"}
    body.write_text(json.dumps({"deployment_status": status, "deployment": {"id": 1}}), encoding="utf-8")
    words = ("alerts", "test", str(body), "--sender", "github", "--header")

    wanted = crisis(*words, "X-GitHub-Event=deployment_status", CRISIS_PROTOCOL=str(file))
    other = crisis(*words, "X-GitHub-Event=ping", CRISIS_PROTOCOL=str(file))
    assert (wanted.code, other.code) == (0, 0)
    assert "starts      bad-deploy for shop" in wanted.out
    assert "note: the event ping is not one that starts anything" in other.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("README.md", "--sender", "alertmanager"),
            "README.md: wanted a delivery of alertmanager, saw the body is no JSON",
        ),
        (("none.json", "--sender", "alertmanager"), "none.json: wanted a readable payload, saw No such file"),
        (("README.md", "--sender", "nobody"), "sender 'nobody': wanted one of: alertmanager"),
        (("README.md", "--sender", "alertmanager", "--header", "x"), "--header: wanted NAME=VALUE"),
    ],
)
def test_what_cannot_be_read_is_one_line(crisis: Crisis, words: tuple[str, ...], line: str) -> None:
    """One line that says what is wrong, and exit code 2."""
    said = crisis("alerts", "test", *words)

    assert said.code == 2
    assert line in said.line


EXTRA = """
maintenance:
  - {service: shop, because: "the database moves\x1b", from: 2020-01-01, to: 2999-01-01}
intake:
  window: 20m
  causes: [{name: payment provider, when: {journey: checkout}}]
  flapping: {runs: 2, per: 2h}
  cool_down: {after: [roll_back_release], lasts: 7m}
  storm: {groups: 9, per: 30s, calm: 4m}
"""


def with_more(crisis: Crisis, tmp_path: Path, more: str) -> str:
    """Write a protocol that says more than the project's, or other things; return where it is."""
    yaml, file = YAML(typ="safe"), tmp_path / "more.yaml"
    data = yaml.load((crisis.project / "protocol.yaml").read_text(encoding="utf-8"))
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump({**data, **(yaml.load(more) or {})}, stream)
    return str(file)


@pytest.mark.parametrize(
    "line",
    [
        "  route       1 of 1 fits: alertname = JourneyFailing, severity = critical",
        "  held        now, and until 2999-01-01 00:00:00 UTC: the database moves\\u001b on shop; judged when",
        "  cause       payment provider: an open incident of this cause takes it in, whatever its service",
        "  joins       instead any open incident of shop that had a sign of life within 20 min",
        "in a storm (more than 9 groups of alerts within 30 s, until it is calm for 4 min)",
        "within 7 min after roll_back_release was done to shop",
        "after 2 starts of bad-deploy for shop within 2 h",
    ],
)
def test_payload_says_what_may_keep_it_from_starting(crisis: Crisis, payload: Path, tmp_path: Path, line: str) -> None:
    """Planned work, a cause, an open incident and each guard are named, with the numbers in force."""
    more = with_more(crisis, tmp_path, EXTRA.replace("\x1b", "\\x1b"))
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager", CRISIS_PROTOCOL=more)

    assert (said.code, said.err) == (0, "")
    assert line in said.out


def test_payload_of_a_playbook_that_stands_apart(crisis: Crisis, payload: Path, tmp_path: Path) -> None:
    """A playbook that joins no other's incident, and does not cool down, is said to be so."""
    more = with_more(crisis, tmp_path, "intake: {apart: [bad-deploy]}\n")
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager", CRISIS_PROTOCOL=more)

    assert "  apart       bad-deploy joins no incident of another playbook" in said.out
    assert "roll_back_release" not in said.out


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (
            "",
            (
                "  route       none of 1 fits",
                "1: bad-deploy wants severity = critical (it says info)",
                "  starts      nothing: no",
            ),
        ),
        (
            "intake: {otherwise: minor-bug}\n",
            ("  otherwise   minor-bug: `intake.otherwise` names it", "  starts      minor-bug for shop at level 3"),
        ),
    ],
)
def test_payload_that_no_route_fits(
    crisis: Crisis, payload: Path, tmp_path: Path, more: str, lines: tuple[str, ...]
) -> None:
    """Each route says what it wants; what `otherwise` names starts, and where it names nothing that is said."""
    payload.write_bytes(delivery(alert(severity="info")))
    file = with_more(crisis, tmp_path, more)
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager", CRISIS_PROTOCOL=file)

    assert said.code == 0
    assert [line for line in lines if line not in said.out] == []


@pytest.fixture
def store(crisis: Crisis) -> Iterator[Journal]:
    """Open the journal that the commands use."""
    crisis.home.mkdir()
    opened = Journal.open(f"sqlite:///{crisis.home / 'journal.db'}")
    yield opened
    opened.close()


@pytest.fixture
def inbox(store: Journal) -> Inbox:
    """Put one delivery of Alertmanager's into the inbox."""
    inbox = Inbox(store.database)
    inbox.put(NAME, "alertmanager", delivery(), {"x-kept": "yes"})
    return inbox


@pytest.fixture
def context(crisis: Crisis, store: Journal) -> Context:
    """Put together what judges deliveries."""
    protocol = load_protocol(crisis.project / "protocol.yaml")
    settings = Settings(home=crisis.home)
    return Context(store, Inbox(store.database), protocol, settings, lambda: None, "http://prefect.test")


@contextmanager
def at_work(context: Context) -> Iterator[list[Start]]:
    """Let a clerk work the inbox off, as in `crisis up`; gives what it has started."""
    started = list[Start]()
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def start(wish: Start) -> str:
        started.append(wish)
        return "run"

    async def work() -> None:
        task = asyncio.create_task(Clerk(context, start).work(asyncio.Event()))
        over = asyncio.Event()
        loop.over = over  # type: ignore[attr-defined]
        ready.set()
        await over.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    (context.settings.home / UP_FILE).write_text("{}", encoding="utf-8")
    thread = threading.Thread(target=loop.run_until_complete, args=(work(),))
    thread.start()
    ready.wait()
    try:
        yield started
    finally:
        loop.call_soon_threadsafe(loop.over.set)  # type: ignore[attr-defined]
        thread.join()
        loop.close()


def test_list_says_why(crisis: Crisis, inbox: Inbox) -> None:
    """A line each, the newest first, with a short name, and no words of a sender's that steer the terminal."""
    inbox.put("second" + "0" * 58, "alertmanager", b"{}")
    inbox.settle_all([Settled(NAME, "ignored", "no route fits the alert [red]x[/nothing]\x1b]0;owned\x07")])
    said = crisis("alerts", "list")

    assert (said.code, said.err) == (0, "")
    heading, first, second = said.out.splitlines()
    assert heading.split() == ["delivery", "received,", "UTC", "sender", "state", "why"]
    assert first.split()[0] == "second000000"
    assert "nobody has looked at it yet" in first
    assert second.split()[0] == "ab12cd34ef56"
    assert "no route fits the alert [red]x[/nothing]" in second
    assert "\x1b" not in said.out


def test_list_can_be_narrowed(crisis: Crisis, inbox: Inbox) -> None:
    """By state, by sender, and by how many."""
    for number, state in enumerate(STATES):
        inbox.put(f"{number}-{state}", "datadog", b"{}")
        inbox.settle_all([Settled(f"{number}-{state}", state, "so it is")])

    assert "3-started" in crisis("alerts", "list", "--state", "started").out
    assert "4-joined" not in crisis("alerts", "list", "--state", "started").out
    assert "ab12cd34ef56" not in crisis("alerts", "list", "--sender", "datadog").out
    assert len(crisis("alerts", "list", "--limit", "2").out.splitlines()) == 3
    assert crisis("alerts", "list", "--sender", "nobody").out == "nothing fits\n"
    wrong = crisis("alerts", "list", "--state", "odd")
    assert (wrong.code, "wanted one of: new, held" in wrong.line) == (2, True)


def test_list_of_an_empty_inbox(crisis: Crisis) -> None:
    """It says that it is empty."""
    assert crisis("alerts", "list").out == "the inbox is empty\n"


@pytest.mark.usefixtures("inbox")
def test_damage_is_one_line(crisis: Crisis, context: Context) -> None:
    """A damaged row is listed as that, and is not replayed."""
    damage(context, "UPDATE inbox SET raw = 'text', received = 'yesterday'")
    listed, replayed = crisis("alerts", "list"), crisis("alerts", "replay", "ab12cd34")

    assert listed.code == 0
    assert "damaged" in listed.out
    assert replayed.code == 8
    assert "nothing was replayed" in replayed.line


def test_replay_without_a_responder_waits_in_the_inbox(crisis: Crisis, inbox: Inbox, store: Journal) -> None:
    """The copy is kept under a name of its own, and the record says who made it; exit code 3."""
    said = crisis("alerts", "replay", NAME[:8])

    assert said.code == 3
    assert "saw none in" in said.line
    assert "it waits in the inbox" in said.line
    copy = next(one for one in inbox.latest() if one.delivery != NAME)
    assert (copy.sender, copy.raw, copy.state) == ("alertmanager", delivery(), "new")
    assert copy.headers["x-kept"] == "yes"
    (note,) = store.entries("INBOX")
    assert note.body["says"].startswith(f"{getpass.getuser()} replayed delivery ab12cd34ef56 of alertmanager")
    assert (note.body["delivery"], note.body["replays"]) == (copy.delivery, NAME)
    assert list(store.verify_all()) == []


def test_replay_that_nobody_takes_in_time(crisis: Crisis, inbox: Inbox) -> None:
    """A `crisis up` that is stuck, or was killed, is waited for as long as is said, and no longer."""
    (crisis.home / UP_FILE).write_text("{}", encoding="utf-8")
    said = crisis("alerts", "replay", NAME[:6], "--wait", "300ms")

    assert said.code == 3
    assert "saw it still new after 300 ms" in said.line
    assert inbox.count()["new"] == 2


def test_replay_of_what_started_nothing_starts(crisis: Crisis, inbox: Inbox, context: Context) -> None:
    """What was ignored for want of a route is judged by the protocol of now; it says what was started."""
    inbox.settle_all([Settled(NAME, "ignored", "no route fits")])
    with at_work(context) as started:
        said = crisis("alerts", "replay", NAME)

    assert (said.code, said.err) == (0, "")
    assert [one.playbook for one in started] == ["bad-deploy"]
    assert said.out.splitlines()[-1] == f"started: bad-deploy for {started[0].incident}"


@pytest.mark.usefixtures("inbox")
def test_replay_starts_nothing_twice(crisis: Crisis, context: Context) -> None:
    """What an earlier delivery started is not started by its copy, nor by a second copy."""
    with at_work(context) as started:
        first = crisis("alerts", "replay", NAME)
        second = crisis("alerts", "replay", NAME)

    assert (first.code, second.code) == (0, 0)
    assert len(started) == 1
    assert f"joined: belongs to {started[0].incident}" in second.out
    assert len([name for name in context.journal.incidents() if name.startswith("INC-")]) == 1


@pytest.mark.usefixtures("store")
def test_replay_of_an_alert_that_says_no_time_starts_nothing_twice(crisis: Crisis, context: Context) -> None:
    """A copy of what has long been dealt with is old news, also where the sender does not say when it began."""
    one = {name: value for name, value in alert().items() if name != "startsAt"}
    context.inbox.put(NAME, "alertmanager", delivery(one))
    (start,) = handle(context, context.inbox.new()[0])
    ended = {"run": "r", "playbook": "bad-deploy", "outcome": "recovered", "says": ""}
    context.journal.append(start.incident, "started", "responder", {"run": "r", "playbook": "bad-deploy", "start": 1})
    context.journal.append(start.incident, "ended", "responder", ended)
    with at_work(replace(context)) as started:
        said = crisis("alerts", "replay", NAME)

    assert said.code == 0
    assert [one.incident for one in started if one.incident != start.incident] == []
    assert f"{start.incident}, which took this alert in, is over" in said.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("ab12c",), "delivery 'ab12c': wanted 6 signs of its name or more, saw 5; see `crisis alerts list`"),
        (("ab12cd34",), "delivery 'ab12cd34': wanted one delivery of the inbox, saw several"),
        (("99999999",), "delivery '99999999': wanted one delivery of the inbox, saw none of that name"),
        (("%%%%%%%%",), "saw none of that name"),
        (("ab12cd34ef56", "--wait", "soon"), "--wait: wanted a duration, for example 30s"),
    ],
)
def test_replay_of_what_is_not_one_delivery(crisis: Crisis, inbox: Inbox, words: tuple[str, ...], line: str) -> None:
    """One line that says what is wrong, exit code 2, and nothing is put in."""
    inbox.put("ab12cd34" + "9" * 56, "alertmanager", b"{}")
    said = crisis("alerts", "replay", *words)

    assert said.code == 2
    assert line in said.line
    assert inbox.count()["new"] == 2
