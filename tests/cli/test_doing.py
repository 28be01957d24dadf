"""Commands that start and decide, where there is nothing to start or to decide; and what every command has."""

import json

import pyotp
import pytest

from crisis.journal.store import Journal
from tests.cli.conftest import INCIDENT, Crisis

COMMANDS = [
    "up", "run", "decide", "link", "timeline", "verify", "export", "report", "check", "schema", "drill", "baseline",
]  # fmt: skip


def test_schema_is_json(crisis: Crisis) -> None:
    """What editors read is a JSON Schema."""
    said = crisis("schema")

    assert said.code == 0
    assert json.loads(said.out)["properties"]["services"]


def test_run_without_a_stack_is_one_line(crisis: Crisis) -> None:
    """Nothing to start it is one line that says what to do."""
    said = crisis("run", "bad-deploy", "--service", "shop")

    assert (said.code, said.out) == (2, "")
    assert said.line.startswith("crisis: crisis up: wanted a running one, saw none in ")
    assert said.line.endswith("; start `crisis up`, or set PREFECT_API_URL")


def test_run_at_a_prefect_that_is_away_is_one_line(crisis: Crisis) -> None:
    """An API that does not answer is worth another try: exit 3."""
    said = crisis("run", "bad-deploy", "--service", "shop", PREFECT_API_URL="http://127.0.0.1:1/api")

    assert said.code == 3
    assert said.line == "crisis: bad-deploy: saw ConnectError; is `crisis up` up?"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--service", "shp"], "service 'shp': wanted one of: shop"),
        (["--service", "shop", "--requester", "eve"], "person 'eve': wanted one of: ada, ben, cleo, dan"),
    ],
)
def test_run_for_a_stranger_is_one_line(crisis: Crisis, words: list[str], says: str) -> None:
    """A service or a person that protocol.yaml does not know is one line with those that it knows."""
    said = crisis("run", "bad-deploy", *words)

    assert said.code == 2
    assert says in said.line


@pytest.mark.parametrize("words", [["--level", "4"], ["--level", "high"], []], ids=["beyond", "word", "no service"])
def test_run_with_a_wrong_argument_ends_2(crisis: Crisis, words: list[str]) -> None:
    """A wrong argument is said before anything is tried."""
    said = crisis("run", "bad-deploy", *(["--service", "shop"] if words else []), *words)

    assert said.code == 2
    assert "Usage:" in said.err


def test_decide_without_a_question_is_one_line(crisis: Crisis, journal: Journal) -> None:
    """Nothing to decide is one line."""
    said = crisis("decide", INCIDENT, "--who", "ada", "--answer", "no")

    assert journal.head(INCIDENT)
    assert (said.code, said.out) == (2, "")
    assert said.line == f"crisis: {INCIDENT}: wanted an open question, saw none; see `crisis timeline`"


def test_decide_at_another_gate_is_one_line(crisis: Crisis, asked: Journal) -> None:
    """A gate that is not open is no question."""
    said = crisis("decide", INCIDENT, "--who", "ada", "--answer", "no", "--gate", "other")

    assert asked.head(INCIDENT)
    assert said.code == 2
    assert "saw none" in said.line


@pytest.mark.parametrize("who", ["eve", "", "[red]"])
def test_decide_as_a_stranger_is_refused(crisis: Crisis, asked: Journal, who: str) -> None:
    """Who is not asked is refused on record, whatever they type as code."""
    said = crisis.typing("123456\n", "decide", INCIDENT, "--who", who, "--answer", "no")

    assert said.code == 7
    assert f"saw {who!r} is not asked; asked are: ada, ben" in said.err
    assert [entry.kind for entry in asked.entries(INCIDENT)][-1] == "vote refused"


def test_decide_with_a_code_decides(crisis: Crisis, asked: Journal) -> None:
    """The plan is shown, the code is asked for, the decision is said and on record."""
    secret = pyotp.random_base32()
    words = ["decide", INCIDENT, "--who", "ada", "--answer", "revert"]
    said = crisis.typing(f"{pyotp.TOTP(secret).now()}\n", *words, CRISIS_SANDBOX_TOTP_ADA=secret)

    assert said.code == 0
    assert "Take release 4f2c back?" in said.out
    assert said.out.splitlines()[-1] == "decided: approved revert"
    assert [entry.kind for entry in asked.entries(INCIDENT)][-1] == "decided"


@pytest.mark.parametrize("command", ["run", "decide"])
def test_a_command_explains_itself(crisis: Crisis, command: str) -> None:
    """`--help` ends 0 and says more than the usage."""
    said = crisis(command, "--help")

    assert said.code == 0
    assert f"crisis {command}" in said.out


def test_help_lists_every_command(crisis: Crisis) -> None:
    """Without arguments the commands are listed."""
    said = crisis("--help")

    assert [command for command in COMMANDS if command not in said.out] == []


@pytest.mark.parametrize("words", [["frobnicate"], ["timeline", "--frobnicate"]])
def test_unknown_word_ends_2(crisis: Crisis, words: list[str]) -> None:
    """A command or an option that does not exist is said."""
    said = crisis(*words)

    assert said.code == 2
    assert "No such" in said.err


@pytest.mark.parametrize(("name", "value"), [("CRISIS_PORT", "many"), ("CRISIS_LEASE", "0")])
def test_setting_that_is_wrong_is_one_line(crisis: Crisis, name: str, value: str) -> None:
    """A variable that cannot be read is one line that names it."""
    said = crisis("timeline", **{name: value})

    assert said.code == 2
    assert name in said.line


def test_protocol_that_is_missing_is_one_line(crisis: Crisis) -> None:
    """Outside a checkout the line names the file."""
    said = crisis("run", "bad-deploy", "--service", "shop", CRISIS_PROTOCOL="none.yaml")

    assert said.code == 2
    assert "none.yaml" in said.line
