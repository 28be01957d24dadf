"""The signing key: made once, whole, for us alone; and a line about what is wrong with it."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from crisis.errors import ProtocolError
from crisis.settings import Settings

READ = "import sys; from crisis.settings import Settings; sys.stdout.write(Settings().signing_key().decode())"


def test_key_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    """The first call makes a file that only we can read; every later one returns the same."""
    home = tmp_path / "home"
    key = Settings(home=home).signing_key()

    assert len(key) == 64
    assert [(file.name, file.stat().st_mode & 0o777) for file in home.iterdir()] == [("signing.key", 0o600)]
    assert Settings(home=home).signing_key() == key


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    """Whoever is first makes it, and nobody reads half of it."""
    environment = {"CRISIS_HOME": str(tmp_path / "home"), "PATH": ""}
    started = [
        subprocess.Popen([sys.executable, "-c", READ], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    keys = {process.communicate()[0] for process in started}

    assert len(keys) == 1
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["signing.key"]
    assert (tmp_path / "home" / "signing.key").read_text() in keys


def test_key_of_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is set is used, makes no file, and stands in no text about the settings."""
    monkeypatch.setenv("CRISIS_SIGNING_KEY", "s" * 32)
    settings = Settings(home=tmp_path)

    assert settings.signing_key() == b"s" * 32
    assert list(tmp_path.iterdir()) == []
    assert "sss" not in repr(settings)
    assert Settings(home=tmp_path, signing_key_text=None).signing_key() != b"s" * 32


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 64, b" " * 64])
def test_key_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    """An empty, short or strange file is never used as a key, and never replaced."""
    file = tmp_path / "signing.key"
    file.write_bytes(content)
    with pytest.raises(ProtocolError) as caught:
        Settings(home=tmp_path).signing_key()

    assert str(caught.value).startswith(f"{file}: wanted a ")
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == content


def test_key_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """So is one that cannot be read, or a home that cannot be written."""
    (tmp_path / "signing.key").mkdir()
    with pytest.raises(ProtocolError, match="wanted a readable signing key, saw Is a directory"):
        Settings(home=tmp_path).signing_key()
    (tmp_path / "file").write_text("")
    with pytest.raises(ProtocolError):
        Settings(home=tmp_path / "file" / "home").signing_key()


def test_short_key_of_the_environment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short one is said by the name of its variable, without it."""
    monkeypatch.setenv("CRISIS_SIGNING_KEY", "hush")
    with pytest.raises(ProtocolError, match="CRISIS_SIGNING_KEY: wanted a key of 32 characters or more") as caught:
        Settings(home=tmp_path).signing_key()

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "peers"),
    [
        ("X-Forwarded-User", ""),
        (None, "10.0.0.5"),
        ("X-Forwarded-User", "10.0.0.5/8"),
        ("X-Forwarded-User", "proxy.internal"),
        ("X Forwarded", "10.0.0.5"),
    ],
)
def test_proxy_is_set_up_wholly_or_not(header: str | None, peers: str) -> None:
    """A header without the addresses that it counts from is no setting, nor are addresses that are none."""
    with pytest.raises(ValidationError):
        Settings(proxy_header=header, proxy_from=peers)
