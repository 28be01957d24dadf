"""Switchboard: fields are changed by compare-and-set, and no other writer is overwritten."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crisis.clients import switchboard
from crisis.domain import protocol
from crisis.errors import RefusedError, TransientError
from tests.clients.servers import Vendor

PATH = "/switches/shop"


@dataclass
class Board:
    """A document with an ETag; `rivals` are changes that come in between the next reads and writes."""

    document: dict[str, Any] = field(
        default_factory=lambda: {"v": 1, "service": "shop", "seq": 4, "mode": "normal", "features": {"search": "on"}}
    )
    rivals: list[dict[str, Any]] = field(default_factory=list)

    def show(self, _: Request) -> Response:
        """Show the document; a rival changes it right after."""
        shown = JSONResponse(self.document, headers={"ETag": f'"{self.document["seq"]}"'})
        if self.rivals:
            self.document = {**self.document, **self.rivals.pop(0), "seq": self.document["seq"] + 1}
        return shown

    def replace(self, body: dict[str, Any]) -> None:
        """Put another document in its place."""
        self.document = body


@pytest.fixture
def board(vendor: Vendor) -> Board:
    """Let the vendor serve the document."""
    board = Board()

    def put(request: Request) -> Response:
        if request.headers["if-match"] != f'"{board.document["seq"]}"':
            return JSONResponse({"error": "changed since"}, 412)
        board.replace(json.loads(vendor.bodies(f"PUT {PATH}")[-1]))
        return JSONResponse(board.document)

    vendor.says(f"GET {PATH}", board.show)
    vendor.says(f"PUT {PATH}", put)
    return board


@pytest.fixture
def client(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[switchboard.Switchboard]:
    """Open the switchboard as the protocol says."""
    monkeypatch.setenv("A_TOKEN", "sw-secret")
    with switchboard.connect(protocol.Switchboard(url=vendor.url + PATH, token="env:A_TOKEN")) as client:
        yield client


def test_only_what_is_named_changes(client: switchboard.Switchboard, board: Board) -> None:
    """The other fields stay, and the sequence grows by one."""
    client.change(mode="maintenance", incident="INC-1")

    assert board.document["mode"] == "maintenance"
    assert board.document["features"] == {"search": "on"}
    assert board.document["seq"] == 5
    assert client.read()[1] == '"5"'


def test_a_change_made_already_writes_nothing(client: switchboard.Switchboard, board: Board) -> None:
    """Asking twice grows the sequence once."""
    client.change(mode="maintenance")

    assert client.change(mode="maintenance")["seq"] == 5
    assert board.document["seq"] == 5


def test_a_rival_is_not_overwritten(client: switchboard.Switchboard, board: Board) -> None:
    """A change that came in between is read, and kept."""
    board.rivals = [{"features": {"search": "off"}}]

    client.change(mode="maintenance")

    assert board.document["features"] == {"search": "off"}
    assert (board.document["mode"], board.document["seq"]) == ("maintenance", 6)


def test_endless_rivals_are_transient(client: switchboard.Switchboard, board: Board) -> None:
    """The tries are bounded."""
    board.rivals = [{"until": str(i)} for i in range(100)]

    with pytest.raises(TransientError, match="somebody else's change"):
        client.change(mode="maintenance")

    assert board.document["mode"] == "normal"


def test_a_document_without_etag_is_refused(client: switchboard.Switchboard, vendor: Vendor) -> None:
    """Without an ETag nothing is written, because it could overwrite."""
    vendor.says(f"GET {PATH}", {"seq": 1, "mode": "normal"})

    with pytest.raises(RefusedError, match="ETag"):
        client.change(mode="maintenance")

    assert not vendor.bodies(f"PUT {PATH}")
