"""Body: read what is posted, up to a limit that holds whatever the headers say."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

__all__ = ["BadBodyError", "Share", "Space", "read_body"]

_PATIENCE = 15.0
_SLOW = 1.0
"""Seconds after which a body that is still coming may be given up for another, where space is short."""


class BadBodyError(Exception):
    """What was posted cannot be taken; has the status to answer and why, and in a word what we are short of."""

    def __init__(self, status: HTTPStatus, because: str, short_of: str = "") -> None:
        super().__init__(because)
        self.status, self.because, self.short_of = status, because, short_of


class Space:
    """How many bytes of bodies may be in memory at once; each has its share until it is answered."""

    def __init__(self, limit: int) -> None:
        self.limit, self.taken = limit, 0
        self._coming: dict[Share, None] = {}

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Give what takes more of the space, piece by piece; BadBodyError 503 when there is no more."""
        mine = Share(self)
        try:
            yield mine
        finally:
            mine.give_back()

    @contextmanager
    def while_it_comes(self, share: "Share") -> Iterator[None]:
        """Know that a body is still coming."""
        self._coming[share] = None
        try:
            yield
        finally:
            self._coming.pop(share, None)

    def drop_slowest(self, besides: "Share") -> bool:
        """Give up the body that has been coming for longest; False when none of them is slow."""
        slowest = next((one for one in self._coming if one is not besides and one.is_slow), None)
        if slowest is not None:
            del self._coming[slowest]
            slowest.drop()
        return slowest is not None


class Share:
    """What one body has taken of a space. One that comes slowly has to make room for those that come after it."""

    def __init__(self, space: Space) -> None:
        self.space, self.taken, self.dropped = space, 0, False
        self._since = time.monotonic()
        self._deadline: asyncio.Timeout | None = None

    @property
    def is_slow(self) -> bool:
        """Whether it has been coming for longer than an honest one takes."""
        return time.monotonic() > self._since + _SLOW

    def take(self, length: int) -> None:
        """Take more; BadBodyError 503 when there is no more, and none that is slow makes room."""
        while self.space.taken + length > self.space.limit:
            if not self.space.drop_slowest(self):
                raise _too_much()
        self.space.taken, self.taken = self.space.taken + length, self.taken + length

    @contextmanager
    def within(self, deadline: asyncio.Timeout) -> Iterator[None]:
        """Say when the body must be there; being dropped ends that at once."""
        self._deadline = deadline
        with self.space.while_it_comes(self):
            yield

    def drop(self) -> None:
        """Give the space back, and end the reading."""
        self.dropped = True
        self.give_back()
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())

    def give_back(self) -> None:
        """Give the space back."""
        self.space.taken, self.taken = self.space.taken - self.taken, 0


async def read_body(request: Request, limit: int, patience: float = _PATIENCE, share: Share | None = None) -> bytes:
    """Return the body; BadBodyError when it is longer than the limit, too slow or cut off, or there is no space."""
    too_long = BadBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {limit} bytes")
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and (len(said) > len(str(limit)) or int(said) > limit):
        raise too_long
    chunks: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(patience) as deadline:
            with share.within(deadline) if share else nullcontext():
                async for chunk in request.stream():
                    length += len(chunk)
                    if length > limit:
                        raise too_long
                    if share is not None:
                        share.take(len(chunk))
                    chunks.append(chunk)
    except TimeoutError:
        if share is not None and share.dropped:
            raise _too_much() from None
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "the body came too slowly") from None
    except ClientDisconnect:
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "the body was cut off") from None
    return b"".join(chunks)


def _too_much() -> BadBodyError:
    return BadBodyError(HTTPStatus.SERVICE_UNAVAILABLE, "too much comes at once; send it again", "memory")
