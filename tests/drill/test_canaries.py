"""The search for canaries finds what is there, however it is spelt and wherever it lies, and nothing else."""

import base64
import gzip
import json
import lzma
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from crisis.domain.redaction import Mask, Touched
from crisis.domain.secret_format import FORMATS
from crisis.domain.sighting import sightings
from crisis.drill.canaries import Hit, main, make, search, search_text, sinks, text_of

ODD = 'plain"w\\ith/odd+signs %ü and words'
"""A secret that no pattern knows, and that each encoding changes."""

SPELT: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "url": quote,
    "base64": lambda secret: base64.b64encode(f"x{secret}y".encode()).decode(),
    "hex": lambda secret: secret.encode().hex(),
}


def into_table(file: Path, content: bytes) -> None:
    """Keep something so deep in a database that it is cut into pages."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE entries (body TEXT)")
        database.execute("INSERT INTO entries VALUES (?)", ["x" * 4000 + content.decode()])
        database.commit()


def into_log_of_database(file: Path, content: bytes) -> None:
    """Leave something in the write-ahead log of a database that is gone on from elsewhere."""
    live = file.with_suffix(".live")
    with closing(sqlite3.connect(live)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE inputs (value BLOB)")
        database.execute("INSERT INTO inputs VALUES (?)", [content])
        database.commit()
        database.execute("DELETE FROM inputs")
        database.commit()
        file.with_name(f"{file.name}-wal").write_bytes(Path(f"{live}-wal").read_bytes())
    live.unlink()


SINKS: dict[str, Callable[[Path, bytes], object]] = {
    "a log": Path.write_bytes,
    "a packed file": lambda file, content: file.write_bytes(gzip.compress(content)),
    "a result": lambda file, content: file.write_text(
        json.dumps({"result": base64.encodebytes(lzma.compress(content)).decode()}), encoding="utf-8"
    ),
    "a packed twice": lambda file, content: file.write_bytes(zlib.compress(gzip.compress(content))),
    "a database": into_table,
    "a write-ahead log": into_log_of_database,
}


@pytest.mark.parametrize("encoding", SPELT)
@pytest.mark.parametrize("sink", SINKS)
def test_a_planted_leak_is_found(tmp_path: Path, sink: str, encoding: str) -> None:
    """In each kind of sink and each encoding the search fails, and says by name what it found and where."""
    folder = tmp_path / "below" / "another"
    folder.mkdir(parents=True)
    SINKS[sink](folder / "sink", f"before {SPELT[encoding](ODD)} after".encode())
    hits = search({"odd": ODD, "other": "never planted"}, [tmp_path])

    assert hits
    assert {hit.canary for hit in hits} == {"odd"}
    assert {hit.encoding.partition(" ")[0] for hit in hits} == {encoding}
    assert all(Path(hit.file).parent == folder for hit in hits)


@pytest.mark.parametrize("kind", make())
def test_each_kind_is_found_and_masked(tmp_path: Path, kind: str) -> None:
    """As it stands in a file of variables it is found; after the mask, the search finds nothing there."""
    canaries = make()
    planted = text_of({kind: canaries[kind]})
    (tmp_path / "masked").write_text(Mask(Touched())(planted), encoding="utf-8")

    assert search_text(canaries, planted)[0] == Hit(kind, "text", "plain")
    assert search(canaries, [tmp_path]) == []


def test_there_is_a_canary_of_every_kind() -> None:
    """Whatever the recogniser knows by its look is planted: a new format without a canary fails here."""
    seen = {one.kind for one in sightings(text_of(make())) if not one.public}
    known = {form.kind for form in FORMATS if not form.public} | {one.partner_kind for one in FORMATS if one.partner}

    assert known | {"password", "named secret", "password in an address", "private key", "web token"} == seen


def test_what_the_run_had_in_hand_is_searched_too(tmp_path: Path) -> None:
    """A secret that looks like nothing is found where it leaked, and not where it was masked as touched."""
    touched = Touched()
    touched.add(SecretStr(ODD))
    (tmp_path / "masked").write_text(Mask(touched)(f"<{ODD}>"), encoding="utf-8")
    (tmp_path / "leaked").write_text(f"<{ODD}>", encoding="utf-8")

    assert search({"session": ODD}, [tmp_path]) == [Hit("session", str(tmp_path / "leaked"), "plain")]


def test_files_are_listed_once(tmp_path: Path) -> None:
    """A folder and a file in it: what was searched is counted by files."""
    (tmp_path / "log").write_text("nothing", encoding="utf-8")

    assert sinks([tmp_path, tmp_path / "log", tmp_path / "absent"]) == [tmp_path / "log"]


def test_the_search_ends_with_one_when_it_finds_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A build fails on one hit, and what is printed names canary and place alone."""
    canaries, where, folder = make(), tmp_path / "canaries.json", tmp_path / "sinks"
    where.write_text(json.dumps(canaries), encoding="utf-8")
    folder.mkdir()
    (folder / "report").write_text("all is well", encoding="utf-8")

    assert main([str(where), str(folder)]) == 0
    (folder / "log").write_text(canaries["stripe key"], encoding="utf-8")
    assert main([str(where), str(folder)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "canaries: 0 hits in 1 sinks",
        f"stripe key: {folder / 'log'} (plain)",
        "canaries: 1 hits in 2 sinks",
    ]
