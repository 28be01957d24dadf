"""Deciding on Slack: who signed, who clicked, and the same vote as by any other way; against the sandbox's Slack."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from crisis.clients.slack import Ticket, message
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.person import PEOPLE
from crisis.domain.plan import Plan
from crisis.receiver.context import Context
from crisis.receiver.signatures import signed_by_slack
from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors import slack as workspace
from tests.clients.servers import Served
from tests.domain.story import INCIDENT, RUN, a_plan
from tests.receiver.conftest import Browser, Room, code_of

SIGNING, BEFORE = "a-signing-secret-of-slack", "the-signing-secret-before"
TEAM, ADA, BEN, CLEO = "T0SANDBOX", "U0SANDADA", "U0SANDBEN", "U0SANDCLEO"
STRANGER = "U0STRANGER"


@dataclass
class Side:
    """Slack's side of the wire: it signs what people do, and remembers what it was told."""

    browser: Browser
    memory: Memory
    gate: Gate
    channels: dict[str, str] = field(default_factory=dict)

    def post(
        self,
        payload: Any,
        *,
        secret: str = SIGNING,
        age: float = 0,
        at: float = 0,
        body: bytes | None = None,
        **headers: Any,
    ) -> httpx.Response:
        """Post a payload as Slack does; `body` is sent in place of what was signed."""
        signed = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int((at or time.time()) - age))
        mark = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + signed, hashlib.sha256).hexdigest()
        sent = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mark}", **headers}
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        return self.browser.send("POST", "/slack/actions", content=signed if body is None else body, headers=sent)

    def click(self, member: str = ADA, answer: str = "revert", **more: Any) -> dict[str, Any]:
        """Return the payload of a click."""
        trigger = f"1.2.{len(self.memory.slack.triggers)}a{time.time_ns()}"
        self.memory.slack.triggers[trigger] = {"member": member, "at": time.time(), "used": False}
        return {
            "type": "block_actions",
            "user": {"id": member},
            "team": {"id": TEAM},
            "trigger_id": trigger,
            "container": {"type": "message", "channel_id": "D0AD", "message_ts": "1.2"},
            "actions": [{"value": Ticket.of(self.gate, answer).write()}],
            **more,
        }

    def submission(
        self, who: str = "ada", answer: str = "revert", code: str | None = None, reason: str = "", **more: Any
    ) -> dict[str, Any]:
        """Return the payload of a dialogue that was sent."""
        typed = {"code": code_of(who) if code is None else code, "reason": reason}
        values = {name: {name: {"value": value}} for name, value in typed.items()}
        view = {"private_metadata": Ticket.of(self.gate, answer).write(), "state": {"values": values}}
        member = f"U0SAND{who.upper()}"
        sent = {"type": "view_submission", "user": {"id": member}, "team": {"id": TEAM}, "view": view}
        return {**sent, "trigger_id": f"1.2.{time.time_ns()}", **more}

    def whispers(self) -> list[str]:
        """Return what members were told for their eyes only."""
        return [one["text"] for one in self.memory.slack.whispers]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """Serve the sandbox's Slack, with everybody's conversation open."""
    memory, keys = Memory(), Keys()
    memory.slack.channels.update({ADA: "D0AD", BEN: "D0BE", CLEO: "D0CL"})
    with Served(Starlette(routes=[workspace.mount(memory, keys)])) as url:
        monkeypatch.setenv("CRISIS_SANDBOX_SLACK_URL", f"{url}/slack")
        monkeypatch.setenv("CRISIS_SANDBOX_SLACK_TOKEN", keys.slack)
        monkeypatch.setenv("CRISIS_SANDBOX_SLACK_SIGNING_SECRET", SIGNING)
        yield memory


@pytest.fixture
def side(browser: Browser, room: Room, memory: Memory) -> Side:
    """Ask ada and ben for a plan."""
    room.ask()
    return Side(browser, memory, gate_of(room))


def gate_of(room: Room) -> Gate:
    """Return the question as it stands."""
    return fold_gates(room.journal.entries(INCIDENT))[RUN, "revert"]


def says(answer: httpx.Response) -> str:
    """Return what the dialogue shows: what is wrong, or what became of the answer."""
    body = answer.json()
    if body["response_action"] == "errors":
        return str(body["errors"]["code"])
    return str(body["view"]["blocks"][0]["text"]["text"])


def test_the_published_example_is_accepted() -> None:
    """Slack's own example of a signature fits, and with one byte changed it does not."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    mark = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    secrets, now = [b"8f742231b10e8888abcd99yyyzzz85a5"], datetime.fromtimestamp(1531420618, UTC)

    assert signed_by_slack(secrets, "1531420618", body, mark, now)
    assert signed_by_slack([b"another", *secrets], "1531420618", body, mark, now)
    assert not signed_by_slack(secrets, "1531420618", body + b"x", mark, now)
    assert not signed_by_slack(secrets, "1531420619", body, mark, now)
    assert not signed_by_slack(secrets, "١٥٣١٤٢٠٦١٨", body, mark, now)
    assert not signed_by_slack([], "1531420618", body, mark, now)


def test_a_click_opens_the_dialogue_and_decides_nothing(side: Side, room: Room) -> None:
    """The dialogue asks for code and reason; until it is sent nothing is on record in the incident."""
    before = room.entries()
    answer = side.post(side.click())

    assert (answer.status_code, answer.content) == (200, b"")
    assert [block["block_id"] for block in side.memory.slack.views[ADA]["blocks"][1:]] == ["code", "reason"]
    assert room.entries() == before


def test_the_code_decides(side: Side, room: Room) -> None:
    """Sent with a good code, the dialogue is the same vote as on the page, and it shows the outcome."""
    answer = side.post(side.submission(reason="the safe way"))

    assert says(answer) == "Decided, approved: revert, by Ada Okafor."
    [vote] = room.entries("voted")
    assert (vote.actor, vote.body["how"], vote.body["reason"]) == ("ada", "Slack", "the safe way")
    assert [entry.body["outcome"] for entry in room.entries("decided")] == ["approved"]


def test_where_two_are_needed_one_is_told_so(browser: Browser, room: Room, memory: Memory) -> None:
    """The first yes is recorded, the second decides."""
    room.ask(needed=2)
    side = Side(browser, memory, gate_of(room))

    assert says(side.post(side.submission("ada"))) == "Recorded: revert. More people must agree."
    assert says(side.post(side.submission("ben"))).startswith("Decided, approved: revert")


@pytest.mark.parametrize(("answer", "outcome"), [("no", "declined"), ("change", "change asked")])
def test_every_answer_has_its_button(side: Side, room: Room, answer: str, outcome: str) -> None:
    """A no and a wish for a change go the same way."""
    side.post(side.submission(answer=answer, reason="use the older release"))

    assert [entry.body["outcome"] for entry in room.entries("decided")] == [outcome]


def test_a_change_needs_words(side: Side) -> None:
    """Without saying what should be different, the dialogue stays open and the code is not spent."""
    sent = side.submission(answer="change")

    assert says(side.post(sent)) == "say in the reason what should be different"
    assert says(side.post(side.submission(answer="change", reason="smaller"))).startswith("Decided, change asked")


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another-secret"},
        {"age": 360},
        {"age": -360},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=é"},
        {"X-Slack-Request-Timestamp": "soon"},
        {"X-Slack-Request-Timestamp": "9" * 40},
        {"body": b""},
        {"body": b"payload=%7B%7D"},
    ],
)
def test_what_slack_did_not_sign_now_is_refused(side: Side, room: Room, wrong: dict[str, Any]) -> None:
    """Another secret, another time, another body: 401, nothing is read and nothing is recorded."""
    headers = {name: value.encode() if name.startswith("X-") else value for name, value in wrong.items()}
    answer = side.post(side.submission(), **headers)

    assert answer.status_code == 401
    assert room.entries("voted") == room.entries("vote refused") == []
    assert room.journal.entries(PEOPLE) == []


def test_one_changed_byte_is_refused(side: Side, room: Room) -> None:
    """The signature covers every byte of the body."""
    payload = side.submission()
    changed = urlencode({"payload": json.dumps(payload)}).encode().replace(b"ADA", b"BEN")

    assert side.post(payload, body=changed).status_code == 401
    assert side.post(payload).status_code == 200
    assert len(room.entries("voted")) == 1


def test_five_minutes_is_recent(side: Side) -> None:
    """A request that took its time still counts."""
    assert side.post(side.submission(), age=290).status_code == 200


def test_both_secrets_count_while_one_is_rotated(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before counts when protocol.yaml names it, and not otherwise."""
    assert side.post(side.click(), secret=BEFORE).status_code == 401
    monkeypatch.setenv("SLACK_BEFORE", BEFORE)
    place = side.browser.context.protocol.slack
    assert place is not None
    place = place.model_copy(update={"signing_secret_before": "env:SLACK_BEFORE"})
    protocol = side.browser.context.protocol.model_copy(update={"slack": place})
    side.browser.context = replace(side.browser.context, protocol=protocol)

    assert side.post(side.click(), secret=BEFORE).status_code == 200
    assert side.post(side.click()).status_code == 200


def test_no_secret_accepts_nobody(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the secret is missing, an empty key opens nothing."""
    monkeypatch.delenv("CRISIS_SANDBOX_SLACK_SIGNING_SECRET")

    assert side.post(side.submission(), secret="").status_code == 401


def test_a_request_counts_once(side: Side, room: Room) -> None:
    """Sent again as it was, to this or another process, it is refused; the second vote needs a new one."""
    payload, now = side.submission(code="000000"), time.time()
    first, again = side.post(payload, at=now), side.post(payload, at=now)

    assert (first.status_code, again.status_code) == (200, 409)
    assert len(room.entries("vote refused")) == 1


def test_without_slack_there_is_no_such_page(side: Side) -> None:
    """A protocol that names no Slack takes nothing from it."""
    protocol = side.browser.context.protocol.model_copy(update={"slack": None})
    side.browser.context = replace(side.browser.context, protocol=protocol)

    assert side.post(side.click()).status_code == 404


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ({"user": {"id": STRANGER}}, "You are not one of those who decide here."),
        ({"user": {"id": ADA, "is_bot": True}}, "You are not one of those who decide here."),
        ({"bot_id": "B0OTHER"}, "You are not one of those who decide here."),
        ({"team": {"id": "T0OTHER"}}, "Answers count from our own workspace alone."),
        ({"team": None}, "Answers count from our own workspace alone."),
    ],
)
def test_who_is_not_one_of_ours_is_told_so(side: Side, room: Room, who: dict[str, Any], words: str) -> None:
    """A stranger, a bot and another workspace open nothing by a click, and decide nothing by a good code."""
    assert side.post({**side.click(), **who}).status_code == 200
    assert side.whispers() == [words]
    assert says(side.post({**side.submission(), **who})) == words
    assert side.memory.slack.views == {}
    assert room.entries("voted") == []


def test_somebody_who_is_not_asked_cannot_answer(side: Side, room: Room) -> None:
    """Cleo has an account and a good code, and this question is not hers."""
    assert says(side.post(side.submission("cleo"))) == "'cleo' is not asked; asked are: ada, ben"
    assert [entry.actor for entry in room.entries("vote refused")] == ["Slack"]


def test_who_started_the_run_cannot_approve_it(browser: Browser, room: Room, memory: Memory) -> None:
    """Her Slack account is the same human as her name in the record; her deputy can."""
    room.ask(requester="ada")
    side = Side(browser, memory, gate_of(room))

    assert says(side.post(side.submission("ada"))) == "who started the run cannot approve it"
    assert says(side.post(side.submission("ben"))).startswith("Decided")


def test_a_button_of_an_old_plan_leads_nowhere(side: Side, room: Room) -> None:
    """After the plan has changed, the old button says so, and the old dialogue is refused and recorded."""
    click, sent = side.click(), side.submission()
    room.ask(a_plan("Take releases 4f2c and 91be back?"))

    assert side.post(click).status_code == 200
    assert side.whispers()[0].startswith("The plan has changed since this message: http://receiver.test/decide/")
    assert says(side.post(sent)) == "the plan has changed since you opened it; read it again"
    assert (room.entries("voted"), len(room.entries("vote refused"))) == ([], 1)


def test_a_ticket_that_was_made_up_has_no_authority(side: Side, room: Room) -> None:
    """Whatever a button says, the question is looked up, and the code is asked for."""
    for ticket in (
        Ticket("INC-none", RUN, "revert", 1, "", "revert"),
        Ticket("PEOPLE", RUN, "revert", 1, "", "revert"),
        replace(Ticket.of(side.gate, "revert"), plan="0" * 12),
        replace(Ticket.of(side.gate, "revert"), answer="destroy"),
    ):
        payload = side.submission(code="123456")
        payload["view"]["private_metadata"] = ticket.write()
        side.post(payload)
        side.post({**side.click(), "actions": [{"value": ticket.write()}]})

    assert (room.entries("voted"), side.memory.slack.views) == ([], {})


def test_a_decided_question_is_closed(side: Side) -> None:
    """A click after the decision tells how it was decided; the dialogue that was open says the same."""
    side.post(side.submission())
    side.post(side.click(BEN))

    assert side.whispers()[0].startswith("Decided, approved: revert, by Ada Okafor. http://receiver.test/decide/")
    assert says(side.post(side.submission("ben"))) == "this was decided already: approved"


def test_a_question_that_has_run_out_is_closed(browser: Browser, room: Room, memory: Memory) -> None:
    """After the deadline a click opens nothing."""
    room.ask(wait=-1)
    side = Side(browser, memory, gate_of(room))
    side.post(side.click())

    assert side.whispers()[0].startswith("The time to answer is over")
    assert side.memory.slack.views == {}


def test_a_code_is_good_once_whatever_the_way(side: Side, room: Room) -> None:
    """Ada's code that decided nothing here cannot be used on the page by who saw it, nor the other way round."""
    code = code_of("ada")
    room.ask(needed=2)
    side.gate = gate_of(room)
    side.post(side.submission(code=code))
    page = side.browser.answer(f"/decide/{INCIDENT}/{RUN}/revert", person="ada", answer="roll-back", code=code)

    assert "used already" in page.text
    assert [entry.body["answer"] for entry in room.entries("voted")] == ["revert"]


def test_five_wrong_codes_lock(side: Side, room: Room) -> None:
    """Guessing by Slack locks as everywhere, and the right code comes too late."""
    for _ in range(5):
        assert says(side.post(side.submission(code="000000"))).startswith("wrong or outdated code")

    assert says(side.post(side.submission())).startswith("locked after 5 wrong codes")
    assert room.entries("voted") == []


def test_a_code_may_have_a_gap(side: Side) -> None:
    """Authenticators show two groups of three."""
    code = code_of("ada")

    assert says(side.post(side.submission(code=f" {code[:3]} {code[3:]} "))).startswith("Decided")


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "text",
        {"type": "view_submission"},
        {"type": "shortcut"},
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "user": {"id": "ada"}, "actions": [{"value": "[]"}]},
        {"type": "view_submission", "user": {"id": ADA}, "view": {"state": {"values": {}}}},
    ],
)
def test_a_signed_request_that_makes_no_sense_is_400(side: Side, payload: Any) -> None:
    """Whatever shape it has, it is refused as a bad request."""
    assert side.post(payload).status_code == 400


def test_hostile_text_is_400_or_harmless(side: Side, room: Room) -> None:
    """Lone surrogates, NUL and depth end in no error of ours."""
    deep = b"payload=" + b"%5B" * 20000
    stamp = str(int(time.time()))
    mark = hmac.new(SIGNING.encode(), b"v0:" + stamp.encode() + b":" + deep, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mark}"}
    answers = [side.browser.send("POST", "/slack/actions", content=deep, headers=headers).status_code]
    strange = (replace(Ticket.of(side.gate, "revert"), incident="INC-\ud800"), Ticket.of(side.gate, "\ud800"))
    clicks = [{**side.click(), "actions": [{"value": ticket.write()}]} for ticket in strange]
    answers += [side.post(click).status_code for click in clicks]
    answers.append(side.post({**side.click(), "trigger_id": "\ud800"}).status_code)
    answers.append(side.post(side.submission(reason="\ud800\x00<script>alert(1)</script>")).status_code)

    assert answers == [400, 200, 200, 400, 200]
    [vote] = room.entries("voted")
    assert vote.body["reason"] == "?\N{REPLACEMENT CHARACTER}<script>alert(1)</script>"
    page = side.browser.send("GET", f"/decide/{INCIDENT}/{RUN}/revert")
    assert "<script>alert" not in page.text


def test_a_long_body_is_not_read(side: Side) -> None:
    """A megabyte is refused before its signature is looked at."""
    assert side.post({}, body=b"x" * 1_000_000).status_code == 413


def test_only_posts_are_taken(browser: Browser) -> None:
    """A link to the address does nothing."""
    assert browser.send("GET", "/slack/actions").status_code == 405


def test_a_dialogue_that_does_not_open_is_explained(side: Side) -> None:
    """When Slack refuses the dialogue, the member is told where else to decide."""
    click = side.click()
    side.memory.slack.triggers.clear()
    side.post(click)

    assert side.whispers()[0].startswith("The dialogue could not be opened. Click again, or decide here: http://")


def test_slack_away_costs_no_vote(side: Side, room: Room) -> None:
    """Slack hands on an answer while its API is down: the vote counts, the old message stays as it is."""
    side.memory.faults["slack"] = {"error": "fatal_error"}

    assert says(side.post(side.submission())).startswith("Decided")
    assert len(room.entries("decided")) == 1


def test_slack_is_answered_in_time(side: Side) -> None:
    """Slack waits three seconds for us, however slow it is itself."""
    side.memory.faults["vendor_delay"] = 3
    answer = side.post(side.click())

    assert answer.status_code == 200
    assert answer.elapsed < timedelta(seconds=3)


@dataclass
class Patient(Browser):
    """A browser whose server goes on after it has answered, as ours does."""

    def send(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """Send one request, and return its answer once everything that was begun is done."""

        async def until_done() -> httpx.Response:
            answer = await self._send(method, path, **parts)
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
            return answer

        return asyncio.run(until_done())


def test_a_late_answer_takes_the_buttons_too(side: Side, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Slack was told to look at the page, the vote still counts, and everybody's message says how it ended."""
    monkeypatch.setattr("crisis.receiver.slack.PATIENCE", 0)
    marker = f"[{INCIDENT} decide revert {side.gate.asked_as}]"
    content = message(marker, side.gate, "http://page")
    side.memory.slack.messages.append({"channel": "D0BE", "ts": "1.1", "bot_id": "B0SANDBOX", **content})
    side.browser = Patient(side.browser.context)
    side.post(side.click(BEN))
    assert BEN in side.memory.slack.views

    assert "may still be recorded" in says(side.post(side.submission()))
    assert len(room.entries("decided")) == 1
    assert "Decided, approved: revert" in side.memory.slack.messages[0]["text"]


def test_a_late_answer_that_fails_is_logged_without_its_text(
    side: Side, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What went wrong has a name in the log; what was typed has none."""

    def broken(*_: object) -> None:
        raise LookupError("918273")

    monkeypatch.setattr("crisis.receiver.slack.PATIENCE", 0)
    monkeypatch.setattr("crisis.receiver.slack.cast_in_words", broken)
    side.browser = Patient(side.browser.context)
    side.post(side.submission())

    assert "a late answer failed: LookupError" in caplog.text
    assert "918273" not in caplog.text


def test_the_message_loses_its_buttons(side: Side) -> None:
    """Once it is decided, everybody's message says how, and can no longer be clicked."""
    marker = f"[{INCIDENT} decide revert {side.gate.asked_as}]"
    for channel in ("D0AD", "D0BE"):
        content = message(marker, side.gate, "http://page")
        side.memory.slack.messages.append({"channel": channel, "ts": channel, "bot_id": "B0SANDBOX", **content})
    side.post(side.submission())

    texts = [one["text"] for one in side.memory.slack.messages]
    assert all("Decided, approved: revert, by Ada Okafor." in text for text in texts)
    assert {block["type"] for one in side.memory.slack.messages for block in one["blocks"]} == {"section"}


def test_neither_code_nor_secret_is_kept(
    side: Side, room: Room, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """Codes, right, wrong or typed into the reason, and secrets are in no log, no entry and no answer."""
    caplog.set_level(logging.DEBUG)
    code = code_of("ada")
    answers = [
        side.post(side.submission(code="918273", reason=f"my code is {code}")),
        side.post(side.submission(code=code, reason=f"{code[:3]} {code[3:]}, or {code}")),
    ]
    side.memory.faults["slack"] = {"error": "invalid_auth"}
    answers.append(side.post(side.click(BEN)))
    kept = str([*room.entries(), *context.journal.entries(PEOPLE)]) + caplog.text
    kept += "".join(answer.text for answer in answers)

    assert [secret for secret in ("918273", SIGNING, f"{code[:3]} {code[3:]}") if secret in kept] == []
    assert f" {code}" not in kept
    assert f"'{code}'" not in kept


def test_a_plan_with_markup_calls_nobody() -> None:
    """What others wrote into a plan is shown as they wrote it: no link, no call to the whole workspace."""
    plan: Plan = a_plan("Take <!channel> back & <http://evil|click> now?" + "x" * 300)
    gate = Gate(INCIDENT, RUN, "revert", plan, datetime.now(UTC), datetime.now(UTC), 1, ["ada"], "stop", "", 17)
    blocks = message("[marker]", gate, "http://receiver.test/decide")["blocks"]
    shown = json.dumps([block for block in blocks if block["type"] == "section"])

    assert "<!channel>" not in shown
    assert "<http://evil" not in shown
    assert len(blocks[0]["text"]["text"]) <= 150
