"""Slack: what goes out, what a no that comes with a status of 200 becomes, and what is read of what comes in."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.responses import JSONResponse

from crisis.clients import slack
from crisis.clients.http import ThrottledError
from crisis.clients.slack import Click, Submission, Ticket, read_interaction
from crisis.domain.decision import Gate
from crisis.domain.protocol import Slack
from crisis.errors import RefusedError, TransientError
from tests.clients.servers import Vendor
from tests.domain.story import INCIDENT, RUN, a_plan

MARKER = "[INC-1 decide revert 17]"
GATE = Gate(INCIDENT, RUN, "revert", a_plan(), datetime.now(UTC), datetime.now(UTC), 1, ["ada"], "stop", "", 17)


@pytest.fixture
def client(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[slack.Slack]:
    """Open the app as the protocol says."""
    monkeypatch.setenv("A_TOKEN", "sl-secret")
    place = Slack(url=vendor.url, token="env:A_TOKEN", signing_secret="env:A_SIGNING_SECRET")
    with slack.connect(place) as client:
        yield client


def test_a_message_is_posted_to_the_conversation(client: slack.Slack, vendor: Vendor) -> None:
    """The conversation is opened, and the message posted there with the app's token."""
    vendor.says("POST /conversations.open", {"ok": True, "channel": {"id": "D1"}})
    vendor.says("POST /chat.postMessage", {"ok": True, "ts": "17.5"})

    assert client.conversation("U0ADA") == "D1"
    assert client.post("D1", slack.only_text(MARKER, "Take it back?", "Reminder 1")) == "17.5"
    assert json.loads(vendor.bodies("POST /conversations.open")[0]) == {"users": "U0ADA"}
    sent = json.loads(vendor.bodies("POST /chat.postMessage")[0])
    assert (sent["channel"], sent["text"]) == ("D1", f"{MARKER} Take it back?. Reminder 1")
    assert vendor.headers[0]["authorization"] == "Bearer sl-secret"


def test_its_own_message_is_found_again(client: slack.Slack, vendor: Vendor) -> None:
    """A message of somebody else that begins alike is not taken for ours."""
    theirs = {"ts": "3", "text": f"{MARKER} I saw this already", "user": "U0ADA"}
    ours = {"ts": "2", "text": f"{MARKER} Take it back?", "bot_id": "B1"}
    vendor.says("GET /conversations.history", {"ok": True, "messages": [theirs, ours, {"ts": "1", "bot_id": "B1"}]})

    assert client.find("D1", MARKER) == "2"
    assert client.find("D1", "[INC-2") is None
    assert vendor.asked[0][1] == {"channel": "D1", "limit": "100"}


def test_a_question_has_a_button_for_each_answer(client: slack.Slack, vendor: Vendor) -> None:
    """Each button carries which question and answer it means; the link leads to the page."""
    vendor.says("POST /chat.postMessage", {"ok": True, "ts": "1"})
    client.post("D1", slack.message(MARKER, GATE, "http://receiver.test/decide/x"))
    blocks = json.loads(vendor.bodies("POST /chat.postMessage")[0])["blocks"]
    buttons = next(block["elements"] for block in blocks if block["type"] == "actions")

    assert [button["text"]["text"] for button in buttons] == ["revert", "roll-back", "change", "no"]
    assert Ticket.read(buttons[0]["value"]) == Ticket.of(GATE, "revert")
    assert len({button["action_id"] for button in buttons}) == 4
    assert "<http://receiver.test/decide/x|" in json.dumps(blocks)


def test_a_message_is_updated_whispered_and_a_dialogue_opened(client: slack.Slack, vendor: Vendor) -> None:
    """The other things the app says."""
    for method in ("chat.update", "chat.postEphemeral", "views.open"):
        vendor.says(f"POST /{method}", {"ok": True, "ts": "1"})
    client.update("D1", "1", {"text": "Decided"})
    client.whisper("D1", "U0ADA", "not <yours>")
    client.open("1.2.abc", slack.dialogue(GATE, "change"))
    update, whisper, view = (json.loads(body) for _, _, body in vendor.asked)

    assert update == {"channel": "D1", "ts": "1", "text": "Decided"}
    assert whisper == {"channel": "D1", "user": "U0ADA", "text": "not &lt;yours&gt;"}
    assert (view["trigger_id"], view["view"]["blocks"][2]["optional"]) == ("1.2.abc", False)
    assert Ticket.read(view["view"]["private_metadata"]).answer == "change"


@pytest.mark.parametrize(
    ("says", "kind", "words"),
    [
        ({"ok": False, "error": "invalid_auth"}, RefusedError, "saw invalid_auth; renew the token"),
        ({"ok": False, "error": "user_not_found"}, RefusedError, "mend their slack id in protocol.yaml"),
        (
            {"ok": False, "error": "missing_scope", "needed": "im:write"},
            RefusedError,
            "give the app the scope im:write",
        ),
        ({"ok": False, "error": "fatal_error"}, TransientError, "saw fatal_error; try again"),
        ({"ok": False, "error": "ratelimited"}, TransientError, "saw ratelimited; try again"),
        ({"ok": False, "error": "sl-secret <b>"}, RefusedError, "saw an error; look up this error at Slack"),
        ({"ok": True}, RefusedError, "wanted the JSON its documentation promises"),
        ([], RefusedError, "wanted the JSON its documentation promises"),
        ((500, {"ok": False}), TransientError, "saw 500"),
    ],
)
def test_a_no_is_translated(client: slack.Slack, vendor: Vendor, says: Any, kind: type[Exception], words: str) -> None:
    """Slack says no with a status of 200; what may pass is told from what will not, and no token is quoted."""
    vendor.says("POST /conversations.open", says)
    with pytest.raises(kind, match=words) as caught:
        client.conversation("U0ADA")

    assert "sl-secret" not in f"{caught.value!r}{client!r}"


def test_too_many_requests_say_when_to_come_back(client: slack.Slack, vendor: Vendor) -> None:
    """The wait that Slack asks for is known to the caller."""
    vendor.says("POST /auth.test", JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "30"}))
    with pytest.raises(ThrottledError) as caught:
        client.identity()

    assert caught.value.retry_after == 30


@pytest.mark.parametrize(
    ("headers", "scopes"), [({"x-oauth-scopes": "chat:write, im:write"}, ("chat:write", "im:write")), ({}, None)]
)
def test_the_token_says_whose_it_is(
    client: slack.Slack, vendor: Vendor, headers: dict[str, str], scopes: tuple[str, ...] | None
) -> None:
    """Workspace and scopes are read without changing anything."""
    vendor.says("POST /auth.test", JSONResponse({"ok": True, "team_id": "T1"}, headers=headers))

    assert client.identity() == slack.Identity("T1", scopes)


def test_long_texts_fit(client: slack.Slack, vendor: Vendor) -> None:
    """What Slack would refuse for its length is cut."""
    plan = a_plan("t" * 500).model_copy(update={"blast_radius": ("b" * 5000,), "on_no": "n" * 5000})
    gate = Gate(INCIDENT, RUN, "revert", plan, datetime.now(UTC), datetime.now(UTC), 1, ["ada"], "stop", "", 17)
    vendor.says("POST /chat.postMessage", {"ok": True, "ts": "1"})
    client.post("D1", slack.message(MARKER, gate, "http://page"))
    header, section, *_ = json.loads(vendor.bodies("POST /chat.postMessage")[0])["blocks"]

    assert len(header["text"]["text"]) <= 150
    assert len(section["text"]["text"]) <= 3000
    assert len(slack.problem("x" * 999)["errors"]["code"]) <= 300


def test_a_long_plan_leaves_the_link_whole() -> None:
    """The link to all of it comes first; of the rest only whole lines are left out, and the cut shows."""
    lines = tuple(f"<{number}> " + "b" * 300 for number in range(20))
    plan = a_plan().model_copy(update={"blast_radius": lines})
    gate = Gate(INCIDENT, RUN, "revert", plan, datetime.now(UTC), datetime.now(UTC), 1, ["ada"], "stop", "", 17)
    page = "http://receiver.test/decide/x"
    blocks = slack.message(MARKER, gate, page)["blocks"], slack.dialogue(gate, "revert")["blocks"]
    shown, asked = blocks[0][1]["text"]["text"].split("\n"), blocks[1][0]["text"]["text"].split("\n")

    assert shown[0] == f"<{page}|Read the whole plan and decide there>"
    assert (shown[-1], asked[-1]) == ("…", "…")
    assert {line for line in shown if "touches" in line} < {f"• touches: &lt;{n}&gt; {'b' * 300}" for n in range(20)}
    assert any(line.startswith("Answer before ") for line in shown)
    assert any(line.startswith("If you say no: ") for line in shown)
    assert len("\n".join(shown)) <= 3000


def interaction(**parts: Any) -> bytes:
    """Return a click as Slack sends it, with other parts where given."""
    click = {
        "type": "block_actions",
        "user": {"id": "U0ADA", "team_id": "T0TEAM"},
        "trigger_id": "1.2.abc",
        "container": {"channel_id": "D1AB"},
        "actions": [{"value": Ticket.of(GATE, "no").write()}],
    }
    return urlencode({"payload": json.dumps({**click, **parts})}).encode()


def test_a_click_is_read() -> None:
    """Who, where, and which answer; the workspace stands beside the member where there is an organisation."""
    assert read_interaction(interaction()) == Click("U0ADA", "T0TEAM", False, Ticket.of(GATE, "no"), "1.2.abc", "D1AB")


def test_what_was_typed_shows_in_no_text() -> None:
    """A submission that ends up in a traceback or a log tells no code."""
    view = {"private_metadata": Ticket.of(GATE, "no").write()}
    view["state"] = {"values": {name: {name: {"value": "918273"}} for name in ("code", "reason")}}  # type: ignore[assignment]
    read = read_interaction(interaction(type="view_submission", view=view))

    assert isinstance(read, Submission)
    assert read.typed["code"] == "918273"
    assert "918273" not in f"{read!r}{read}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "message_action"},
        {"user": {"id": "u0ada"}},
        {"user": None},
        {"team": {"id": "somewhere"}},
        {"trigger_id": "../x"},
        {"container": {"channel_id": "http://x"}},
        {"actions": [{"value": "[1, 2]"}]},
        {"actions": [{"value": json.dumps(["a", "b", "c", True, "e", "f"])}]},
        {"actions": [{"value": json.dumps(["a", "b", "c", 1, "e", {}])}]},
    ],
)
def test_what_is_no_interaction_of_ours_is_not_read(wrong: dict[str, Any]) -> None:
    """Anything else is nothing."""
    assert read_interaction(interaction(**wrong)) is None


@pytest.mark.parametrize("body", [b"", b"\xff", b"payload", b"payload=", b"payload=[", b"a=1&a=2&a=3&a=4&a=5&a=6"])
def test_what_is_no_form_is_not_read(body: bytes) -> None:
    """Nor is what is no form."""
    assert read_interaction(body) is None
