"""The commands about people, as an operator uses them: enrol, list, remove a passkey."""

import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
import pytest

from crisis.domain.clock import utc_now
from crisis.domain.passkey import LINK_LASTS, Link, fold_passkeys
from crisis.domain.person import PEOPLE
from crisis.domain.plan import CHANGE
from crisis.engine.booth import Booth
from crisis.engine.passkeys import creation_options, register
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings
from tests.cli.conftest import INCIDENT, Crisis, Said
from tests.domain.story import RUN, a_plan
from tests.engine.authenticator import Authenticator

ADDRESS = "https://crisis.example"


@dataclass
class Desk:
    """A command line whose ada keeps her secret in a file."""

    crisis: Crisis
    protocol: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """What each command is told."""
        return {"CRISIS_PROTOCOL": str(self.protocol), "CRISIS_PUBLIC_URL": ADDRESS}

    def __call__(self, *words: str, keys: str = "", **more: str) -> Said:
        """Run `crisis people`."""
        return self.crisis.typing(keys, "people", *words, **{**self.environment, **more})

    def enrol(self, *words: str, right: bool = True) -> tuple[str, str]:
        """Enrol ada, with an authenticator at hand; return the secret and all that was said."""
        environment = {**os.environ, **self.environment, "COLUMNS": "200", "CRISIS_HOME": str(self.crisis.home)}
        command = [sys.executable, "-m", "crisis", "people", "enrol", "ada", *words]
        with subprocess.Popen(
            command,
            env={**environment, "CRISIS_PROJECT": str(self.crisis.project)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as desk:
            assert desk.stdout
            said = ""
            while "scan this" not in said:
                said += desk.stdout.readline()
            said += desk.stdout.readline()  # the picture begins: its secret waits
            secret = max(self.pending(), key=lambda file: file.stat().st_mtime_ns).read_text().strip()
            rest, _ = desk.communicate(f"{pyotp.TOTP(secret).now()}\n" if right else "000000\n" * 3)
        return secret, said + rest

    def pending(self) -> list[Path]:
        """Return the secrets that wait."""
        return list((self.crisis.home / "enrolment").iterdir())

    def open(self) -> Booth:
        """Open the journal and return the booth of this deployment."""
        settings = Settings(home=self.crisis.home)
        return Booth.of(Journal.open(settings.journal), load_protocol(self.protocol), settings)

    def kinds(self) -> list[tuple[str, str]]:
        """Return who did what in the chain of people."""
        booth = self.open()
        found = [(entry.kind, entry.actor) for entry in booth.journal.entries(PEOPLE)]
        booth.journal.close()
        return found

    def passkey(self, who: str = "ada") -> str:
        """Let somebody enrol a passkey, and return what people type to mean it."""
        booth, device = self.open(), Authenticator(ADDRESS, "crisis.example")
        link = Link(who, f"link-{device.id}", utc_now() + LINK_LASTS, "")
        made = device.make(creation_options(booth, link, ADDRESS))
        assert register(booth, link, made, "the [red]phone[/]", ADDRESS, "test") is None
        short = fold_passkeys(booth.journal.entries(PEOPLE), booth.key)[device.id].short
        booth.journal.close()
        return short


@pytest.fixture
def desk(crisis: Crisis, tmp_path: Path, project: Path) -> Desk:
    """Open the desk."""
    file, protocol = tmp_path / "secrets" / "ada", tmp_path / "protocol.yaml"
    text = (project / "protocol.yaml").read_text(encoding="utf-8")
    protocol.write_text(text.replace("env:CRISIS_SANDBOX_TOTP_ADA", f"file:{file}"), encoding="utf-8")
    return Desk(crisis, protocol, file)


def test_enrol_writes_the_secret_once_its_code_was_typed(desk: Desk) -> None:
    """The right code puts the secret into its file, 0600; the link is said, and both are on record."""
    secret, said = desk.enrol()

    assert "One-time codes: set up." in said
    assert f"{ADDRESS}/enrol/1." in said
    assert (desk.file.read_text().strip(), stat.S_IMODE(desk.file.stat().st_mode)) == (secret, 0o600)
    assert desk.pending() == []
    assert desk.kinds() == [("enrolment offered", "ada"), ("codes enrolled", "ada"), ("code accepted", "ada")]


def test_a_wrong_code_puts_nothing_into_force(desk: Desk) -> None:
    """After three wrong codes it ends, with nothing written; the secret waits for the page, out of others' sight."""
    secret, said = desk.enrol(right=False)

    assert said.splitlines()[-1].startswith("crisis: codes of ada: wanted the code of the new secret, saw wrong code")
    assert not desk.file.exists()
    assert [stat.S_IMODE(file.stat().st_mode) for file in desk.pending()] == [0o600]
    assert secret not in said


def test_without_a_code_it_is_left_to_the_page(desk: Desk) -> None:
    """Nothing typed is no error: the link does the rest."""
    said = desk("enrol", "Ada Okafor", keys="\n")

    assert said.code == 0
    assert "they count once one was typed on the page" in said.out
    assert not desk.file.exists()


def test_codes_in_force_are_replaced_only_when_told_to(desk: Desk) -> None:
    """Without --replace the file stays as it is; with it, it is another."""
    first, _ = desk.enrol()
    said = desk("enrol", "ada")
    kept = desk.file.read_text().strip()
    second, _ = desk.enrol("--replace")

    assert (said.code, "there are some already; --replace makes new ones" in said.out) == (0, True)
    assert kept == first
    assert desk.file.read_text().strip() == second != first


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("env:CRISIS_SANDBOX_TOTP_ADA", "set the variable CRISIS_SANDBOX_TOTP_ADA where crisis runs"),
        ("vault:secret/people#ada", "write it to Vault as secret/people#ada"),
        ("block:totp-ada", "put it into the Prefect Secret block totp-ada"),
    ],
)
def test_where_we_cannot_write_it_says_what_to_store_where(desk: Desk, reference: str, says: str) -> None:
    """One line says it; the secret is printed only when asked for."""
    text = desk.protocol.read_text(encoding="utf-8")
    desk.protocol.write_text(text.replace(f"file:{desk.file}", reference), encoding="utf-8")
    quiet, loud = desk("enrol", "ada"), desk("enrol", "ada", "--print-secret")

    assert (quiet.code, loud.code) == (0, 0)
    assert says in quiet.out
    assert says in loud.out
    assert "Secret:" not in quiet.out
    assert re.search(r"^Secret: [A-Z2-7]{32}$", loud.out, re.MULTILINE)


def test_a_secret_is_said_nowhere_but_in_its_picture(desk: Desk) -> None:
    """Neither output nor journal holds it, nor the token of the link."""
    secret, said = desk.enrol()
    found = re.findall(r"/enrol/(\S+)", said)
    kept = b"".join(file.read_bytes() for file in desk.crisis.home.glob("journal.db*"))

    assert secret not in said
    assert secret.encode() not in kept
    assert found[0].encode() not in kept


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["enrol", "eve"], "person 'eve': wanted one of: ada, ben, cleo, dan"),
        (["remove-passkey", "eve", "0123456789"], "person 'eve': wanted one of: ada, ben, cleo, dan"),
        (["remove-passkey", "ada", "0123456789"], "passkey '0123456789' of ada: wanted one of: none"),
    ],
)
def test_strangers_are_one_line(desk: Desk, words: list[str], says: str) -> None:
    """Who or what is not known is said, with what is."""
    said = desk(*words)

    assert said.code == 2
    assert says in said.line


def test_whoever_proves_nothing_cannot_enrol(desk: Desk) -> None:
    """A person without a proof in protocol.yaml needs one there first."""
    text = desk.protocol.read_text(encoding="utf-8")
    eve = "people:\n  eve:\n    name: Eve Moreau\n    role: intern\n"
    desk.protocol.write_text(text.replace("people:\n", eve, 1), encoding="utf-8")
    said = desk("enrol", "eve")

    assert said.code == 2
    assert (
        said.line
        == "crisis: people.eve: wanted a proof in protocol.yaml, saw none; say there how they prove who they are"
    )


def test_the_list_says_who_has_what(desk: Desk) -> None:
    """Proofs, other names and absences; what is missing is said, and markup in a label is text."""
    short = desk.passkey()
    text = desk.protocol.read_text(encoding="utf-8")
    away = "    role: lead developer\n    away: [{from: 2020-01-01, to: 2099-01-01}]\n"
    desk.protocol.write_text(text.replace("    role: lead developer\n", away), encoding="utf-8")
    said = desk("list", CRISIS_SANDBOX_TOTP_CLEO="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    rows = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}

    assert said.code == 0
    assert short in rows["ada"]
    assert "the [red]phone[/]" in said.out
    assert "ada-admin" in said.out
    assert "until 2099-01-01" in rows["ben"]
    assert said.out.count("(missing)") == 3
    assert "JBSWY3DP" not in said.out


def test_a_removed_passkey_is_gone(desk: Desk) -> None:
    """It is removed for good and on record; another of the same person stays, and nobody else's id fits."""
    lost, kept = desk.passkey(), desk.passkey()
    wrong = desk("remove-passkey", "ben", lost)
    said = desk("remove-passkey", "ada", lost)
    listed = desk("list").out

    assert wrong.code == 2
    assert (said.code, f"removed: passkey {lost}" in said.out) == (0, True)
    assert (lost in listed, kept in listed) == (False, True)
    assert desk.kinds()[-1] == ("passkey removed", "ada")
    assert desk("remove-passkey", "ada", lost).code == 2


@pytest.fixture
def severable(journal: Journal) -> Journal:
    """Let a question wait whose recommended way has two steps, each good alone."""
    plan = a_plan()
    steps = tuple(choice.steps[0] for choice in plan.choices)
    first = plan.choices[0].model_copy(update={"steps": steps, "severable": True})
    plan = plan.model_copy(update={"choices": (first, plan.choices[1])})
    body: dict[str, Any] = {"run": RUN, "gate": plan.gate, "plan": plan.model_dump(mode="json"), "hash": plan.hash}
    more = {"people": ["ada", "ben"], "deadline": "2099-01-01T00:00:00.000000Z", "silence": "stop", "requester": ""}
    journal.append(INCIDENT, "asked", "responder", {**body, **more, "needed": 1})
    return journal


@pytest.mark.parametrize(
    ("words", "outcome", "steps"),
    [
        (["--answer", "revert", "--steps", "2"], "approved", [1]),
        (["--answer", "revert", "--steps", "1, 2"], "approved", None),
        (["--answer", CHANGE, "--reason", "not before ten"], "change asked", None),
    ],
)
def test_decide_takes_parts_and_changes(
    crisis: Crisis, severable: Journal, words: list[str], outcome: str, steps: list[int] | None
) -> None:
    """A part, all by number, and another plan, as on the page."""
    secret = pyotp.random_base32()
    command = ["decide", INCIDENT, "--who", "ada", *words]
    said = crisis.typing(f"{pyotp.TOTP(secret).now()}\n", *command, CRISIS_SANDBOX_TOTP_ADA=secret)
    decided = severable.entries(INCIDENT)[-1]

    assert said.code == 0
    assert (decided.kind, decided.body["outcome"], decided.body.get("steps")) == ("decided", outcome, steps)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--answer", "revert", "--steps", "x"], 2, "--steps: wanted numbers, for example 1,3, saw 'x'"),
        (["--answer", "revert", "--steps", "0"], 2, "--steps: wanted numbers"),
        (["--answer", "revert", "--steps", "9" * 5000], 2, "--steps: wanted numbers"),
        (["--answer", "revert", "--steps", "7"], 7, "revert has 2 steps, and you named another"),
        (["--answer", "roll-back", "--glass"], 7, "'ada' may not break glass; those who may: cleo, dan"),
    ],
)
def test_decide_refuses_what_does_not_fit(
    crisis: Crisis, severable: Journal, words: list[str], code: int, says: str
) -> None:
    """Numbers that are none, steps that are none, and glass that is not theirs to break."""
    said = crisis.typing("123456\n", "decide", INCIDENT, "--who", "ada", *words)

    assert severable.head(INCIDENT)
    assert said.code == code
    assert says in said.err
