"""Simple: a vendor that lists its keys at one address, deletes one below it, and answers 401 to a dead one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.clients.third.keys import GONE, ListedKey, forbidden_as, part
from crisis.errors import RefusedError

__all__ = ["SimpleVendor", "Way"]

_MOST_PAGES = 200

Next = Callable[[Any, dict[str, str]], dict[str, str] | None]


@dataclass(frozen=True)
class Way:
    """
    How one vendor's keys are listed and ended.

    `next_page` returns the query of the page after an answer to a query, or None. `ending` is the method and what
    follows the key's id in the path. `below` begins the names of these keys where a vendor has several kinds.
    """

    vendor: str
    listing: str
    read: Callable[[Any], list[ListedKey]]
    may_list: str
    may_end: str
    next_page: Next = lambda _body, _params: None
    first_page: tuple[tuple[str, str], ...] = ()
    ending: tuple[str, str] = ("DELETE", "")
    below: str = ""
    suffix: str = ""


@dataclass(frozen=True)
class SimpleVendor:
    """One account; use it in a `with` block."""

    api: Api
    ways: tuple[Way, ...]
    trial: Callable[[SecretStr], bool]
    ending_at: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def look(self) -> str:
        """List one page of each kind of keys."""
        found = [one for way in self.ways for one in self._page(way, dict(way.first_page))[0]]
        return f"keys can be listed; {len(found)} on the first page"

    def listed(self) -> list[ListedKey] | None:
        """List the keys there are, all pages."""
        return [one for way in self.ways for one in self._list(way)]

    def end(self, name: str, secret: SecretStr | None = None) -> None:  # noqa: ARG002 - some vendors need it
        """End a key by its id."""
        way = next((way for way in self.ways if way.below and name.startswith(way.below)), self.ways[-1])
        method, after = way.ending
        root = self.ending_at or way.listing.removesuffix(way.suffix)
        path = f"{root}/{part(name.removeprefix(way.below))}{after}{way.suffix}"
        try:
            self.api.request(method, path, ok=GONE, operation="end a key", target=name)
        except RefusedError as error:
            raise forbidden_as(error, way.may_end) from None

    def accepts(self, secret: SecretStr) -> bool:
        """Try a key, changing nothing."""
        return self.trial(secret)

    def _list(self, way: Way) -> list[ListedKey]:
        found, params = list[ListedKey](), dict(way.first_page)
        for _ in range(_MOST_PAGES):
            part_of, following = self._page(way, params)
            found += part_of
            if following is None:
                return found
            params |= following
        then = "look at the list by hand"
        raise RefusedError(
            f"{way.vendor} keys", vendor=way.vendor, operation="list keys", wanted="an end", saw="none", then=then
        )

    def _page(self, way: Way, params: dict[str, str]) -> tuple[list[ListedKey], dict[str, str] | None]:
        try:
            answer = self.api.get(way.listing, params=params, operation="list keys", target=f"{way.vendor} keys")
        except RefusedError as error:
            raise forbidden_as(error, way.may_list) from None
        return self.api.read(answer, partial(_page, way, params), operation="list keys", target=f"{way.vendor} keys")


def _page(way: Way, params: dict[str, str], body: Any) -> tuple[list[ListedKey], dict[str, str] | None]:
    named = [ListedKey(f"{way.below}{one.name}", one.holder, one.alive, one.note) for one in way.read(body)]
    return named, way.next_page(body, params)
