"""Slack: one workspace with one app, which posts messages and opens dialogues; every no comes with a status of 200."""

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keys import PEOPLE, Keys
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Desk, Refusal, body_of, note, only_reads

TEAM, BOT = "T0SANDBOX", "B0SANDBOX"
MEMBERS = frozenset(f"U0SAND{who.upper()}" for who in PEOPLE)
SCOPES = "chat:write,im:write,im:history"
_TRIGGER_LASTS = 3.0
_ROUND = "1"

Method = Callable[[Request], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Workspace:
    """The methods of the API that the app uses."""

    memory: Memory
    token: str

    def page(self, method: Method) -> Callable[[Request], Awaitable[Response]]:
        """Put what comes before every method in front of one: a fault, the token, and the envelope of the answer."""

        async def answer(request: Request) -> Response:
            self._break()
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if not given:
                raise _no("not_authed")
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self.token.encode()):
                raise _no("invalid_auth")
            return JSONResponse({"ok": True, **await method(request)}, headers={"x-oauth-scopes": self._scopes()})

        return answer

    def _break(self) -> None:
        fault = self.memory.faults.get("slack") or {}
        if "error" not in fault or fault.get("times", 1) < 1:
            return
        if "times" in fault:
            fault["times"] -= 1
        if fault["error"] == "ratelimited":
            raise Refusal(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": _ROUND})
        raise _no(str(fault["error"]))

    def _scopes(self) -> str:
        return str((self.memory.faults.get("slack") or {}).get("scopes", SCOPES))

    async def test(self, request: Request) -> dict[str, Any]:
        """auth.test: say whose token it is."""
        only_reads(request)
        return {"team": "The Sandbox Shop", "team_id": TEAM, "user": "crisis", "bot_id": BOT}

    async def open_conversation(self, request: Request) -> dict[str, Any]:
        """conversations.open: make, or find, the conversation with a member."""
        only_reads(request)
        self._needs("im:write")
        member = str((await body_of(request)).get("users", ""))
        if member not in MEMBERS:
            raise _no("user_not_found")
        channel = self.memory.slack.channels.setdefault(member, f"D{secrets.token_hex(4).upper()}")
        return {"channel": {"id": channel}}

    async def history(self, request: Request) -> dict[str, Any]:
        """conversations.history: list messages, the newest first."""
        self._needs("im:history")
        channel = self._channel(request.query_params.get("channel", ""))
        limit = request.query_params.get("limit", "")
        found = [one for one in reversed(self.memory.slack.messages) if one["channel"] == channel]
        return {"messages": found[: int(limit) if limit.isdecimal() else 100], "has_more": False}

    async def post(self, request: Request) -> dict[str, Any]:
        """chat.postMessage: post to a conversation."""
        self._needs("chat:write")
        body = await body_of(request)
        channel = self._channel(body.get("channel", ""))
        if not body.get("text") and not body.get("blocks"):
            raise _no("no_text")
        _check(body.get("blocks", []))
        stamp = f"{time.time():.6f}"
        kept = {"text": body.get("text", ""), "blocks": body.get("blocks", [])}
        self.memory.slack.messages.append({"type": "message", "channel": channel, "ts": stamp, "bot_id": BOT, **kept})
        note(request, f"message to {self._member(channel)}")
        return {"channel": channel, "ts": stamp}

    async def update(self, request: Request) -> dict[str, Any]:
        """chat.update: put other words in the place of a message."""
        self._needs("chat:write")
        body = await body_of(request)
        for one in self.memory.slack.messages:
            if (one["channel"], one["ts"]) == (self._channel(body.get("channel", "")), body.get("ts")):
                _check(body.get("blocks", []))
                one.update(text=body.get("text", ""), blocks=body.get("blocks", []))
                note(request, f"update for {self._member(one['channel'])}")
                return {"channel": one["channel"], "ts": one["ts"]}
        raise _no("message_not_found")

    async def whisper(self, request: Request) -> dict[str, Any]:
        """chat.postEphemeral: say something to one member that is not kept."""
        self._needs("chat:write")
        body = await body_of(request)
        self._channel(body.get("channel", ""))
        self.memory.slack.whispers.append({"user": body.get("user", ""), "text": body.get("text", "")})
        note(request, f"whisper to {body.get('user')}")
        return {"message_ts": f"{time.time():.6f}"}

    async def open_view(self, request: Request) -> dict[str, Any]:
        """views.open: open a dialogue for whoever clicked within three seconds, once a click."""
        body = await body_of(request)
        trigger = self.memory.slack.triggers.get(str(body.get("trigger_id", "")))
        if trigger is None:
            raise _no("invalid_trigger_id")
        if time.time() - trigger["at"] > _TRIGGER_LASTS:
            raise _no("expired_trigger_id")
        if trigger["used"]:
            raise _no("exchanged_trigger_id")
        trigger["used"] = True
        view = body.get("view") or {}
        if view.get("type") != "modal" or len(view.get("title", {}).get("text", "")) not in range(1, 25):
            raise _no("invalid_arguments")
        _check(view.get("blocks", []))
        kept = {**view, "id": f"V{secrets.token_hex(5).upper()}", "team_id": TEAM}
        self.memory.slack.views[trigger["member"]] = kept
        note(request, f"dialogue for {trigger['member']}")
        return {"view": kept}

    def _needs(self, scope: str) -> None:
        if scope not in self._scopes().split(","):
            raise Refusal(200, {"ok": False, "error": "missing_scope", "needed": scope, "provided": self._scopes()})

    def _channel(self, channel: Any) -> str:
        if channel not in self.memory.slack.channels.values():
            raise _no("channel_not_found")
        return str(channel)

    def _member(self, channel: str) -> str:
        return next(member for member, one in self.memory.slack.channels.items() if one == channel)


def _no(error: str) -> Refusal:
    return Refusal(200, {"ok": False, "error": error})


def _check(blocks: list[dict[str, Any]]) -> None:
    """Refuse what is longer than Slack takes."""
    for block in blocks:
        text = (block.get("text") or {}).get("text", "")
        longest = {"header": 150, "section": 3000}.get(block["type"], 3000)
        buttons = block.get("elements", []) if block["type"] == "actions" else []
        long_button = any(len(one["text"]["text"]) > 75 or len(one["value"]) > 2000 for one in buttons)  # noqa: PLR2004
        if len(text) > longest or len(buttons) > 25 or long_button or len(blocks) > 50:  # noqa: PLR2004
            raise _no("invalid_blocks")


def mount(memory: Memory, keys: Keys) -> Mount:
    """Serve the API below /slack."""
    workspace = Workspace(memory, keys.slack)
    refused = (200, {"ok": False, "error": "invalid_auth"})
    desk = Desk("slack", memory, lambda _: True, refused, missing=(200, {"ok": False, "error": "unknown_method"}))
    posts = {
        "auth.test": workspace.test,
        "conversations.open": workspace.open_conversation,
        "chat.postMessage": workspace.post,
        "chat.update": workspace.update,
        "chat.postEphemeral": workspace.whisper,
        "views.open": workspace.open_view,
    }
    pages = [(f"/{name}", {"POST": workspace.page(method)}) for name, method in posts.items()]
    return desk.mount("/slack", *pages, ("/conversations.history", {"GET": workspace.page(workspace.history)}))
