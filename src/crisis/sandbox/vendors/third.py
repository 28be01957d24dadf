"""Third: stand-ins for the vendors whose keys are ended; each refuses an ended key as the real one does."""

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keyring import Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors import third_github
from crisis.sandbox.vendors.desk import Answer, Page, Refusal, note, only_reads
from crisis.sandbox.vendors.third_counter import Body, Counter, bearer_of


def _basic(request: Request) -> str:
    """Read a Twilio login: the account's SID with its token, or a key's SID with its secret."""
    try:
        return base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def stripe(memory: Memory, ring: Keyring) -> Mount:
    """Serve /v2/iam/api_keys; an expired key gets 401."""
    counter = Counter(
        "stripe", memory, ring, bearer_of,
        refused=(401, {"error": {"code": "api_key_expired", "message": "Expired API Key provided"}}),
        forbidden=lambda lacks: (403, {"error": {"message": f"The provided key does not have the permission {lacks}"}}),
        missing=(404, {"error": {"code": "not_found", "message": "No such key"}}),
    )  # fmt: skip
    shown: Body = lambda keys: {  # noqa: E731
        "data": [{"id": key.id, "object": "v2.iam.api_key", "status": "active"} for key in keys],
        "next_page_url": None,
    }
    root = "/v2/iam/api_keys"
    return counter.mount(
        (root, {"GET": counter.listing(shown)}),
        (f"{root}/{{key}}/expire", {"POST": counter.ending(200, {"object": "v2.iam.api_key", "status": "expired"})}),
        ("/v1/balance", {"GET": counter.harmless({"object": "balance"})}),
    )


def twilio(memory: Memory, ring: Keyring) -> Mount:
    """Serve the API keys of the account AC1; a deleted key gets 401 with code 20003."""
    counter = Counter(
        "twilio", memory, ring, _basic,
        refused=(401, {"code": 20003, "message": "Authenticate", "status": 401}),
        forbidden=lambda lacks: (403, {"code": 70051, "message": f"Authorization error: {lacks}", "status": 403}),
        missing=(404, {"code": 20404, "message": "The requested resource was not found", "status": 404}),
    )  # fmt: skip
    root = "/2010-04-01/Accounts/AC1"
    shown: Body = lambda keys: {"keys": [{"sid": key.id} for key in keys], "next_page_uri": None}  # noqa: E731
    return counter.mount(
        (f"{root}/Keys.json", {"GET": counter.listing(shown)}),
        (f"{root}/Keys/{{key}}.json", {"DELETE": counter.ending(204)}),
        (f"{root}/Messages.json", {"GET": counter.harmless({"messages": []})}),
    )


def sendgrid(memory: Memory, ring: Keyring) -> Mount:
    """Serve /v3/api_keys; a deleted key gets 401."""
    counter = Counter(
        "sendgrid", memory, ring, bearer_of,
        refused=(401, {"errors": [{"field": None, "message": "The provided authorization grant is invalid"}]}),
        forbidden=lambda lacks: (403, {"errors": [{"field": None, "message": f"access forbidden: {lacks}"}]}),
        missing=(404, {"errors": [{"message": "unable to find API Key"}]}),
    )  # fmt: skip
    shown: Body = lambda keys: {"result": [{"api_key_id": key.id, "name": key.owner} for key in keys]}  # noqa: E731
    return counter.mount(
        ("/v3/api_keys", {"GET": counter.listing(shown)}),
        ("/v3/api_keys/{key}", {"DELETE": counter.ending(204)}),
        ("/v3/scopes", {"GET": counter.harmless({"scopes": ["mail.send"]})}),
    )


def datadog(memory: Memory, ring: Keyring) -> Mount:
    """Serve API keys and application keys; a deleted one gets 403, as one that lacks a permission does."""
    refused = (403, {"errors": ["Forbidden"]})

    def read(request: Request) -> str:
        tried = request.headers.get("dd-application-key")
        # An application key counts only beside an API key that lives.
        return tried or request.headers.get("dd-api-key", "")

    counter = Counter(
        "datadog", memory, ring, read, refused=refused,
        forbidden=lambda lacks: (403, {"errors": [f"Failed permission authorization checks: {lacks}"]}),
        missing=(404, {"errors": ["API Key not found"]}),
    )  # fmt: skip
    pages = list[Page]()
    for kind in ("api", "application"):
        root, below = f"/api/v2/{kind}_keys", f"{kind}-key:"
        pages += [
            (root, {"GET": _datadog_page(counter, below)}),
            (f"{root}/{{key}}", {"DELETE": counter.ending(204, kind=below)}),
        ]
    pages.append(("/api/v1/validate", {"GET": counter.harmless({"valid": True})}))
    pages.append(("/api/v2/validate_keys", {"GET": counter.harmless({"status": "ok"})}))
    return counter.mount(*pages)


def _datadog_page(counter: Counter, below: str) -> Answer:
    async def answer(request: Request) -> Response:
        counter.managing(request)
        size, page = (int(request.query_params[f"page[{name}]"]) for name in ("size", "number"))
        found = counter.ring.living("datadog", below)[size * page : size * (page + 1)]
        return JSONResponse({"data": [{"id": key.id.removeprefix(below), "attributes": {}} for key in found]})

    return answer


def cloudflare(memory: Memory, ring: Keyring) -> Mount:
    """Serve /user/tokens; a deleted token gets 401 with code 1000."""

    def wrong(code: int, message: str) -> dict[str, Any]:
        return {"success": False, "errors": [{"code": code, "message": message}], "result": None}

    counter = Counter(
        "cloudflare", memory, ring, bearer_of, refused=(401, wrong(1000, "Invalid API Token")),
        forbidden=lambda lacks: (403, wrong(9109, f"Unauthorized to access requested resource: {lacks}")),
        missing=(404, wrong(1003, "Invalid token identifier")),
    )  # fmt: skip
    shown: Body = lambda keys: {  # noqa: E731
        "success": True,
        "result": [{"id": key.id, "status": "active"} for key in keys],
        "result_info": {"page": 1, "total_pages": 1},
    }
    return counter.mount(
        ("/user/tokens", {"GET": counter.listing(shown)}),
        ("/user/tokens/verify", {"GET": counter.harmless({"success": True, "result": {"status": "active"}})}),
        ("/user/tokens/{key}", {"DELETE": counter.ending(200, {"success": True, "result": {}})}),
    )


def npm(memory: Memory, ring: Keyring) -> Mount:
    """Serve the registry's tokens; a revoked one gets 401."""
    counter = Counter(
        "npm", memory, ring, bearer_of, refused=(401, {"error": "Unauthorized"}),
        forbidden=lambda lacks: (403, {"error": f"forbidden: {lacks}"}), missing=(404, {"error": "not found"}),
    )  # fmt: skip
    shown: Body = lambda keys: {  # noqa: E731
        "objects": [{"key": key.id, "token": key.secret[:6]} for key in keys], "urls": {},
    }  # fmt: skip
    root = "/-/npm/v1/tokens"
    return counter.mount(
        (root, {"GET": counter.listing(shown)}),
        (f"{root}/token/{{key}}", {"DELETE": counter.ending(204)}),
        ("/-/whoami", {"GET": counter.harmless({"username": "shop"})}),
    )


def openai(memory: Memory, ring: Keyring) -> Mount:
    """Serve the keys of the project proj_1; a deleted one gets 401."""
    counter = Counter(
        "openai", memory, ring, bearer_of,
        refused=(401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided"}}),
        forbidden=lambda lacks: (403, {"error": {"message": f"Missing scopes: {lacks}"}}),
        missing=(404, {"error": {"message": "No such key"}}),
    )  # fmt: skip
    shown: Body = lambda keys: {  # noqa: E731
        "data": [{"id": key.id, "owner": {"user": {"id": key.owner}}} for key in keys], "has_more": False,
    }  # fmt: skip
    root = "/v1/organization/projects/proj_1/api_keys"
    return counter.mount(
        (root, {"GET": counter.listing(shown)}),
        (f"{root}/{{key}}", {"DELETE": counter.ending(200, {"deleted": True})}),
        ("/v1/models", {"GET": counter.harmless({"data": []})}),
    )


def slack(memory: Memory, ring: Keyring) -> Mount:
    """Serve auth.revoke and auth.test; a revoked token gets 200 with an error, as all of Slack's refusals."""
    refused = (200, {"ok": False, "error": "token_revoked"})
    counter = Counter(
        "slack", memory, ring, bearer_of, refused=refused,
        forbidden=lambda lacks: (200, {"ok": False, "error": "missing_scope", "needed": lacks}),
        missing=(200, {"ok": False, "error": "unknown_method"}),
    )  # fmt: skip

    async def revoke(request: Request) -> Response:
        lacks = ring.forbidden.get("slack")
        if lacks:
            raise Refusal(*counter.forbidden(lacks))
        ring.end("slack", request.state.key.id)
        note(request, f"ended {request.state.key.id}")
        return JSONResponse({"ok": True, "revoked": True})

    async def test(request: Request) -> Response:
        only_reads(request)
        return JSONResponse({"ok": True, "team_id": "T1"})

    return counter.mount(("/auth.revoke", {"POST": revoke}), ("/auth.test", {"POST": test}))


def mounts(memory: Memory, ring: Keyring) -> list[Mount]:
    """Put all of them side by side."""
    every = (stripe, twilio, sendgrid, datadog, cloudflare, npm, openai, slack)
    return [*(vendor(memory, ring) for vendor in every), third_github.mount(memory, ring)]
