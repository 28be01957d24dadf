"""Twilio: text messages and calls."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlencode
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.domain.protocol import Messages
from crisis.domain.seal import is_sealed, seal
from crisis.settings import read_address, read_reference

__all__ = ["CallTicket", "Twilio", "ask_for_keys", "connect", "read_form", "say", "text_back"]

T = TypeVar("T")

_ROOT = "/2010-04-01/Accounts"
_MOST_PAGES = 5
_LONGEST_BODY, _LONGEST_SPEECH = 1600, 3000
_NEVER_ARRIVED = {"failed", "undelivered", "canceled"}
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PURPOSE = "call"
_MOST_FIELDS = 100
_PAUSE = "10"
"""Seconds without a key after which a call goes on."""


def connect(messages: Messages) -> "Twilio":
    """Open the account that messages go out by."""
    account, token = read_reference(messages.account), read_reference(messages.token)
    return Twilio(Api("twilio", read_address(messages.url), basic=(account, token)), account, messages.sender)


@dataclass(frozen=True)
class Twilio:
    """One account and the number it sends from; use it in a `with` block."""

    api: Api
    account: SecretStr
    sender: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def account_active(self) -> bool:
        """Tell whether the account may send."""
        path = f"{self._root()}.json"
        return self.api.ask(
            "GET", path, lambda body: bool(body["status"] == "active"), operation="read the account", target="twilio"
        )

    def send(self, to: str, body: str) -> str:
        """Send a text message; return its sid. Twice is two messages: look at `messages` first."""
        text = body if len(body) <= _LONGEST_BODY else f"{body[: _LONGEST_BODY - 1]}…"
        return self._make("Messages", to, {"Body": text}, operation="send a message")

    def messages(self, to: str) -> list[tuple[str, str]]:
        """List sid and body of what was sent to a number and has not failed, newest first."""
        return self._list("Messages", to, lambda one: (str(one["sid"]), str(one.get("body") or "")))

    def ask_by_call(self, to: str, url: str) -> str:
        """Call a number and go on as the page at a URL of ours says; return the call's sid."""
        return self._make("Calls", to, {"Url": url, "Method": "POST"}, operation="call a number")

    def call(self, to: str, says: str) -> str:
        """Call a number and read a text out; return the call's sid."""
        said = escape(_NOT_XML.sub(" ", says)[:_LONGEST_SPEECH])
        twiml = f"<Response><Say>{said}</Say></Response>"
        return self._make("Calls", to, {"Twiml": twiml}, operation="call a number")

    def calls(self, to: str) -> list[tuple[str, datetime]]:
        """List sid and time of the calls to a number that have not failed, newest first."""
        return self._list("Calls", to, lambda one: (str(one["sid"]), parsedate_to_datetime(one["date_created"])))

    def _make(self, kind: str, to: str, form: dict[str, str], *, operation: str) -> str:
        return self.api.ask(
            "POST", f"{self._root()}/{kind}.json", lambda body: str(body["sid"]),
            form={"To": to, "From": self.sender, **form}, ok=(200, 201), operation=operation, target=to,
        )  # fmt: skip

    def _list(self, kind: str, to: str, read: Callable[[dict[str, Any]], T]) -> list[T]:
        found: list[T] = []
        path, params = f"{self._root()}/{kind}.json", {"To": to, "PageSize": "100"}
        for _ in range(_MOST_PAGES):
            part, path = self.api.ask(
                "GET", path, lambda body: _page(body, kind.lower(), read),
                params=params, operation=f"list {kind.lower()}", target=to,
            )  # fmt: skip
            found += part
            if not path.startswith(_ROOT):
                break
            params = {}
        return found

    def _root(self) -> str:
        return f"{_ROOT}/{quote(self.account.get_secret_value(), safe='')}"


def _page(body: dict[str, Any], kind: str, read: Callable[[dict[str, Any]], T]) -> tuple[list[T], str]:
    arrived = [read(one) for one in body[kind] if one.get("status") not in _NEVER_ARRIVED]
    return arrived, str(body.get("next_page_uri") or "")


@dataclass(frozen=True, slots=True)
class CallTicket:
    """
    What the address of a call carries: who is called, about which question, and which try this is.

    Our seal stands under it, so that nobody else has us read out a question; it has no authority to decide.
    """

    who: str
    incident: str
    run: str
    gate: str
    question: int
    tries: int = 1

    @classmethod
    def read(cls, query: str, key: bytes) -> Self | None:
        """Read a ticket out of the query of an address; None when it is none of ours."""
        try:
            found = dict(parse_qsl(query, strict_parsing=True, max_num_fields=8, errors="strict"))
            about = found["who"], found["incident"], found["run"], found["gate"]
            ticket = cls(*about, int(found["question"]), int(found["tries"]))
            return ticket if is_sealed(key, _PURPOSE, ticket._said(), found["seal"]) else None
        except (ValueError, KeyError):
            return None

    def address(self, page: str, key: bytes) -> str:
        """Return the address of a page of ours with this ticket in it."""
        said = self._said()
        return f"{page}?{urlencode({**said, 'seal': seal(key, _PURPOSE, said)})}"

    def _said(self) -> dict[str, str | int]:
        return {name: getattr(self, name) for name in self.__slots__}


def read_form(body: bytes) -> list[tuple[str, str]]:
    """Read what Twilio posts, in its order; ValueError when it is no form."""
    text = body.decode("ascii")
    return parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS, errors="strict")


def text_back(says: str = "") -> bytes:
    """Return the TwiML that answers a text message; without words it answers nothing."""
    root = ET.Element("Response")
    if says:
        ET.SubElement(root, "Message").text = _fit(says, _LONGEST_BODY)
    return _document(root)


def say(says: str) -> bytes:
    """Return the TwiML that says something and ends the call."""
    root = ET.Element("Response")
    ET.SubElement(root, "Say").text = _fit(says, _LONGEST_SPEECH)
    ET.SubElement(root, "Hangup")
    return _document(root)


def ask_for_keys(says: str, action: str) -> bytes:
    """Return the TwiML that says something, and posts the keys that are pressed before `#` to an address."""
    root = ET.Element("Response")
    keys: Mapping[str, str] = {"action": action, "method": "POST", "finishOnKey": "#", "timeout": _PAUSE}
    gather = ET.SubElement(root, "Gather", {"input": "dtmf", **keys})
    ET.SubElement(gather, "Say").text = _fit(says, _LONGEST_SPEECH)
    ET.SubElement(root, "Say").text = "No key was pressed. Goodbye."
    ET.SubElement(root, "Hangup")
    return _document(root)


def _fit(text: str, longest: int) -> str:
    return _NOT_XML.sub(" ", text)[:longest]


def _document(root: ET.Element) -> bytes:
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
