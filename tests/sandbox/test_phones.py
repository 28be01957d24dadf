"""People who answer by their phones: real signatures, a real receiver, and a Slack that refuses as real ones do."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from crisis.clients import slack, twilio
from crisis.clients.twilio import CallTicket
from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.protocol import Protocol
from crisis.domain.protocol import Slack as Place
from crisis.errors import RefusedError
from crisis.journal.inbox import Inbox
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.app import create_app
from crisis.receiver.context import Context
from crisis.sandbox.world import World
from crisis.settings import Settings
from tests.clients.servers import Served
from tests.domain.story import INCIDENT, RUN, a_plan

ADA, BEN = "+15005550101", "+15005550102"


class Office:
    """A receiver beside a world, and one question to ada and ben."""

    def __init__(self, world: World, context: Context) -> None:
        self.world, self.context = world, context
        plan = a_plan()
        body: dict[str, Any] = {"run": RUN, "gate": plan.gate, "plan": plan.model_dump(mode="json"), "hash": plan.hash}
        body |= {"people": ["ada", "ben"], "needed": 2, "silence": "stop"}
        body |= {"deadline": write_time(utc_now() + timedelta(minutes=9))}
        context.journal.append(INCIDENT, "started", "responder", {"run": RUN, "playbook": "bad-deploy", "start": 1})
        context.journal.append(INCIDENT, "asked", "responder", body)

    @property
    def gate(self) -> Gate:
        """The question as it stands."""
        return fold_gates(self.context.journal.entries(INCIDENT))[RUN, "revert"]

    @property
    def place(self) -> Place:
        """The Slack of the protocol."""
        assert self.context.protocol.slack is not None
        return self.context.protocol.slack

    def ways(self) -> list[tuple[str, str]]:
        """Return who voted by which way."""
        return [(vote.who, vote.how) for vote in self.gate.votes]


@pytest.fixture
def protocol(shared: World, project: Path, monkeypatch: pytest.MonkeyPatch) -> Protocol:
    """Read the sandbox's protocol, with every reference of the world in place."""
    for name, value in shared.env.items():
        monkeypatch.setenv(name, value)
    return load_protocol(project / "protocol.yaml")


@pytest.fixture
def office(shared: World, protocol: Protocol, tmp_path: Path) -> Iterator[Office]:
    """Serve a receiver, and tell Slack and Twilio where it is."""
    journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    inbox = Inbox(journal.database)
    settings: list[Settings] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # The address is known once the port is: it is what Twilio signs for.
        context = Context(journal, inbox, protocol, settings[0], lambda: None, "")
        await create_app(context)(scope, receive, send)

    with Served(app) as url:
        settings.append(Settings(home=tmp_path, public_url=url))
        shared.hooks(slack=f"{url}/slack/actions", sms=f"{url}/twilio/sms")
        yield Office(shared, Context(journal, inbox, protocol, settings[0], lambda: None, ""))
    shared.fault("slack", False)
    journal.close()


def test_two_people_decide_by_slack_and_by_sms(office: Office) -> None:
    """Ada clicks and types her code in the dialogue, Ben replies by SMS: together they decide."""
    marker = f"[{INCIDENT} decide revert {office.gate.asked_as}]"
    with slack.connect(office.place) as app:
        conversation = app.conversation("U0SANDADA")
        app.post(conversation, slack.message(marker, office.gate, "http://page"))
        assert app.find(conversation, marker) is not None
    view = office.world.click("ada", "revert")
    wrong = office.world.submit("ada", "000000")
    right = office.world.submit("ada", office.world.one_time_code("ada"), "the safe way")
    reply = office.world.text(BEN, f"Q{office.gate.asked_as} revert {office.world.one_time_code('ben')}")

    assert view["title"]["text"] == "Decide"
    assert wrong["errors"]["code"].startswith("wrong or outdated code")
    assert "More people must agree" in right["view"]["blocks"][0]["text"]["text"]
    assert reply == "Decided, approved: revert, by Ada Okafor and Ben Lindqvist."
    assert office.ways() == [("ada", "Slack"), ("ben", "SMS")]
    office.world.wait_until(lambda state: "Decided, approved" in state["slack"]["messages"][-1]["text"])


def test_a_call_is_picked_up_and_answered(office: Office) -> None:
    """Twilio is told where the call goes on; who picks up hears the question and presses keys."""
    ticket = CallTicket("ada", INCIDENT, RUN, "revert", office.gate.asked_as)
    settings = office.context.settings
    with twilio.connect(office.context.protocol.messages) as client:
        client.ask_by_call(ADA, ticket.address(f"{settings.address}/twilio/voice", settings.signing_key()))
    heard = office.world.pick_up(ADA)
    wrong = office.world.press(ADA, "1000000")
    right = office.world.press(ADA, f"1{office.world.one_time_code('ada')}")

    assert "press 1 to say revert" in heard
    assert wrong.startswith("That was not counted: wrong or outdated code")
    assert right == "Recorded: revert. More people must agree. Goodbye."
    assert office.ways() == [("ada", "phone")]


def test_phones_do_only_what_can_be_done(office: Office) -> None:
    """Nobody presses keys in no call, clicks no button, and sends no dialogue that is not open."""
    for act in (
        lambda: office.world.pick_up("+15005550199"),
        lambda: office.world.press("+15005550199", "1"),
        lambda: office.world.click("dan", "revert"),
        lambda: office.world.submit("dan", "123456"),
    ):
        with pytest.raises(RefusedError):
            act()


def test_strangers_have_no_answer(office: Office) -> None:
    """Somebody writes to the company's number by mistake."""
    assert office.world.text("+15005550199", "hello?") == ""


@pytest.fixture
def api(shared: World, connect: Callable[..., httpx.Client]) -> httpx.Client:
    """Slack's API."""
    return connect(shared.env["CRISIS_SANDBOX_SLACK_URL"], shared.env["CRISIS_SANDBOX_SLACK_TOKEN"])


def test_slack_says_no_with_a_status_of_200(api: httpx.Client, shared: World) -> None:
    """No token, a wrong one, and every misuse have Slack's own word for it."""
    url = shared.env["CRISIS_SANDBOX_SLACK_URL"]
    answers = [httpx.post(f"{url}/auth.test"), httpx.post(f"{url}/auth.test", headers={"Authorization": "Bearer x"})]
    channel = api.post("/conversations.open", json={"users": "U0SANDDAN"}).json()["channel"]["id"]
    long_header = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    answers += [
        api.post("/conversations.open", json={"users": "U0NOBODY"}),
        api.post("/chat.postMessage", json={"channel": "D0NONE", "text": "x"}),
        api.post("/chat.postMessage", json={"channel": channel}),
        api.post("/chat.postMessage", json={"channel": channel, "blocks": long_header}),
        api.post("/chat.update", json={"channel": channel, "ts": "1", "text": "x"}),
        api.post("/views.open", json={"trigger_id": "1.2.x", "view": {}}),
        api.post("/chat.delete", json={}),
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["error"] for answer in answers] == [
        "not_authed", "invalid_auth", "user_not_found", "channel_not_found", "no_text", "invalid_blocks",
        "message_not_found", "invalid_trigger_id", "unknown_method",
    ]  # fmt: skip


def test_slack_can_be_broken(api: httpx.Client, shared: World) -> None:
    """The switch makes it limit, refuse, or lack a scope, as often as asked."""
    shared.fault("slack", {"error": "ratelimited", "times": 1})
    limited, well = api.post("/auth.test"), api.post("/auth.test")
    shared.fault("slack", {"error": "invalid_auth"})
    refused = [api.post("/auth.test").json()["error"] for _ in range(2)]
    shared.fault("slack", {"scopes": "chat:write"})
    lacking = api.post("/conversations.open", json={"users": "U0SANDDAN"}).json()
    shared.fault("slack", False)

    assert (limited.status_code, limited.headers["Retry-After"], well.json()["ok"]) == (429, "1", True)
    assert refused == ["invalid_auth", "invalid_auth"]
    assert (lacking["error"], lacking["needed"]) == ("missing_scope", "im:write")


def test_a_trigger_is_good_once_and_for_three_seconds(office: Office, api: httpx.Client) -> None:
    """A dialogue can be opened once a click, and not long after it."""
    with slack.connect(office.place) as app:
        app.post(app.conversation("U0SANDBEN"), slack.message("[x]", office.gate, "http://page"))
    office.world.click("ben", "no")
    triggers = office.world.state()["slack"]["triggers"]
    [trigger] = [name for name, one in triggers.items() if one["member"] == "U0SANDBEN"]
    view = slack.dialogue(office.gate, "no")
    again = api.post("/views.open", json={"trigger_id": trigger, "view": view}).json()["error"]
    office.world.wait_until(lambda state: state["slack"]["triggers"][trigger]["at"] + 3.1 < utc_now().timestamp())
    late = api.post("/views.open", json={"trigger_id": trigger, "view": view}).json()["error"]

    assert (again, late) == ("exchanged_trigger_id", "expired_trigger_id")
