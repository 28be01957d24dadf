"""Bounded: a sender's API as it is asked here: no answer longer, slower or deeper than it needs to be."""

import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar, Unpack, cast
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import SecretStr

from crisis.clients.http import Api, Asking
from crisis.errors import RefusedError, TransientError
from crisis.receiver.asking.question import Question
from crisis.settings import read_address, read_reference

__all__ = ["Bounded", "connect", "pages", "rows"]

T = TypeVar("T")
Row = dict[str, Any]

_STEP = 5.0
"""Seconds to connect, and between two parts of an answer."""

_WHOLE = 15.0
"""Seconds for an answer as a whole: its parts may trickle."""

_LONGEST = 16 * 1024 * 1024
_MOST_PAGES = 20
_CURSOR = 500


def connect(question: Question, vendor: str, headers: Mapping[str, str] | None = None) -> "Bounded":
    """Open the API that a question goes to."""
    place = question.place
    basic = place.basic and (SecretStr(place.basic.user), read_reference(place.basic.password))
    bearer = read_reference(place.token) if place.token else None
    # Without compression: a short answer can be packed that is endless when it is unpacked.
    headers = {"Accept-Encoding": "identity", **(headers or {})}
    return Bounded(vendor, read_address(place.url), bearer=bearer, basic=basic, headers=headers, timeout=_STEP)


class Bounded(Api):
    """An API whose answers are cut off where they are too long or too slow. Redirects are refused, as everywhere."""

    def __init__(self, vendor: str, base_url: str, **how: Any) -> None:
        super().__init__(vendor, base_url, **how)
        self._client.event_hooks = {"response": [self._bound]}

    def read(self, response: httpx.Response, parse: Callable[[Any], T], **asking: Unpack[Asking]) -> T:
        """Read the JSON of an answer, or refuse what is nested without end."""
        try:
            return super().read(response, parse, **asking)
        except RecursionError:
            raise self._odd("JSON that is nested without end") from None

    def _bound(self, response: httpx.Response) -> None:
        """Watch over an answer whose head has come, and whose body has not."""
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise self._odd("a compressed one, which was not asked for")
        response.stream = _Watched(cast("httpx.SyncByteStream", response.stream), self)

    def watch(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """Hand on the parts of an answer as long as they are few and quick enough."""
        length, end = 0, time.monotonic() + _WHOLE
        for part in parts:
            length += len(part)
            if length > _LONGEST:
                raise self._odd(f"more than {_LONGEST // 1024 // 1024} MiB")
            if time.monotonic() > end:
                saw, then = f"one that goes on after {_WHOLE:g} s", "try again"
                raise TransientError(
                    self.vendor, vendor=self.vendor, operation="answer", wanted="an answer", saw=saw, then=then
                )
            yield part

    def _odd(self, saw: str) -> RefusedError:
        then = "look whether the address is this vendor's API"
        return RefusedError(
            self.vendor, vendor=self.vendor, operation="answer", wanted="an answer of its API", saw=saw, then=then
        )


class _Watched(httpx.SyncByteStream):
    """The body of an answer, watched over while it is read."""

    def __init__(self, stream: httpx.SyncByteStream, api: Bounded) -> None:
        self.stream, self.api = stream, api

    def __iter__(self) -> Iterator[bytes]:
        yield from self.api.watch(iter(self.stream))

    def close(self) -> None:
        self.stream.close()


def rows(body: Any) -> list[Row]:
    """Read a list of objects; what else stands in it does not matter, another shape is a TypeError."""
    if not isinstance(body, list):
        raise TypeError
    return [one for one in body if isinstance(one, dict)]


def pages(api: Bounded, path: str, **asking: Unpack[Asking]) -> Iterator[list[Row]]:
    """
    Read a list page by page, by the cursor that the header `Link` names; never more than twenty pages.

    Where `ok` has 404, a list that is not there is an empty one.
    """
    asking["params"] = params = dict(asking.get("params", {}))
    for _ in range(_MOST_PAGES):
        response = api.get(path, **asking)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return
        yield api.read(response, rows, **asking)
        cursor = _next(response)
        if not cursor:
            return
        params["cursor"] = cursor


def _next(response: httpx.Response) -> str:
    """Return the cursor of the next page. Its address is not followed: the token would go wherever that points."""
    link = response.links.get("next", {})
    try:
        cursor = parse_qs(urlsplit(link.get("url", "")).query).get("cursor", [""])[0]
    except ValueError:
        return ""
    there = link.get("results", "true") == "true"  # Sentry names a next page also where none is
    return cursor if there and cursor.isprintable() and len(cursor) <= _CURSOR else ""
