"""Body: read what is posted, up to a limit that holds whatever the headers say."""

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

__all__ = ["BadBodyError", "read_body"]

_PATIENCE = 15.0


class BadBodyError(Exception):
    """What was posted cannot be taken; has the status to answer and why."""

    def __init__(self, status: HTTPStatus, because: str) -> None:
        super().__init__(because)
        self.status, self.because = status, because


async def read_body(request: Request, limit: int, patience: float = _PATIENCE) -> bytes:
    """Return the body; BadBodyError when it is longer than the limit, too slow or cut off."""
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
                chunks.append(chunk)
    except TimeoutError:
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "the body came too slowly") from None
    except ClientDisconnect:
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "the body was cut off") from None
    return b"".join(chunks)
