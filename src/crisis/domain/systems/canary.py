"""Canary: how a session is taken before the others are ended, and what tells that it lives or is refused."""

from typing import Any

from pydantic import Field

from crisis.domain.model import Address, Strict, Text

__all__ = ["Canary", "Opening", "Seen", "Visit"]

_REQUEST = r"^(GET|POST|PUT|PATCH|DELETE) /\S*$"


class Seen(Strict):
    """What an answer looks like: one of these statuses, and a text where one is named."""

    status: tuple[int, ...] = Field(min_length=1, description="HTTP statuses, any of them")
    text: str = Field(default="", description="regular expression that the body, or where it redirects to, must match")


class Visit(Strict):
    """
    One request of the canary.

    In a string, `{kept:NAME}` is what an earlier `keep` found and `{cookie:NAME}` a cookie of the jar; a string that
    is a reference, such as `env:NAME`, stands for its secret.
    """

    request: str = Field(pattern=_REQUEST, description="method and path, for example `POST /login`")
    url: Address | None = Field(default=None, description="another host than the canary's own, or `env:NAME`")
    headers: dict[str, str] = Field(default={}, description="headers to send")
    form: dict[str, str] = Field(default={}, description="fields, sent as a form")
    json_body: dict[str, Any] | None = Field(default=None, alias="json", description="body, sent as JSON")
    keep: dict[str, Text] = Field(
        default={}, description="names, each with a regular expression whose first group is kept from the answer"
    )

    @property
    def method(self) -> str:
        """Return for example `POST`."""
        return self.request.split(" ", 1)[0]

    @property
    def path(self) -> str:
        """Return for example `/login`."""
        return self.request.split(" ", 1)[1]


class Opening(Visit):
    """A request that only a live session may make. It must not use the session up: it is sent again and again."""

    accepted: Seen = Field(default=Seen(status=(200,)), description="what a live session is answered")
    refused: Seen = Field(default=Seen(status=(401, 403)), description="what an ended session is answered")


class Canary(Strict):
    """A user of ours whose session is taken before the end and tried after it."""

    url: Address = Field(description="where the service is reached, or `env:NAME`")
    login: tuple[Visit, ...] = Field(min_length=1, description="how the canary user logs in, request by request")
    opens: tuple[Opening, ...] = Field(min_length=1, description="what only somebody who is logged in may open")
