"""Body: read what is posted, up to a limit that holds whatever the headers say."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

__all__ = ["BadBodyError", "Space", "read_body"]

_PATIENCE = 15.0


class BadBodyError(Exception):
    """What was posted cannot be taken; has the status to answer and why, and in a word what we are short of."""

    def __init__(self, status: HTTPStatus, because: str, short_of: str = "") -> None:
        super().__init__(because)
        self.status, self.because, self.short_of = status, because, short_of


class Space:
    """How many bytes of bodies may be in memory at once; each has its share until it is answered."""

    def __init__(self, limit: int) -> None:
        self.limit, self.taken = limit, 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Give what takes more of the space, piece by piece; BadBodyError 503 when there is no more."""
        mine = 0

        def take(length: int) -> None:
            nonlocal mine
            if self.taken + length > self.limit:
                raise BadBodyError(HTTPStatus.SERVICE_UNAVAILABLE, "too much comes at once; send it again", "memory")
            self.taken, mine = self.taken + length, mine + length

        try:
            yield take
        finally:
            self.taken -= mine


async def read_body(
    request: Request, limit: int, patience: float = _PATIENCE, take: Callable[[int], None] | None = None
) -> bytes:
    """Return the body; BadBodyError when it is longer than the limit, too slow or cut off, or `take` says no."""
    too_long = BadBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {limit} bytes")
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and (len(said) > len(str(limit)) or int(said) > limit):
        raise too_long
    chunks: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(patience):
            async for chunk in request.stream():
                length += len(chunk)
                if length > limit:
                    raise too_long
                if take is not None:
                    take(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "the body came too slowly") from None
    except ClientDisconnect:
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "the body was cut off") from None
    return b"".join(chunks)
