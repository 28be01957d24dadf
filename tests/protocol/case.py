"""A case: the part of a protocol file that is wrong, and the lines that say so."""

import re
from collections.abc import Iterator
from pathlib import Path

from crisis.domain.protocol import Protocol
from crisis.protocol_file import ProtocolFileError, load_protocol

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.yaml"))
ACTIONS = ("roll_back_release", "notify_stakeholders", "file_ticket")
PLAYBOOKS = ("bad-deploy", "stand-down")


def compose(text: str) -> str:
    """Add what a valid file says and this text neither says nor names after `# without:`."""
    own = set(re.findall(r"^(\w+):", text, re.MULTILINE)) | set(re.findall(r"^# without: (\w+)", text, re.MULTILINE))
    return text + "".join(section for name, section in _sections() if name not in own)


def load(path: Path) -> Protocol:
    """Load a file with the actions and playbooks of these tests."""
    return load_protocol(path, actions=ACTIONS, playbooks=PLAYBOOKS)


def complaints(text: str, folder: Path) -> list[str]:
    """Say what is wrong with a text, line by line; nothing when it is valid."""
    file = folder / "protocol.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load(file)
    except ProtocolFileError as error:
        return [line.removeprefix(f"{folder}/") for line in str(error).splitlines()]
    return []


def _sections() -> Iterator[tuple[str, str]]:
    for section in re.split(r"^(?=\w)", (HERE / "valid.yaml").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        yield section.partition(":")[0], section
