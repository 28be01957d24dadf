"""
Canaries: made-up secrets that a drill plants, and the search for any trace of them in what it left behind.

`python -m crisis.drill.canaries CANARIES.json PATH…` ends 1 and names canary, file and encoding of each hit, never the
secret.
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
from urllib.parse import quote, quote_plus

from crisis.drill.planting import MAKERS, planted

__all__ = ["Hit", "main", "make", "search", "search_text", "sinks", "text_of"]

_DEEPEST = 4
_SHORTEST = 6
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
    """
    A canary that got out: its name, the file, and how it is spelt there.

    The encoding is plain, json, url, base64, hex or utf-16; `in gzip` and the like stand behind it where it was packed.
    """

    canary: str
    file: str
    encoding: str


def make() -> dict[str, str]:
    """Return one canary of each kind that is recognised, by kind; new ones each time."""
    return {kind: one() for kind, one in MAKERS.items()}


def text_of(canaries: Mapping[str, str]) -> str:
    """Write canaries as they stand in a file of variables."""
    return "\n".join(planted(kind, secret) for kind, secret in canaries.items())


def sinks(places: Iterable[Path]) -> list[Path]:
    """List the files that a search looks through: those named, and those below the folders named."""
    found = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*")))]
    return [file for file in dict.fromkeys(found) if file.is_file()]


def search(canaries: Mapping[str, str], places: Iterable[Path]) -> list[Hit]:
    """
    Look for secrets, by name, in files and in all that lies below folders.

    SQLite databases are read raw, their write-ahead logs beside them too, and value by value; packed contents are
    unpacked. A hit is listed once for each name, file and encoding.
    """
    traces = _traces(canaries)
    return list(dict.fromkeys(hit for file in sinks(places) for hit in _in_file(traces, file)))


def search_text(canaries: Mapping[str, str], text: str, where: str = "text") -> list[Hit]:
    """Look through a text, such as what a terminal showed, and what is packed or coded in it."""
    return list(dict.fromkeys(_in_bytes(_traces(canaries), text.encode("utf-8", "replace"), where)))


_Traces = dict[bytes, tuple[str, str]]


def _traces(canaries: Mapping[str, str]) -> _Traces:
    """Return the bytes that give a canary away, with its name and how it is spelt."""
    # A private key is looked for by its lines as well: a log breaks it up.
    return {
        trace: (name, encoding)
        for name, secret in canaries.items()
        for part in {secret, *(line for line in secret.splitlines() if len(line) > 40 and "-----" not in line)}  # noqa: PLR2004
        for encoding, trace in _spellings(part)
        if len(trace) >= _SHORTEST
    }


def _spellings(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yield how a secret may be spelt, the plainest last: what looks the same in two encodings is called by that."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield "utf-16", secret.encode("utf-16-le", "surrogatepass")
    yield from (("hex", one.encode()) for one in (raw.hex(), raw.hex().upper()))
    for before in range(3):  # what stands before shifts the letters; those at the ends depend on the neighbours
        coded = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        inner = coded[(0, 2, 3)[before] : len(coded) - (1 if (before + len(raw)) % 3 else 0)]
        yield from (("base64", one) for one in (inner, inner.translate(bytes.maketrans(b"+/", b"-_"))))
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw), quote(quote(raw, safe=""), safe="")}
    yield from (("url", one.encode()) for form in quoted for one in (form, re.sub("%..", _lower, form)))
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], secret.replace("/", "\\/")}
    escaped |= {json.dumps(one)[1:-1] for one in escaped} | {repr(secret)[1:-1]}
    yield from (("json", one.encode("utf-8", "surrogatepass")) for one in escaped)
    yield "plain", raw


def _lower(match: re.Match[str]) -> str:
    return match[0].lower()


def _in_file(traces: _Traces, file: Path) -> Iterator[Hit]:
    content = file.read_bytes()
    yield from _in_bytes(traces, content, str(file))
    if content.startswith(_SQLITE):
        # Read raw alone, a long value would be missed: it is cut into pages.
        for value in _values(file):
            yield from _in_bytes(traces, value, str(file))


def _values(file: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        tables = [name.decode() for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for name in tables:
            quoted = name.replace('"', '""')
            for row in database.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 - a table's own name
                yield from (value for value in row if isinstance(value, bytes))


def _in_bytes(traces: _Traces, content: bytes, where: str, packed: str = "", depth: int = 0) -> Iterator[Hit]:
    for trace, (name, encoding) in traces.items():
        if trace in content:
            yield Hit(name, where, f"{encoding}{packed}")
    if depth < _DEEPEST:
        for kind, inner in _unpacked(content):
            yield from _in_bytes(traces, inner, where, f"{packed} in {kind}", depth + 1)


def _unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what is compressed or coded in some bytes, as Prefect keeps results, and how."""
    for head, unpack in _PACKED.items():
        if content.startswith(head):
            try:
                yield unpack.__module__.removeprefix("_"), unpack(content)
            except _UNREADABLE:
                continue
    for match in _CODED.finditer(content):
        run = _BREAKS.sub(b"", match[0]).rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        try:
            inner = base64.b64decode(run + b"=" * (-len(run) % 4))
        except binascii.Error:
            continue
        if inner.startswith(tuple(_PACKED)):
            yield "base64", inner


def main(words: Iterable[str]) -> int:
    """Search the places that were named; 0 when nothing is found."""
    file, *places = words
    looked = sinks(map(Path, places))
    hits = search(json.loads(Path(file).read_text(encoding="utf-8")), looked)
    for hit in hits:
        sys.stdout.write(f"{hit.canary}: {hit.file} ({hit.encoding})\n")
    sys.stdout.write(f"canaries: {len(hits)} hits in {len(looked)} sinks\n")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
