"""Phones: what people do on theirs, handed on to the receiver as Slack and Twilio hand it on, signatures included."""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Refusal, body_of
from crisis.sandbox.vendors.slack import TEAM
from crisis.sandbox.vendors.twilio import signature

_OURS = "+15005550006"


@dataclass(frozen=True)
class Phones:
    """The phones of the sandbox's people; nothing here is a vendor's API."""

    memory: Memory
    keys: Keys

    async def hooks(self, request: Request) -> Response:
        """Say where Slack and Twilio hand on what people do."""
        self.memory.hooks.update(await body_of(request))
        return JSONResponse(self.memory.hooks)

    async def text(self, request: Request) -> Response:
        """Send an SMS to the company's number."""
        said = await body_of(request)
        form = {"MessageSid": "SM" + secrets.token_hex(16), "From": said["number"], "To": _OURS, "Body": said["body"]}
        root = await self._twilio(self._hook("sms"), form)
        return JSONResponse({"reply": "\n".join(one.text or "" for one in root.iter("Message"))})

    async def pick_up(self, request: Request) -> Response:
        """Take the last call to a number that asks for keys."""
        call = self._call((await body_of(request))["number"])
        return await self._go_on(call, call["url"], {})

    async def press(self, request: Request) -> Response:
        """Press keys in a call, and hash."""
        said = await body_of(request)
        call = self._call(said["number"])
        if "gather" not in call:
            raise Refusal(409, {"error": "this call waits for no keys"})
        return await self._go_on(call, call.pop("gather"), {"Digits": said["digits"]})

    async def click(self, request: Request) -> Response:
        """Click a button of the newest message with buttons."""
        said = await body_of(request)
        channel = self.memory.slack.channels.get(said["member"])
        for message in reversed(self.memory.slack.messages):
            for block in message["blocks"] if message["channel"] == channel else ():
                for button in block.get("elements", ()) if block["type"] == "actions" else ():
                    if button["text"]["text"] == said["answer"]:
                        return await self._clicked(said["member"], message, button)
        raise Refusal(409, {"error": "there is no such button"})

    async def _clicked(self, member: str, message: dict[str, Any], button: dict[str, Any]) -> Response:
        trigger = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self.memory.slack.triggers[trigger] = {"member": member, "at": time.time(), "used": False}
        self.memory.slack.views.pop(member, None)
        await self._slack(
            {
                "type": "block_actions",
                "user": {"id": member, "team_id": TEAM},
                "team": {"id": TEAM},
                "trigger_id": trigger,
                "container": {"type": "message", "channel_id": message["channel"], "message_ts": message["ts"]},
                "actions": [{"type": "button", "action_id": button["action_id"], "value": button["value"]}],
            }
        )
        return JSONResponse(self.memory.slack.views.get(member, {}))

    async def submit(self, request: Request) -> Response:
        """Send the dialogue that is open."""
        said = await body_of(request)
        view = self.memory.slack.views.get(said["member"])
        if view is None:
            raise Refusal(409, {"error": "no dialogue is open"})
        values = {
            name: {name: {"type": "plain_text_input", "value": said[name] or None}} for name in ("code", "reason")
        }
        answer = await self._slack(
            {
                "type": "view_submission",
                "user": {"id": said["member"], "team_id": TEAM},
                "team": {"id": TEAM},
                "view": {**view, "state": {"values": values}},
            }
        )
        shown: dict[str, Any] = json.loads(answer.content or b"{}")
        if shown.get("response_action") != "errors":
            self.memory.slack.views.pop(said["member"])
        return JSONResponse(shown)

    async def _slack(self, payload: dict[str, Any]) -> httpx.Response:
        body, stamp = urlencode({"payload": json.dumps(payload)}).encode(), str(int(time.time()))
        base = b"v0:" + stamp.encode() + b":" + body
        mark = "v0=" + hmac.new(self.keys.slack_signing.encode(), base, hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": mark}
        return await _post(self._hook("slack"), body, headers)

    async def _twilio(self, url: str, form: dict[str, str]) -> ET.Element:
        form = {"AccountSid": self.keys.twilio_sid, **form}
        headers = {"X-Twilio-Signature": signature(self.keys.twilio, url, form)}
        answer = await _post(url, urlencode(form).encode(), headers)
        return ET.fromstring(answer.content)  # noqa: S314 - what our own receiver says

    async def _go_on(self, call: dict[str, Any], url: str, more: dict[str, str]) -> Response:
        form = {"CallSid": call["sid"], "To": call["to"], "From": call["from"], "Direction": "outbound-api", **more}
        root = await self._twilio(url, form)
        gather = root.find("Gather")
        if gather is not None:
            call["gather"] = gather.attrib["action"]
        return JSONResponse({"says": "\n".join(one.text or "" for one in root.iter("Say"))})

    def _call(self, number: str) -> dict[str, Any]:
        calls = [call for call in self.memory.twilio.calls if call["to"] == number and "url" in call]
        if calls:
            return calls[-1]
        raise Refusal(409, {"error": "nobody asks this number for keys"})

    def _hook(self, name: str) -> str:
        if name not in self.memory.hooks:
            raise Refusal(409, {"error": f"nobody has said where {name} goes"})
        return self.memory.hooks[name]


async def _post(url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.post(url, content=body, headers={**kind, **headers})
    if answer.is_error:
        raise Refusal(502, {"error": f"the receiver answers {answer.status_code}: {answer.text[:200]}"})
    return answer


def mount(memory: Memory, keys: Keys) -> Mount:
    """Serve the phones below /_sandbox/phone."""
    phones = Phones(memory, keys)
    acts = {"hooks": phones.hooks, "text": phones.text, "pick-up": phones.pick_up, "press": phones.press}
    acts |= {"click": phones.click, "submit": phones.submit}
    routes = [Route(f"/{name}", act, methods=["POST"]) for name, act in acts.items()]
    return Mount("/_sandbox/phone", routes=routes)
