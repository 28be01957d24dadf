"""The keyring: secrets are at hand for a few seconds, a changed one counts soon, and the store is asked seldom."""

import asyncio
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from crisis.receiver.keyring import Keyring, Keys


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Stop the time."""
    return Clock()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Keep a token in a file."""
    file = tmp_path / "token"
    _write(file, "the-first-token")
    return file


def _write(file: Path, secret: str) -> None:
    file.write_text(f"{secret}\n", encoding="utf-8")


async def _settled(ring: Keyring, *references: str) -> Keys:
    """Ask for keys, and wait until what was begun behind them is done."""
    keys = await ring.keys(references)
    while tasks := [task for task in asyncio.all_tasks() if task.get_name() == "keyring"]:
        await asyncio.wait(tasks)
    return keys


def test_file_is_read_once_in_five_seconds_and_then_again(clock: Clock, token: Path) -> None:
    """A token that was changed counts five seconds later at the latest, and the old one no longer."""
    reference = f"file:{token}"

    async def rotate() -> list[bytes]:
        ring, found = Keyring(clock=clock), []
        for later in (0.0, 1.0, 5.0):
            clock.now = 100.0 + later
            found.append((await ring.keys([reference]))[reference])
            _write(token, "the-next-token")
        return found

    assert asyncio.run(rotate()) == [b"the-first-token", b"the-first-token", b"the-next-token"]


def test_secret_in_use_is_read_again_before_it_is_too_old(clock: Clock, token: Path) -> None:
    """Half way, the old one still serves and the new one is fetched behind it: nobody waits."""
    reference = f"file:{token}"

    async def rotate() -> list[bytes]:
        ring = Keyring(clock=clock)
        await ring.keys([reference])
        _write(token, "the-next-token")
        clock.now += 3.0
        return [(await _settled(ring, reference))[reference] for _ in range(2)]

    assert asyncio.run(rotate()) == [b"the-first-token", b"the-next-token"]


def test_environment_is_read_at_each_look(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable costs nothing to read, so it is never old."""

    async def rotate() -> list[bytes]:
        ring, found = Keyring(clock=clock), []
        for value in ("one", "two"):
            monkeypatch.setenv("THEIR_TOKEN", value)
            found.append((await ring.keys(["env:THEIR_TOKEN"]))["env:THEIR_TOKEN"])
        return found

    assert asyncio.run(rotate()) == [b"one", b"two"]


def test_what_cannot_be_read_is_empty_and_named(clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is not there may come back, a variable that is not set will not: the first is lacking."""
    gone = f"file:{tmp_path / 'gone'}"

    async def look() -> Keys:
        ring = Keyring(clock=clock)
        for _ in range(50):
            keys = await ring.keys([gone, "env:NOT_SET_HERE"])
            clock.now += 0.1
        return keys

    keys = asyncio.run(look())

    assert (keys[gone], keys["env:NOT_SET_HERE"], keys["env:OTHER"]) == (b"", b"", b"")
    assert keys.lacking == (gone,)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2


@pytest.mark.parametrize("kind", ["file", "block", "vault"])
def test_store_of_secrets_that_is_away_is_no_fault(
    kind: str, clock: Clock, token: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of noise, a Prefect or a Vault that does not answer: nothing is proved, and one line says why."""
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    token.write_bytes(b"\xff\xfe")
    reference = {"file": f"file:{token}", "block": "block:their-token", "vault": "vault:secret/a#b"}[kind]

    async def look() -> Keys:
        return await Keyring(clock=clock).keys([reference])

    keys = asyncio.run(look())

    assert (keys[reference], keys.lacking) == (b"", (reference,))
    assert caplog.text.count(reference) == 1


def test_all_who_wait_share_one_look(clock: Clock, tmp_path: Path) -> None:
    """A hundred requests at the same moment read a secret once; whoever hangs up does not spoil it for the others."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # a second reader would wait for a second writer, and there is none

    async def look() -> list[bytes]:
        ring = Keyring(clock=clock)
        tasks = [asyncio.create_task(ring.keys([f"file:{pipe}"])) for _ in range(100)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        threading.Thread(target=_write, args=(pipe, "from-the-pipe")).start()
        found = await asyncio.gather(*tasks[1:])
        return [keys[f"file:{pipe}"] for keys in found]

    assert asyncio.run(look()) == [b"from-the-pipe"] * 99


def test_keys_do_not_show_themselves(clock: Clock, token: Path) -> None:
    """Neither the keys nor the ring print a secret."""

    async def look() -> str:
        ring = Keyring(clock=clock)
        return f"{await ring.keys([f'file:{token}'])!r} {ring!r}"

    assert "the-first-token" not in asyncio.run(look())
