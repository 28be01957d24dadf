"""GitHub tokens pasted as leaked are ended from the command line, proved refused, and put on record."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console
from starlette.applications import Starlette

from crisis.commands.leaking import Pasted, hint, read_leaked
from crisis.commands.revoking import start_and_revoke
from crisis.errors import CrisisError, ProtocolError, UnprovenError
from crisis.journal.store import Journal
from crisis.sandbox.keyring import Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.third import mounts
from crisis.settings import Settings
from tests.clients.servers import Served
from tests.domain.planting import github, mixed


@dataclass
class Desk:
    """Where somebody pastes what leaked, and the GitHub that the protocol names."""

    settings: Settings
    ring: Keyring
    shown: Console
    starts: int = 0

    def paste(self, monkeypatch: pytest.MonkeyPatch, *tokens: str) -> Pasted:
        """Paste tokens that GitHub knows, beside a secret of another kind."""
        for number, token in enumerate(tokens):
            self.ring.mint("github", f"token:{number}", token)
        text = "\n".join([*(f"TOKEN_{n}={one}" for n, one in enumerate(tokens)), f"STRIPE=rk_live_{mixed(24)}"])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return read_leaked(self.settings, ["-"], self.shown)

    def start(self) -> None:
        """Start a run."""
        self.starts += 1

    def revoke(self, pasted: Pasted) -> None:
        """Revoke what was pasted."""
        start_and_revoke(self.settings, pasted, "ada", self.start, self.shown)

    def notes(self, pasted: Pasted) -> list[tuple[str, str]]:
        """Return who noted what on the incident's record."""
        journal = Journal.open(self.settings.journal)
        found = journal.entries(str(pasted.parameters["incident"]))
        journal.close()
        return [(entry.actor, str(entry.body["says"])) for entry in found if entry.kind == "note"]

    @property
    def said(self) -> str:
        """What was printed."""
        assert isinstance(self.shown.file, io.StringIO)
        return self.shown.file.getvalue()


@pytest.fixture
def desk(tmp_path: Path, project: Path) -> Iterator[Desk]:
    """Serve a GitHub that the protocol names; an ended token must be refused at once."""
    ring, text = Keyring(), (project / "protocol.yaml").read_text(encoding="utf-8")
    (tmp_path / "prefect.yaml").write_text((project / "prefect.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with Served(Starlette(routes=mounts(Memory(), ring))) as url, io.StringIO() as shown:
        system = f"{{kind: github keys, url: '{url}/third/github', token: 'env:NOT_NEEDED', patience: 100ms}}"
        (tmp_path / "protocol.yaml").write_text(f"{text}\nsystems: {{code: {system}}}\n", encoding="utf-8")
        settings = Settings(home=tmp_path / "home", project=tmp_path)
        yield Desk(settings, ring, Console(file=shown, width=300))


def test_each_token_is_revoked_proved_and_on_record(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub is given each, refuses each, and the incident learns it; no token is printed or written."""
    tokens = [github("ghp_"), github("gho_"), github("ghr_")]
    pasted = desk.paste(monkeypatch, *tokens)
    desk.revoke(pasted)

    assert desk.ring.living("github") == []
    assert (desk.ring.revoke_calls, desk.starts) == ([3], 1)
    assert [desk.said.count(fate) for fate in ("revoked: GitHub refuses it", "cannot be tried")] == [2, 1]
    ((who, says),) = desk.notes(pasted)
    assert who == "ada"
    assert "handed 3 GitHub tokens that had leaked to GitHub" in says
    assert [one.name in says for one in pasted.tokens] == [True] * 3
    files = [one for one in desk.settings.home.rglob("*") if one.is_file()]
    assert [token for token in tokens if token in desk.said + says] == []
    assert [token for token in tokens for one in files if token.encode() in one.read_bytes()] == []


def test_a_github_that_lies_and_an_installation_s_token_are_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still accepted is named, on record, and ends the command badly; the run goes on."""
    pasted = desk.paste(monkeypatch, github("ghp_"), github("ghs_"))
    desk.ring.stubborn.add("github")
    with pytest.raises(UnprovenError, match="saw 2 of 2 still accepted"):
        desk.revoke(pasted)

    assert "STILL ACCEPTED: revoke it in its owner's settings" in desk.said
    assert "STILL ACCEPTED: an installation's" in desk.said
    assert desk.notes(pasted)[0][1].count("STILL ACCEPTED") == 2
    assert desk.starts == 1


def test_a_github_that_is_away_proves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is not called an end."""
    pasted = desk.paste(monkeypatch, github("ghp_"))
    desk.ring.throttled["github"] = (99, 1)
    with pytest.raises(UnprovenError, match="1 of 1 still accepted, or not tried"):
        desk.revoke(pasted)

    assert "NOT PROVED: wanted github to revoke leaked tokens, saw 429" in desk.said
    assert len(desk.notes(pasted)) == 1


def test_tokens_die_although_no_run_starts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is that of the start, and nothing stands on the record of a run that is none."""
    pasted = desk.paste(monkeypatch, github("ghp_"))

    def fails() -> None:
        raise ProtocolError("crisis up", wanted="a running one", saw="none")

    with pytest.raises(CrisisError, match="wanted a running one"):
        start_and_revoke(desk.settings, pasted, None, fails, desk.shown)

    assert desk.ring.living("github") == []
    assert desk.notes(pasted) == []


def test_nothing_is_revoked_unless_somebody_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hint says what could be done; without GitHub tokens there is none, and --revoke is a mistake."""
    pasted = desk.paste(monkeypatch, github("ghp_"))
    hint(pasted, desk.shown)
    with pytest.raises(ProtocolError, match="--revoke: wanted a text with GitHub tokens, saw none"):
        desk.revoke(Pasted(pasted.parameters))
    before = desk.said
    hint(Pasted(pasted.parameters), desk.shown)

    assert "1 GitHub token left alive: with --revoke" in before
    assert desk.said == before
    assert (desk.ring.revoke_calls, desk.starts) == ([], 0)
    assert isinstance(pasted.tokens[0].secret, SecretStr)
