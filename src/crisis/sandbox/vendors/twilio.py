"""Twilio: text messages and calls that are remembered instead of sent."""

import base64
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Desk, Page, Refusal, note

_NUMBER = re.compile(r"^\+[1-9]\d{6,14}$")
_ON_ITS_WAY = 0.2


@dataclass(frozen=True)
class Outbox:
    """One kind of thing that is sent: messages or calls."""

    sid: str
    letters: str
    kind: str
    content: tuple[str, ...]
    arrived: str
    sent: list[dict[str, Any]]

    def pages(self, root: str) -> list[Page]:
        """List the addresses."""
        every, one = f"{root}/{self.kind}.json", f"{root}/{self.kind}/{{item}}.json"
        return [(every, {"GET": self.listing, "POST": self.send}), (one, {"GET": self.show})]

    async def send(self, request: Request) -> Response:
        """POST: check as Twilio does, and remember."""
        form = {name: str(value) for name, value in (await request.form()).items()}
        self._check(form)
        item = {
            "sid": self.letters + secrets.token_hex(16),
            "account_sid": self.sid,
            "to": form["To"],
            "from": form["From"],
            **{name.lower(): form[name] for name in self.content if name in form},
            "status": "queued",
            "date_created": format_datetime(datetime.now(UTC)),
            "unix": time.time(),
        }
        self.sent.append(item)
        note(request, f"{self.kind.lower()} to {form['To']}")
        return JSONResponse(self.shown(item), 201)

    def _check(self, form: dict[str, str]) -> None:
        if "To" not in form:
            raise _refusal(21604, "A 'To' phone number is required.")
        if "From" not in form:
            raise _refusal(21603, "A 'From' phone number is required.")
        if not _NUMBER.match(form["To"]):
            raise _refusal(21211, f"Invalid 'To' Phone Number: {form['To']}")
        if not any(form.get(name) for name in self.content):
            raise _refusal(21602, f"{' or '.join(self.content)} is required.")

    async def listing(self, request: Request) -> Response:
        """GET what was sent, the newest first."""
        asked = request.query_params
        found = [self.shown(item) for item in reversed(self.sent) if asked.get("To") in {None, item["to"]}]
        size = int(asked["PageSize"]) if asked.get("PageSize", "").isdecimal() else 50
        return JSONResponse({self.kind.lower(): found[:size], "page": 0, "page_size": size})

    async def show(self, request: Request) -> Response:
        """GET one item."""
        for item in self.sent:
            if item["sid"] == request.path_params["item"]:
                return JSONResponse(self.shown(item))
        raise _refusal(20404, "The requested resource was not found", 404)

    def shown(self, item: dict[str, Any]) -> dict[str, Any]:
        """Show an item; a moment after it was sent it has arrived."""
        status = self.arrived if time.time() - item["unix"] > _ON_ITS_WAY else item["status"]
        return {**item, "status": status}


def signature(token: str, url: str, form: dict[str, str]) -> str:
    """Sign what is posted to a URL, as the real one does: HMAC-SHA1 over the URL and the sorted fields."""
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def _refusal(code: int, message: str, status: int = 400) -> Refusal:
    return Refusal(status, {"code": code, "message": message, "status": status})


def mount(memory: Memory, keys: Keys) -> Mount:
    """Serve the API below /twilio."""
    sid = keys.twilio_sid
    wanted = b"Basic " + base64.b64encode(f"{sid}:{keys.twilio}".encode())

    def accepts(request: Request) -> bool:
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted)

    async def account(_: Request) -> Response:
        return JSONResponse({"sid": sid, "friendly_name": "Slow Cup", "status": "active", "type": "Full"})

    messages = Outbox(sid, "SM", "Messages", ("Body",), "delivered", memory.twilio.messages)
    calls = Outbox(sid, "CA", "Calls", ("Twiml", "Url"), "completed", memory.twilio.calls)
    refused = (401, {"code": 20003, "message": "Authenticate", "status": 401})
    missing = (404, {"code": 20404, "message": "The requested resource was not found", "status": 404})
    desk = Desk("twilio", memory, accepts, refused=refused, missing=missing)
    root = f"/2010-04-01/Accounts/{sid}"
    return desk.mount(
        "/twilio",
        (f"{root}.json", {"GET": account}),
        *(page for box in (messages, calls) for page in box.pages(root)),
    )
