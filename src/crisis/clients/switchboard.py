"""Switchboard: the small document outside the service that says normal or maintenance."""

import time
from dataclasses import dataclass
from typing import Any, Self

from crisis.clients.http import Api
from crisis.domain import protocol
from crisis.errors import RefusedError, TransientError
from crisis.settings import read_address, read_reference

__all__ = ["Document", "Switchboard", "connect"]

Document = dict[str, Any]
"""`{"v", "service", "seq", "mode", "features", "message_id", "until", "incident"}`"""

_TRIES = 6
_WAIT = 0.05


def connect(to: protocol.Switchboard) -> "Switchboard":
    """Open the switchboard of a service."""
    return Switchboard(Api("switchboard", read_address(to.url), bearer=read_reference(to.token)))


@dataclass(frozen=True)
class Switchboard:
    """One document, changed by compare-and-set; use it in a `with` block."""

    api: Api

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def read(self) -> tuple[Document, str]:
        """Return the document and its ETag."""
        asking = {"operation": "read the document", "target": "switchboard"}
        response = self.api.get("", operation=asking["operation"], target=asking["target"])
        document = self.api.read(response, _document, operation=asking["operation"], target=asking["target"])
        etag = response.headers.get("etag", "")
        if not etag:
            raise RefusedError(
                "switchboard", vendor="switchboard", operation="read the document", wanted="an ETag", saw="none",
                then="two writers could overwrite each other; serve it with an ETag",
            )  # fmt: skip
        return document, etag

    def change(self, **fields: Any) -> Document:
        """
        Change these fields and no others; somebody else's change in between is kept.

        Again  finds the fields as wanted, and writes nothing.
        """
        for attempt in range(_TRIES):
            document, etag = self.read()
            if all(name in document and document[name] == value for name, value in fields.items()):
                return document
            wanted = {**document, **fields, "seq": document["seq"] + 1}
            written = self.api.put(
                "", json=wanted, headers={"If-Match": etag}, ok=(200, 201, 204, 409, 412),
                operation="write the document", target="switchboard",
            )  # fmt: skip
            if written.is_success:
                return wanted
            time.sleep(_WAIT * attempt)
        raise TransientError(
            "switchboard", vendor="switchboard", operation="write the document", wanted="no other writer",
            saw=f"somebody else's change {_TRIES} times in a row", then="try again",
        )  # fmt: skip


def _document(body: Document) -> Document:
    return {**body, "seq": int(body["seq"]), "mode": str(body["mode"])}
