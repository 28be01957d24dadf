"""
Canaries: secrets of every kind that a drill plants, and a search for any trace of them afterwards.

`python -m tests.canaries CANARIES.json PATH…` ends 1 and names kind and place of each hit, never the secret.
"""

import base64
import binascii
import bz2
import gzip
import json
import lzma
import re
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from crisis.domain.redaction import forms
from tests.domain.planting import MAKERS, planted

__all__ = ["Canaries", "Hit", "main"]

_DEEPEST = 4
_SQLITE = b"SQLite format 3\0"
_CODED = re.compile(rb"(?:[A-Za-z0-9+/_-]|\\r|\\n|\s){60,}={0,2}")
_BREAKS = re.compile(rb"\\r|\\n|\s")
_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"\xfd7zXZ\0": lzma.decompress,
    b"BZh": bz2.decompress,
    b"x\x01": zlib.decompress,
    b"x\x9c": zlib.decompress,
    b"x\xda": zlib.decompress,
}
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that got out: its kind, and where."""

    kind: str
    where: str


class Canaries:
    """One secret of each kind, new for each drill."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self.secrets = dict(secrets) if secrets is not None else {kind: make() for kind, make in MAKERS.items()}
        # A private key is looked for by its lines as well: a log breaks it up.
        self._traces = {
            trace
            for kind, secret in self.secrets.items()
            for part in {secret, *(line for line in secret.splitlines() if len(line) > 40 and "-----" not in line)}
            for trace in ((kind, form.encode("utf-8", "replace")) for form in forms(part))
        }
        self._traces |= {(kind, secret.encode("utf-16-le")) for kind, secret in self.secrets.items()}

    def __repr__(self) -> str:
        return f"Canaries({', '.join(self.secrets)})"

    def text(self) -> str:
        """Write them as they stand in a file of variables."""
        return "\n".join(planted(kind, secret) for kind, secret in self.secrets.items())

    def search(self, *places: Path) -> list[Hit]:
        """Look through files, SQLite databases and folders; each kind is named once for each place."""
        files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*")))]
        found = [hit for file in files if file.is_file() for hit in self._in_file(file)]
        return list(dict.fromkeys(found))

    def search_text(self, text: str, where: str = "text") -> list[Hit]:
        """Look through a text, and what is packed or coded in it."""
        return list(dict.fromkeys(self._in_bytes(text.encode("utf-8", "replace"), where)))

    def _in_file(self, file: Path) -> Iterator[Hit]:
        content = file.read_bytes()
        yield from self._in_bytes(content, str(file))
        if content.startswith(_SQLITE):
            # Read raw alone, a long value would be missed: it is cut into pages.
            yield from self._in_database(file)

    def _in_database(self, file: Path) -> Iterator[Hit]:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.text_factory = bytes
            names = [name.decode() for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            for name in names:
                quoted = name.replace('"', '""')
                for row in database.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 - a table's own name
                    for value in row:
                        if isinstance(value, bytes):
                            yield from self._in_bytes(value, f"{file} table {name}")

    def _in_bytes(self, content: bytes, where: str, depth: int = 0) -> Iterator[Hit]:
        yield from (Hit(kind, where) for kind, trace in self._traces if trace in content)
        if depth < _DEEPEST:
            for inner in _unpacked(content):
                yield from self._in_bytes(inner, f"{where}, unpacked" if depth == 0 else where, depth + 1)


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Yield what is compressed or coded in some bytes, as Prefect keeps results."""
    for head, unpack in _PACKED.items():
        if content.startswith(head):
            try:
                yield unpack(content)
            except _UNREADABLE:
                continue
    for match in _CODED.finditer(content):
        run = _BREAKS.sub(b"", match[0]).rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        try:
            inner = base64.b64decode(run + b"=" * (-len(run) % 4))
        except binascii.Error:
            continue
        if inner.startswith(tuple(_PACKED)):
            yield inner


def main(words: Iterable[str]) -> int:
    """Search the places that were named; 0 when nothing is found."""
    file, *places = words
    canaries = Canaries(json.loads(Path(file).read_text(encoding="utf-8")))
    hits = canaries.search(*map(Path, places))
    for hit in hits:
        sys.stdout.write(f"{hit.kind}: {hit.where}\n")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
