"""Slack: direct messages with buttons, and the dialogue that takes a code. Slack's words stop here."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Self, TypeVar
from urllib.parse import parse_qsl

import httpx

from crisis.clients.http import Api
from crisis.domain.decision import Gate
from crisis.domain.plan import CHANGE, NO
from crisis.domain.protocol import Slack as Place
from crisis.errors import RefusedError, TransientError, VendorError
from crisis.settings import read_address, read_reference

__all__ = [
    "SCOPES", "Click", "Identity", "Slack", "Submission", "Ticket", "connect", "dialogue", "message", "only_text",
    "problem", "read_interaction", "result",
]  # fmt: skip

T = TypeVar("T")

SCOPES = ("chat:write", "im:history", "im:write")
"""What the app's bot token must be allowed to do."""

_PASSING = {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_NEXT = {
    "invalid_auth": "renew the token and look where its reference points",
    "not_authed": "look where the token's reference points",
    "token_revoked": "install the app again and store its new token",
    "account_inactive": "install the app again and store its new token",
    "user_not_found": "mend their slack id in protocol.yaml",
    "expired_trigger_id": "click the button again",
}
_MEMBER, _TEAM = re.compile(r"[UW][A-Z0-9]{2,20}"), re.compile(r"T[A-Z0-9]{2,20}")
_CHANNEL, _TRIGGER = re.compile(r"[CDG][A-Z0-9]{2,20}"), re.compile(r"[0-9A-Za-z.]{1,200}")
_TITLE, _BUTTON, _LINE, _SECTION, _TEXT, _ERROR = 140, 70, 600, 2800, 3500, 280
_MOST_BUTTONS = 20
_PROBLEM_AT = "code"


class Identity(NamedTuple):
    """Whom the token belongs to, and what it may do; None where Slack does not say."""

    team: str
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    What a button carries: which question it belongs to, and the answer it stands for.

    It has no authority: whoever makes one up gets no further than who opens the decision page.
    """

    incident: str
    run: str
    gate: str
    asked_as: int
    plan: str
    answer: str

    @classmethod
    def of(cls, gate: Gate, answer: str) -> Self:
        """Return the ticket for an answer to a question."""
        return cls(gate.incident, gate.run, gate.name, gate.asked_as, gate.plan.hash[:12], answer)

    @classmethod
    def read(cls, text: Any) -> Self:
        """Read a ticket; ValueError when it is none."""
        incident, run, gate, asked_as, plan, answer = json.loads(str(text))
        if not all(isinstance(one, str) for one in (incident, run, gate, plan, answer)) or type(asked_as) is not int:
            raise ValueError("no ticket")
        return cls(incident, run, gate, asked_as, plan, answer)

    def write(self) -> str:
        """Return it as text."""
        return json.dumps([self.incident, self.run, self.gate, self.asked_as, self.plan, self.answer])


@dataclass(frozen=True, slots=True)
class Click:
    """Somebody pressed a button of a message."""

    member: str
    team: str
    bot: bool
    ticket: Ticket
    trigger: str
    channel: str


@dataclass(frozen=True, slots=True)
class Submission:
    """Somebody sent the dialogue; what they typed shows in no text of this."""

    member: str
    team: str
    bot: bool
    ticket: Ticket
    typed: dict[str, str]

    def __repr__(self) -> str:
        return f"Submission({self.member!r})"


def connect(place: Place, *, timeout: float = 3.0) -> "Slack":
    """Open the app's access. Slack is asked beside the SMS, so that it is not waited for long."""
    return Slack(Api("slack", read_address(place.url), bearer=read_reference(place.token), timeout=timeout))


@dataclass(frozen=True)
class Slack:
    """The app in one workspace; use it in a `with` block."""

    api: Api

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def identity(self) -> Identity:
        """Tell whose token this is; changes nothing."""
        response = self.api.post("/auth.test", operation="read the token", target="slack")
        scopes = response.headers.get("x-oauth-scopes")
        team = self._read(response, lambda body: str(body["team_id"]), "read the token", "slack")
        return Identity(team, None if scopes is None else tuple(one.strip() for one in scopes.split(",")))

    def conversation(self, member: str) -> str:
        """Return the conversation with a member of the workspace; the first call opens it."""
        return self._ask(
            "conversations.open", {"users": member}, lambda body: str(body["channel"]["id"]),
            operation="open a conversation", target=member,
        )  # fmt: skip

    def find(self, conversation: str, marker: str) -> str | None:
        """Return the id of our own newest message that begins with a marker, or None."""
        response = self.api.get(
            "/conversations.history", params={"channel": conversation, "limit": "100"},
            operation="list messages", target=conversation,
        )  # fmt: skip
        texts = self._read(response, lambda body: list(_own(body)), "list messages", conversation)
        return next((stamp for stamp, text in texts if text.startswith(marker)), None)

    def post(self, conversation: str, content: dict[str, Any]) -> str:
        """Post a message; return its id. Twice is two messages: look with `find` first."""
        body = {"channel": conversation, "unfurl_links": False, "unfurl_media": False, **content}
        return self._ask("chat.postMessage", body, _stamp, operation="post a message", target=conversation)

    def update(self, conversation: str, message: str, content: dict[str, Any]) -> None:
        """Put other words in the place of a message."""
        body = {"channel": conversation, "ts": message, **content}
        self._ask("chat.update", body, _stamp, operation="update a message", target=conversation)

    def whisper(self, conversation: str, member: str, text: str) -> None:
        """Say something that only one member sees, and that is not kept."""
        body = {"channel": conversation, "user": member, "text": _clip(_plain(text), _TEXT)}
        self._ask("chat.postEphemeral", body, lambda _: None, operation="tell a member", target=member)

    def open(self, trigger: str, view: dict[str, Any]) -> None:
        """Open a dialogue for whoever clicked within the last three seconds."""
        body = {"trigger_id": trigger, "view": view}
        self._ask("views.open", body, lambda _: None, operation="open a dialogue", target="slack")

    def _ask(self, method: str, body: dict[str, Any], parse: Callable[[Any], T], *, operation: str, target: str) -> T:
        response = self.api.post(f"/{method}", json=body, operation=operation, target=target)
        return self._read(response, parse, operation, target)

    def _read(self, response: httpx.Response, parse: Callable[[Any], T], operation: str, target: str) -> T:
        def judge(body: Any) -> T:
            # Slack says no with a status of 200.
            return parse(body) if body["ok"] else _refuse(body, operation, target)

        return self.api.read(response, judge, operation=operation, target=target)


def _refuse(body: dict[str, Any], operation: str, target: str) -> NoReturn:
    says = str(body.get("error", ""))
    says = says if re.fullmatch(r"[a-z0-9_]{1,60}", says) else "an error"
    needed = str(body.get("needed", ""))
    scope = f"give the app the scope {needed}" if re.fullmatch(r"[a-z:.,]{1,60}", needed) else ""
    passing = says in _PASSING
    then = "try again" if passing else scope or _NEXT.get(says, "look up this error at Slack")
    kind: type[VendorError] = TransientError if passing else RefusedError
    raise kind(target, vendor="slack", operation=operation, wanted=f"slack to {operation}", saw=says, then=then)


def _own(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for one in body["messages"]:
        if one.get("bot_id"):
            yield str(one["ts"]), str(one.get("text") or "")


def _stamp(body: Any) -> str:
    return str(body["ts"])


def read_interaction(body: bytes) -> Click | Submission | None:
    """Read what Slack sends when somebody clicks or submits; None when it is nothing that we offer."""
    try:
        form = dict(parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=5, errors="strict"))
        payload = json.loads(form["payload"])
        return _click(payload) if payload["type"] == "block_actions" else _submission(payload)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None


def _who(payload: Any) -> dict[str, Any]:
    user, team = payload["user"], payload.get("team") or {}
    member, home = str(user["id"]), str(team.get("id") or user.get("team_id") or "")
    if not _MEMBER.fullmatch(member) or (home and not _TEAM.fullmatch(home)):
        raise ValueError("no member")
    return {"member": member, "team": home, "bot": bool(user.get("is_bot") or payload.get("bot_id"))}


def _click(payload: Any) -> Click:
    ticket = Ticket.read(payload["actions"][0]["value"])
    channel, trigger = str(payload["container"]["channel_id"]), str(payload["trigger_id"])
    if not _CHANNEL.fullmatch(channel) or not _TRIGGER.fullmatch(trigger):
        raise ValueError("no click of a button in a message")
    return Click(**_who(payload), ticket=ticket, trigger=trigger, channel=channel)


def _submission(payload: Any) -> Submission:
    if payload["type"] != "view_submission":
        raise ValueError("nothing that we offer")
    fields = payload["view"]["state"]["values"]
    typed = {name: str(fields[name][name].get("value") or "") for name in ("code", "reason")}
    return Submission(**_who(payload), ticket=Ticket.read(payload["view"]["private_metadata"]), typed=typed)


def message(marker: str, gate: Gate, page: str, says: str = "") -> dict[str, Any]:
    """Return the message that puts a question: what it is about, the link to its page, a button for each answer."""
    plan = gate.plan
    lines = [
        f"<{page}|Read the whole plan and decide there>",
        *([f"*{_line(says)}*"] if says else []),
        *_summary(gate),
    ]
    answers = [*(choice.name for choice in plan.choices), CHANGE, NO][:_MOST_BUTTONS]
    return {
        "text": _clip(f"{marker} {_plain(plan.title)}", _TEXT),
        "blocks": [
            {"type": "header", "text": _words(_clip(plan.title, _TITLE))},
            _section(_whole(lines)),
            {"type": "actions", "elements": [_button(gate, answer, at) for at, answer in enumerate(answers)]},
            {"type": "context", "elements": [_words(f"{marker} plan {plan.hash[:12]}. A click asks for your code.")]},
        ],
    }


def only_text(marker: str, title: str, says: str) -> dict[str, Any]:
    """Return a message without buttons: news, or what became of a question."""
    text = f"*{_plain(title)}*\n{_plain(says)}"
    return {"text": _clip(f"{marker} {_plain(title)}. {_plain(says)}", _TEXT), "blocks": [_section(text)]}


def dialogue(gate: Gate, answer: str) -> dict[str, Any]:
    """Return the dialogue that asks for the code and the reason of an answer."""
    asks = "What should be different?" if answer == CHANGE else "Reason"
    return {
        "type": "modal",
        "title": _words("Decide"),
        "submit": _words(_clip(f"Say {answer}", 24)),
        "close": _words("Cancel"),
        "private_metadata": Ticket.of(gate, answer).write(),
        "blocks": [
            _section(_whole([f"*{_line(gate.plan.title)}*", f"Your answer: *{_line(answer)}*", *_summary(gate)])),
            _field("code", "One-time code", optional=False, longest=12, many=False),
            _field("reason", asks, optional=answer != CHANGE, longest=2000, many=True),
        ],
    }


def problem(says: str) -> dict[str, Any]:
    """Return the answer that leaves a dialogue open and says what is wrong."""
    return {"response_action": "errors", "errors": {_PROBLEM_AT: _clip(says, _ERROR)}}


def result(says: str) -> dict[str, Any]:
    """Return the answer that shows in the dialogue what became of it."""
    view = {"type": "modal", "title": _words("Decide"), "close": _words("Close"), "blocks": [_section(_plain(says))]}
    return {"response_action": "update", "view": view}


def _summary(gate: Gate) -> list[str]:
    plan = gate.plan
    ways = [f"• `{_line(choice.name)}`: {_line(choice.summary)}" for choice in plan.choices]
    steps = [
        f"    {_line(step.action)} on {_line(step.target)}: {_line(step.wanted)}"
        for choice in plan.choices[:1]
        for step in choice.steps
    ]
    touched = [f"• touches: {_line(line)}" for line in plan.blast_radius]
    # What does not fit is left out from the end.
    until = f"Answer before {gate.deadline:%H:%M} UTC."
    return [until, *ways[:1], *steps, *ways[1:], f"If you say no: {_line(plan.on_no)}", *touched]


def _button(gate: Gate, answer: str, at: int) -> dict[str, Any]:
    style = {0: {"style": "primary"}}.get(at, {"style": "danger"} if answer == NO else {})
    value = Ticket.of(gate, answer).write()
    return {
        "type": "button",
        "action_id": f"answer-{at}",
        "text": _words(_clip(answer, _BUTTON)),
        "value": value,
        **style,
    }


def _field(name: str, label: str, *, optional: bool, longest: int, many: bool) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": name, "max_length": longest, "multiline": many}
    return {"type": "input", "block_id": name, "label": _words(label), "optional": optional, "element": element}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _clip(text, _SECTION), "verbatim": True}}


def _words(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _whole(lines: Sequence[str]) -> str:
    """Return as many whole lines as fit: half a line may be half a link."""
    text = "\n".join(lines)
    if len(text) <= _SECTION:
        return text
    ends = [at for at, sign in enumerate(text[: _SECTION - 1]) if sign == "\n"]
    return f"{text[: ends[-1] + 1]}…" if ends else _clip(text, _SECTION)


def _line(text: str) -> str:
    """Return a text of somebody else's as one line of ours, cut before it is escaped."""
    return _plain(_clip(" ".join(text.split()), _LINE))


def _plain(text: str) -> str:
    """Take away what Slack would read as markup: a link, or a call to everybody, in what somebody else wrote."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
