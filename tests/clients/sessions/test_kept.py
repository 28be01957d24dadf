"""What is kept of a canary: whole, for us alone, and told from what we did not keep."""

from pathlib import Path

import pytest

from crisis.clients.sessions.canary import Jar
from crisis.clients.sessions.kept import Kept, Shelf
from crisis.errors import ProtocolError

KEY = b"a" * 32


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    """Cookies and kept texts come back as they were; another system has none."""
    jar = Jar((("sid", "secret", "127.0.0.1", "/"),), {"token": "secret too"})
    kept = Kept(taken_at=1.5, jar=jar, mark="m", epoch=7)
    Shelf(tmp_path, "INC-1", KEY).keep("shop", kept)

    again = Shelf(tmp_path, "INC-1", KEY)

    assert (again.read("shop"), again.read("other")) == (kept, None)


def test_nothing_is_left_once_it_is_forgotten(tmp_path: Path) -> None:
    """The file is gone, and forgetting twice is no error."""
    shelf = Shelf(tmp_path, "INC-1", KEY)
    shelf.keep("shop", Kept())

    shelf.forget("shop")
    shelf.forget("shop")

    assert list((tmp_path / "canaries").iterdir()) == []


@pytest.mark.parametrize("text", [b"", b"not ours", None])
def test_what_cannot_be_read_any_more_is_told(tmp_path: Path, text: bytes | None) -> None:
    """A damaged file, or one of another signing key, is a mistake that says what to do."""
    Shelf(tmp_path, "INC-1", KEY).keep("shop", Kept())
    if text is not None:
        (tmp_path / "canaries" / "INC-1.shop").write_bytes(text)
    shelf = Shelf(tmp_path, "INC-1", KEY if text is not None else b"b" * 32)

    with pytest.raises(ProtocolError, match="was the signing key changed"):
        shelf.read("shop")


def test_a_home_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    """A file in the place of the folder stops the taking, not the proof later."""
    (tmp_path / "canaries").write_text("")

    with pytest.raises(ProtocolError, match="canaries: wanted a folder to write to"):
        Shelf(tmp_path, "INC-1", KEY).keep("shop", Kept())
