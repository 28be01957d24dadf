"""Intake: alerts come in, are kept, and are answered at once. What they mean is found out later, from the inbox."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from crisis.domain.alerting import AlertSender
from crisis.domain.clock import utc_now, write_time
from crisis.errors import TransientError
from crisis.journal.inbox import Delivery
from crisis.logs import Seldom
from crisis.receiver.authenticity import Headers, fetches, is_authentic, is_signed, references_of, signs
from crisis.receiver.body import BadBodyError, Share, Space, read_body
from crisis.receiver.context import Context
from crisis.receiver.keeper import FullError, Keeper, LostError
from crisis.receiver.keyring import Keyring, Keys
from crisis.receiver.metrics import UNKNOWN, Metrics
from crisis.receiver.senders.alert import Message
from crisis.receiver.senders.registry import delivery_key, kept_headers, kind_named, read_as

__all__ = ["BODY_LIMIT", "add_intake"]

BODY_LIMIT = 5 * 1024 * 1024

_LARGE = 32 * 1024
"""Bodies from this size on are read in a thread: the loop would stand still for milliseconds."""

_MEMORY = 96 * 1024 * 1024
_MEMORY_FOR_STRANGERS = 32 * 1024 * 1024
"""Bytes of bodies that must be read before their signature can prove anything; the others are not held up by them."""

_LATER = "it could not be proved yet; send it again"
_RETRY = {"queue": "5", "store": "5", "memory": "5", "proof": "10"}
"""Seconds after which a sender may try again, by what we are short of."""

_LOG = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class _DirectRoute(APIRoute):
    """
    A route that hands a request straight to its function, and what that answers straight to the server.

    FastAPI's own way, with dependencies, validation and two exit stacks, costs as much again as all that we do.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; another method than the route's goes FastAPI's way, to a 405."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive), **scope["path_params"])
        await response(scope, receive, send)


def add_intake(router: APIRouter, context: Context, metrics: Metrics) -> None:
    """Add the routes that take alerts to the application's own router, where a route is found soonest."""
    intake = _Intake(context, metrics)

    async def take(request: Request, sender: str) -> JSONResponse:
        """Keep a delivery of a sender that proved itself."""
        return await intake.answer(_Post(request, sender))

    async def take_by_address(request: Request, sender: str, secret: str) -> JSONResponse:
        """Keep a delivery of a sender that can show its secret in the address alone."""
        return await intake.answer(_Post(request, sender, secret))

    for path, endpoint in (("/alerts/{sender}", take), ("/alerts/{sender}/{secret}", take_by_address)):
        router.add_api_route(path, endpoint, methods=["POST"], route_class_override=_DirectRoute)


@dataclass(frozen=True)
class _Post:
    """A request that wants to be taken as a delivery of a sender."""

    request: Request = field(repr=False)
    sender: str
    in_address: str = field(default="", repr=False)

    @cached_property
    def headers(self) -> Headers:
        return self.request.headers.items()

    @property
    def compressed(self) -> bool:
        return self.request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


class _Intake:
    """Proves, reads and keeps deliveries. The loop waits for nothing: what may take a while is done in threads."""

    def __init__(self, context: Context, metrics: Metrics) -> None:
        self.context, self.protocol, self.metrics = context, context.protocol, metrics
        self.seldom, self.keyring = Seldom(_LOG), Keyring()
        self.keeper = Keeper(context.inbox.put_all)
        self.proved, self.strangers = Space(_MEMORY), Space(_MEMORY_FOR_STRANGERS)
        self._threads = ThreadPoolExecutor(2, "crisis-intake")
        metrics.watch_waiting(lambda: self.keeper.waiting)

    async def answer(self, post: _Post) -> JSONResponse:
        """Take a delivery and say so, or say why not."""
        began, status = time.perf_counter(), HTTPStatus.INTERNAL_SERVER_ERROR  # of what nobody foresaw
        refused = None
        try:
            delivery = await self._take(post)
            status = HTTPStatus.ACCEPTED
        except (BadBodyError, FullError, LostError, ValueError) as error:
            refused = _refusal(error)
            status = refused.status
        finally:
            seconds = time.perf_counter() - began
            sender = post.sender if post.sender in self.protocol.alerts else UNKNOWN
            self.metrics.answered(sender, status, seconds, refused.short_of if refused else "")
        extra = {"sender": sender, "answer": int(status), "seconds": round(seconds, 6), "peer": _peer(post.request)}
        if refused is not None:
            self.seldom.warn(f"a delivery was refused: {refused.because}", extra)
            return _refused(refused)
        _LOG.debug("a delivery was kept", extra={"delivery": delivery, **extra})
        self.context.wake()
        return JSONResponse({"delivery": delivery}, status)

    async def _take(self, post: _Post) -> str:
        """Prove a delivery, read it and keep it; return its name once it is safe."""
        signed = signs(self.protocol, post.sender)
        with (self.strangers if signed else self.proved).share() as share:
            raw = await (self._signed_body(post, share) if signed else self._shown_body(post, share))
            if post.compressed:
                raise BadBodyError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is compressed; send it as it is")
            rule, moment = self.protocol.alerts[post.sender], utc_now()
            large = len(raw) > _LARGE
            delivery, kept = await self._run(large, _understood, post.sender, rule, post.headers, raw, moment)
            await self.keeper.keep(Delivery(delivery, post.sender, write_time(moment), raw, headers=kept))
        return delivery

    async def _shown_body(self, post: _Post, share: Share) -> bytes:
        """Return the body of a sender that shows a secret; nobody else's is even read."""
        keys = await self.keyring.keys(references_of(self.protocol, post.sender))
        if not is_authentic(self.protocol, post.sender, post.headers, post.in_address, keys.__getitem__):
            raise _unproved(keys)
        return await read_body(post.request, BODY_LIMIT, share=share)

    async def _signed_body(self, post: _Post, share: Share) -> bytes:
        """Return a body that its sender signed."""
        keys = await self.keyring.keys(references_of(self.protocol, post.sender))
        raw = await read_body(post.request, BODY_LIMIT, share=share)
        slow = len(raw) > _LARGE or fetches(self.protocol, post.sender)
        offer = (self.protocol, post.sender, post.headers, raw, utc_now(), keys.__getitem__)
        try:
            if not await self._run(slow, is_signed, *offer):
                raise _unproved(keys)
        except TransientError as error:
            # A refusal would lose the message: SNS does not repeat what was answered 401.
            self.seldom.warn(f"a proof has to wait: {error}")
            raise BadBodyError(HTTPStatus.SERVICE_UNAVAILABLE, _LATER, "proof") from None
        return raw

    async def _run(self, slow: bool, work: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:  # noqa: FBT001
        """Do some work here, or in a thread where it is slow."""
        if not slow:
            return work(*args, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **named))


def _understood(
    sender: str, rule: AlertSender, headers: Headers, raw: bytes, now: datetime
) -> tuple[str, dict[str, str]]:
    """Name a delivery, and keep the headers it needs; ValueError when it cannot be read."""
    kept = kept_headers(kind_named(rule.kind_as(sender)), headers)
    reading = read_as(sender, rule, raw, kept)
    return delivery_key(sender, rule, Message(raw, kept, rule), reading, now), kept


def _unproved(keys: Keys) -> BadBodyError:
    if keys.lacking:
        # Nor would SNS or PagerDuty repeat this, and the fault is ours.
        return BadBodyError(HTTPStatus.SERVICE_UNAVAILABLE, _LATER, "proof")
    return BadBodyError(HTTPStatus.UNAUTHORIZED, "the sender did not prove itself")


def _refusal(error: Exception) -> BadBodyError:
    if isinstance(error, BadBodyError):
        return error
    if isinstance(error, FullError):
        return BadBodyError(HTTPStatus.SERVICE_UNAVAILABLE, "too many wait to be kept; send it again", "queue")
    if isinstance(error, LostError):
        return BadBodyError(HTTPStatus.SERVICE_UNAVAILABLE, "it could not be kept; send it again", "store")
    return BadBodyError(HTTPStatus.BAD_REQUEST, str(error))


def _refused(refusal: BadBodyError) -> JSONResponse:
    headers = {"Retry-After": _RETRY[refusal.short_of]} if refusal.short_of else {}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": refusal.because}, refusal.status, headers=headers)


def _peer(request: Request) -> str | None:
    return request.client.host if request.client else None
