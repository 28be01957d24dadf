"""What leaked is read from standard input, recognised and never shown; tasks are closed with evidence."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from crisis.commands import leaking
from crisis.commands.baselining import take_baseline
from crisis.commands.starting import start_playbook
from crisis.errors import ProtocolError
from crisis.settings import Settings
from tests.domain.planting import github, mixed


@pytest.fixture
def settings(tmp_path: Path, project: Path) -> Settings:
    """A home of its own, and the sandbox's protocol."""
    return Settings(home=tmp_path, project=project)


@pytest.fixture
def shown() -> Iterator[Console]:
    """A console whose text can be read."""
    with io.StringIO() as text:
        yield Console(file=text, width=200)


def paste(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a text on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def said(console: Console) -> str:
    """Return what was printed."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_pasted_file_becomes_public_names(
    settings: Settings, shown: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key ids as they are, fingerprints for the rest; the secrets are in no parameter and in no output."""
    token, secret = github("ghp_"), mixed(40)
    paste(monkeypatch, f"AWS_ACCESS_KEY_ID=AKIAQWERTYUIOPASDF23\nAWS_SECRET_ACCESS_KEY={secret}\nTOKEN={token}\n")
    found = leaking.read_leaked(settings, ["-"], shown).parameters

    assert "AKIAQWERTYUIOPASDF23" in found["leaked"]
    assert any(name.startswith("hmac:") for name in found["leaked"])
    assert found["incident"].startswith("INC-")
    kept = (
        json.dumps(found) + said(shown) + "".join(one.read_text() for one in settings.home.rglob("*") if one.is_file())
    )
    assert [one for one in (token, secret) if one in kept] == []


def test_a_secret_as_an_argument_is_refused_without_repeating_it(settings: Settings, shown: Console) -> None:
    """Every user of the machine sees arguments: it is to be pasted, and counts as leaked once more."""
    token = github("ghp_")
    with pytest.raises(ProtocolError) as refused:
        leaking.read_leaked(settings, [token], shown)

    assert "a secret" in str(refused.value)
    assert token not in str(refused.value)


@pytest.mark.parametrize("text", ["", "nothing to see here\n"])
def test_a_text_without_a_credential_is_one_line(
    settings: Settings, shown: Console, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Nothing starts by mistake."""
    paste(monkeypatch, text)
    with pytest.raises(ProtocolError, match="wanted a text with a credential"):
        leaking.read_leaked(settings, ["-"], shown)


@pytest.mark.parametrize("before", [b"", b"\x7fELF\x00\xff\xfe\x9c "])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
def test_a_key_is_found_in_whatever_is_pasted(
    settings: Settings, shown: Console, monkeypatch: pytest.MonkeyPatch, before: bytes, coding: str
) -> None:
    """Amid bytes that are no text, and as Windows writes a file."""
    pasted = io.BytesIO(before + "\nAKIAQWERTYUIOPASDF23\n".encode(coding))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(pasted))

    assert leaking.read_leaked(settings, ["-"], shown).parameters["leaked"] == ["AKIAQWERTYUIOPASDF23"]


def test_more_than_anybody_reads_is_refused(
    settings: Settings, shown: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody piped a whole disk: it is not read to its end."""
    paste(monkeypatch, "x" * 10_000_001)
    with pytest.raises(ProtocolError, match="wanted 10 MB at most, saw more; paste the part that leaked"):
        leaking.read_leaked(settings, ["-"], shown)


def test_without_leaked_nothing_is_added(settings: Settings, shown: Console) -> None:
    """Other playbooks know no such parameter."""
    assert leaking.read_leaked(settings, [], shown).parameters == {}


def test_a_baseline_of_what_is_no_account_is_one_line(settings: Settings, shown: Console) -> None:
    """The name is looked up before anything is asked."""
    with pytest.raises(ProtocolError, match="wanted an AWS account, saw nothing of that name"):
        take_baseline(settings, "nowhere", shown)


def test_parameters_of_a_breach_need_a_stack(
    settings: Settings, shown: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go to Prefect, and nowhere where there is none."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(ProtocolError, match="crisis up"):
        start_playbook(settings, "security-breach", "shop", "", 1, None, shown, {"scope": "reach"})
