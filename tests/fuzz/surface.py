"""Surface: all that the web front answers to, as an OpenAPI document made for the fuzzer alone."""

import json
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Response

from crisis.domain.alerting import ALERT_KINDS
from crisis.domain.clock import utc_now, write_time
from crisis.journal.inbox import Delivery
from crisis.receiver.access import COOKIE, link_for, welcome
from crisis.receiver.app import create_app
from crisis.receiver.context import Context
from crisis.receiver.live import Pace
from tests.domain.story import INCIDENT, RUN
from tests.fuzz.seeds import seeds_of
from tests.fuzz.wire import parted
from tests.receiver.conftest import SECRETS, TOKEN
from tests.receiver.payloads import delivery
from tests.receiver.senders.notary import SECRET, Cloud

__all__ = ["NAME", "QUICK", "Surface", "surface_of"]

NAME = "d" * 64
"""The delivery that was kept."""

QUICK = Pace(look=0.01, lasts=0.05)
"""Rooms that are live for a moment only: the fuzzer waits for the end of each answer."""

_ANY: dict[str, Any] = {}
_TEXT = {"type": "string"}
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"


_OF_DECISIONS = ("person", "answer", "code", "passkey", "reason", "plan", "token", "parts", "glass", "step-0-0")
_OF_OTHERS = ("payload", "From", "Body", "Digits", "CallSid", "MessageSid", "AccountSid", "label", "credential")


@dataclass
class Surface:
    """The web front, what it takes, and the secrets that it must not tell."""

    context: Context
    app: FastAPI
    openapi: dict[str, Any]
    question: str

    @property
    def session(self) -> str:
        """A session of a person's."""
        return welcome(Response(), self.context, "ada").headers["set-cookie"].partition(";")[0]

    @property
    def secrets(self) -> list[str]:
        """What must stand in no answer and in no log."""
        key = self.context.settings.signing_key()
        return [TOKEN, SECRET, *SECRETS.values(), key.hex(), key.decode("latin-1")]


def surface_of(context: Context, question: str, cloud: Cloud) -> Surface:
    """Put the web front up, keep a delivery, and describe what the front takes."""
    app = create_app(context)
    app.state.live.pace = QUICK
    context.inbox.put_all([Delivery(NAME, "alertmanager", write_time(utc_now()), delivery())])
    return Surface(context, app, _described(app, context, cloud), question)


def _described(app: FastAPI, context: Context, cloud: Cloud) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a route for GET and HEAD has one name for both
        told = app.openapi()
    told = json.loads(json.dumps(told))
    told["paths"] |= {f"/alerts/{kind}": {"post": {}} for kind in ALERT_KINDS}
    known = {
        "sender": [*ALERT_KINDS, "nobody"], "secret": [SECRET], "incident": [INCIDENT], "run": [RUN], "name": [NAME],
        "gate": ["revert"], "token": [link_for(context.settings, "ada").rpartition("/")[2]],
    }  # fmt: skip
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            operation["responses"] = {"default": {"description": "any"}}
            parameters = operation.setdefault("parameters", [])
            for one in parameters:
                one["schema"] = {"anyOf": [{"enum": known.get(one["name"], ["x"])}, _TEXT]}
            parameters += _unwritten(path)
            if method == "post":
                operation["requestBody"] = {"required": False, "content": _bodies(path, cloud)}
    return {**told, "openapi": "3.1.0"}


def _unwritten(path: str) -> list[dict[str, Any]]:
    """Return the parameters that no route declares, because it looks at the request itself."""
    header = {"anyOf": [{"enum": ["Bearer x", "Basic eDp4", "Bearer", "basic é"]}, _TEXT]}
    found = [{"in": "header", "name": "Authorization", "schema": header, "required": False}]
    if path.startswith("/inbox"):
        names = ("state", "sender", "incident", "before", "last")
        found += [{"in": "query", "name": name, "schema": _TEXT, "required": False} for name in names]
    if path.startswith(("/inbox", "/incidents")):
        found += [{"in": "cookie", "name": COOKIE, "schema": _TEXT, "required": False}]
        found += [{"in": "header", "name": "Last-Event-ID", "schema": _TEXT, "required": False}]
    return found


def _bodies(path: str, cloud: Cloud) -> dict[str, Any]:
    """Return what may be posted there: good values, and anything else."""
    sender = path.removeprefix("/alerts/")
    if sender in ALERT_KINDS:
        return {_JSON: {"schema": {"anyOf": [{"enum": _samples([sender], cloud)}, _ANY]}}}
    if sender != path:
        return {kind: {"schema": _TEXT} for kind in ("text/plain", "application/octet-stream", _FORM)}
    good = {"person": ["ada", "nobody"], "answer": ["revert", "no"], "From": ["+15005550101"], "Body": ["YES 123456"]}
    texts = {name: {"anyOf": [{"enum": good.get(name, [""])}, _TEXT]} for name in (*_OF_DECISIONS, *_OF_OTHERS)}
    form = {"type": "object", "properties": texts, "additionalProperties": _TEXT}
    return {_JSON: {"schema": {"anyOf": [form, _ANY]}}, _FORM: {"schema": form}}


def _samples(kinds: Iterable[str], cloud: Cloud) -> list[Any]:
    found = []
    for body in (parted(seed)[1] for kind in kinds for seed in seeds_of(kind, cloud)[:3]):
        with suppress(ValueError):
            found.append(json.loads(body))
    return found
