"""Switchboard: the small document that says how a service runs, changed by compare-and-set."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import SERVICE, Memory
from crisis.sandbox.vendors.desk import Answer, Desk, Refusal, bearer, body_of, note

_MODES = {"normal", "maintenance", "read_only", "offline"}


@dataclass(frozen=True)
class Switches:
    """Read and replace the document."""

    memory: Memory

    async def show(self, _: Request) -> Response:
        """GET the document and its ETag."""
        return _tagged(self.memory.switchboard.document)

    async def replace(self, request: Request) -> Response:
        """PUT a whole new document in the place of the one the caller has seen."""
        body, known = await body_of(request), self.memory.switchboard.document
        seen = request.headers.get("if-match")
        if seen is None:
            raise Refusal(428, {"error": "say in If-Match which document you replace"})
        if seen != etag(known):
            raise Refusal(412, {"error": "somebody changed the document since"})
        self._check(body, known)
        stuck = {"mode": known["mode"]} if self.memory.faults.get("stuck_switch") else {}
        self.memory.switchboard.document = {**body, **stuck}
        note(request, f"seq {body['seq']}: mode {body['mode']}")
        return _tagged(body)

    def _check(self, body: dict[str, Any], known: dict[str, Any]) -> None:
        if body.get("seq") != known["seq"] + 1:
            raise Refusal(409, {"error": f"seq must be {known['seq'] + 1}"})
        if body.get("service") != SERVICE or body.get("mode") not in _MODES:
            raise Refusal(422, {"error": f"the service is {SERVICE}, the mode one of {', '.join(sorted(_MODES))}"})


def etag(document: dict[str, Any]) -> str:
    """Make a strong validator of what the document says."""
    text = json.dumps(document, sort_keys=True).encode()
    return f'"{document["seq"]}-{hashlib.sha256(text).hexdigest()[:12]}"'


def _tagged(document: dict[str, Any]) -> Response:
    return JSONResponse(document, headers={"ETag": etag(document), "Cache-Control": "no-cache"})


def mount(memory: Memory, keys: Keys) -> Mount:
    """Serve the document below /switches."""
    switches = Switches(memory)
    desk = Desk(
        "switchboard",
        memory,
        bearer(keys.switchboard),
        refused=(401, {"error": "unknown token"}),
        missing=(404, {"error": "unknown service"}),
    )
    answers: dict[str, Answer] = {"GET": switches.show, "PUT": switches.replace}
    return desk.mount("/switches", (f"/{SERVICE}", answers), (f"/{SERVICE}/", answers))
