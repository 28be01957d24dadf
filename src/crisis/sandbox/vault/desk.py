"""Desk: what every engine of the stand-in answers with, and how its paths are told apart."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crisis.sandbox.vault.state import Mount, State, Token

__all__ = ["Answer", "Call", "Page", "Pages", "Refused", "Reply", "data", "keys", "nothing"]


@dataclass(frozen=True)
class Reply:
    """An answer: a status, and a body or none."""

    status: int
    body: dict[str, Any] | None = None


class Refused(Exception):  # noqa: N818 - it carries an answer, it is not a failure of ours
    """Answers with errors, in Vault's shape."""

    def __init__(self, status: int, *errors: str, body: dict[str, Any] | None = None) -> None:
        self.status, self.errors, self.body = status, list(errors), body
        super().__init__(f"{status}")


@dataclass
class Call:
    """One request, understood: who asks what of which engine."""

    state: State
    op: str
    path: str
    body: Mapping[str, Any]
    query: Mapping[str, str]
    token: Token | None
    mount: Mount
    mounted: str
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def me(self) -> Token:
        """The token of the caller; 403 without one."""
        if self.token is None:
            raise Refused(403, "permission denied")
        return self.token

    def text(self, name: str) -> str:
        """Return a field of the body that must be there."""
        if not self.body.get(name):
            raise Refused(400, f"missing {name}")
        return str(self.body[name])

    def whole(self, name: str, default: int = 0) -> int:
        """Return a number of the body; durations may end in `s`, `m` or `h`."""
        value = self.body.get(name, default)
        match = re.fullmatch(r"(-?\d+)([smh]?)", str(value))
        if match is None:
            raise Refused(400, f"{name} is no number")
        return int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


Answer = Callable[[Call], Reply]


@dataclass(frozen=True)
class Page:
    """One kind of path: who answers what on it, and what says whether a write makes something new."""

    pattern: re.Pattern[str]
    answers: Mapping[str, Answer]
    exists: Callable[[Call], bool] | None = None


class Pages:
    """The paths of one kind of engine, first fit first; `{name}` is one segment, `{name...}` the rest."""

    def __init__(self, *pages: tuple[str, Mapping[str, Answer]], exists: Mapping[str, Callable[[Call], bool]]) -> None:
        self._pages = [Page(_compiled(spec), answers, exists.get(spec)) for spec, answers in pages]

    def find(self, path: str) -> tuple[Page, dict[str, str]] | None:
        """Return the page of a path and what its braces stand for."""
        for page in self._pages:
            if (match := page.pattern.fullmatch(path)) is not None:
                return page, match.groupdict()
        return None


def _compiled(spec: str) -> re.Pattern[str]:
    text = re.sub(r"\{(\w+)\.\.\.\}", r"(?P<\1>.*)", spec)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", text))


def data(found: Mapping[str, Any] | None = None, **more: Any) -> Reply:
    """Answer 200 in Vault's envelope."""
    envelope = {
        "request_id": secrets.token_hex(16), "lease_id": "", "renewable": False, "lease_duration": 0,
        "data": found, "wrap_info": None, "warnings": None, "auth": None,
    }  # fmt: skip
    return Reply(200, {**envelope, **more})


def keys(names: list[str], **more: Any) -> Reply:
    """Answer a LIST; an empty one is a 404."""
    if not names:
        raise Refused(404)
    return data({"keys": sorted(names), **more})


def nothing() -> Reply:
    """Answer 204."""
    return Reply(204)
