"""Intake: alerts come in, are kept, and are answered at once. What they mean is found out later, from the inbox."""

import asyncio
import logging
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from crisis.domain.clock import utc_now
from crisis.errors import JournalError, TransientError
from crisis.receiver.authenticity import is_authentic, is_signed, signs
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context
from crisis.receiver.senders.alert import Message
from crisis.receiver.senders.registry import delivery_key, kept_headers, kind_named, read_as

__all__ = ["BODY_LIMIT", "intake_routes"]

BODY_LIMIT = 5 * 1024 * 1024
_LOG = logging.getLogger(__name__)


def intake_routes(context: Context) -> APIRouter:
    """Return the routes that take alerts."""
    router = APIRouter()

    @router.post("/alerts/{sender}")
    async def take(request: Request, sender: str) -> JSONResponse:
        """Keep a delivery of a sender that proved itself."""
        return await _take(context, request, sender)

    @router.post("/alerts/{sender}/{secret}")
    async def take_by_address(request: Request, sender: str, secret: str) -> JSONResponse:
        """Keep a delivery of a sender that can show its secret in the address alone."""
        return await _take(context, request, sender, secret)

    return router


async def _take(context: Context, request: Request, sender: str, in_address: str = "") -> JSONResponse:
    try:
        raw = await _proved_body(context, request, sender, in_address)
        delivery, headers = await asyncio.to_thread(_understood, context, request, sender, raw)
        await asyncio.to_thread(context.inbox.put, delivery, sender, raw, headers)
    except BadBodyError as error:
        return _refused(error.status, error.because)
    except ValueError as error:
        return _refused(HTTPStatus.BAD_REQUEST, str(error))
    except TransientError as error:
        # A refusal would lose the message: SNS does not repeat what was answered 401.
        _LOG.warning("a delivery of %s was turned away for now: %s", sender, error)
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "it could not be proved yet; send it again", retry="10")
    except JournalError:
        # The message would name the store's address: it stays in our log.
        _LOG.exception("a delivery of %s was turned away: it could not be kept", sender)
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "it could not be kept; send it again", retry="5")
    context.wake()
    return JSONResponse({"delivery": delivery}, HTTPStatus.ACCEPTED)


async def _proved_body(context: Context, request: Request, sender: str, in_address: str) -> bytes:
    """Return the body of a sender that proved itself; without a signature nobody's body is even read before that."""
    signed = signs(context.protocol, sender)
    headers = request.headers.items()
    if not signed and not await asyncio.to_thread(is_authentic, context.protocol, sender, headers, in_address):
        raise BadBodyError(HTTPStatus.UNAUTHORIZED, "the sender did not prove itself")
    raw = await read_body(request, BODY_LIMIT)
    if signed and not await asyncio.to_thread(is_signed, context.protocol, sender, headers, raw):
        raise BadBodyError(HTTPStatus.UNAUTHORIZED, "the sender did not prove itself")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise BadBodyError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is compressed; send it as it is")
    return raw


def _understood(context: Context, request: Request, sender: str, raw: bytes) -> tuple[str, dict[str, str]]:
    """Name a delivery, and keep the headers it needs; ValueError when it cannot be read."""
    rule = context.protocol.alerts[sender]
    headers = kept_headers(kind_named(rule.kind_as(sender)), request.headers.items())
    reading = read_as(sender, rule, raw, headers)
    return delivery_key(sender, rule, Message(raw, headers, rule), reading, utc_now()), headers


def _refused(status: HTTPStatus, because: str, retry: str = "") -> JSONResponse:
    headers = {"Retry-After": retry} if retry else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": because}, status, headers=headers)
