"""Intake: alerts come in, are kept, and are answered at once. What they mean is found out later, from the inbox."""

import asyncio
import hashlib
import logging
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from crisis.errors import JournalError
from crisis.receiver.alertmanager import read
from crisis.receiver.authenticity import is_authentic
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context

__all__ = ["BODY_LIMIT", "intake_routes"]

BODY_LIMIT = 5 * 1024 * 1024
_LOG = logging.getLogger(__name__)


def intake_routes(context: Context) -> APIRouter:
    """Return the route that takes alerts."""
    router = APIRouter()

    @router.post("/alerts/{sender}")
    async def take(request: Request, sender: str) -> JSONResponse:
        """Keep a delivery of a sender that proved itself."""
        offered = request.headers.getlist("authorization")
        if not await asyncio.to_thread(is_authentic, context.protocol, sender, offered):
            return _refused(HTTPStatus.UNAUTHORIZED, "the sender did not prove itself")
        try:
            raw = await read_body(request, BODY_LIMIT)
            await asyncio.to_thread(read, raw)
        except BadBodyError as error:
            return _refused(error.status, error.because)
        except ValueError as error:
            return _refused(HTTPStatus.BAD_REQUEST, str(error))
        delivery = hashlib.sha256(sender.encode() + raw).hexdigest()
        try:
            await asyncio.to_thread(context.inbox.put, delivery, sender, raw)
        except JournalError:
            # The message would name the store's address: it stays in our log.
            _LOG.exception("a delivery of %s was turned away: it could not be kept", sender)
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "it could not be kept; send it again", retry="5")
        context.wake()
        return JSONResponse({"delivery": delivery}, HTTPStatus.ACCEPTED)

    return router


def _refused(status: HTTPStatus, because: str, retry: str = "") -> JSONResponse:
    headers = {"Retry-After": retry} if retry else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": because}, status, headers=headers)
