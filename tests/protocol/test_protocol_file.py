"""Protocol files that are wrong, and everything that is said about them."""

import pickle
from pathlib import Path

import pytest

from crisis.domain.level import Level
from crisis.protocol_file import Problem, ProtocolFileError, load_protocol
from tests.protocol.case import CASES, HERE, complaints, compose, load


@pytest.mark.parametrize("case", CASES)
def test_every_mistake_is_named_with_its_line(case: str, tmp_path: Path) -> None:
    """A wrong file is refused with exactly these lines: place, what is wrong, how to mend it."""
    wrong = (HERE / "cases" / f"{case}.yaml").read_text(encoding="utf-8")
    lines = (HERE / "cases" / f"{case}.txt").read_text(encoding="utf-8").splitlines()

    assert lines == complaints(compose(wrong), tmp_path)


@pytest.mark.parametrize("case", ["literal_secret", "not_yaml", "duplicate_key"])
def test_a_secret_is_never_shown(case: str, tmp_path: Path) -> None:
    """Whatever stands where a secret belongs stays out of the message."""
    wrong = (HERE / "cases" / f"{case}.yaml").read_text(encoding="utf-8")
    text = "\n".join(complaints(compose(wrong), tmp_path)).lower()

    assert "do-not-print" in wrong
    assert "do-not-print" not in text
    assert "do_not_print" not in text


def test_every_case_has_its_lines() -> None:
    """No wrong file goes without the lines that are expected of it."""
    assert [path.stem for path in sorted((HERE / "cases").glob("*.txt"))] == CASES


def test_the_projects_own_protocol_is_valid() -> None:
    """The commented example of the repository loads, as plain values."""
    protocol = load_protocol(HERE.parents[1] / "protocol.yaml")

    assert protocol.level_that_authorises("roll_back_release") is Level.DEGRADED
    assert type(protocol.services["shop"].journeys["checkout"][1].json_body) is dict


def test_a_valid_file_may_use_aliases_and_a_byte_order_mark(tmp_path: Path) -> None:
    """An alias that does not multiply is fine, and so is what editors on Windows write first."""
    text = compose("company: &who GB\nlaw: {jurisdictions: [*who]}\n")
    (tmp_path / "protocol.yaml").write_text(text, encoding="utf-8-sig")

    assert load(tmp_path / "protocol.yaml").law.jurisdictions == ("GB",)


def test_names_are_not_checked_when_none_are_given() -> None:
    """Without a list of actions and playbooks their names pass."""
    assert load_protocol(HERE / "valid.yaml").company == "Small Shop"


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """A file that is not there is named, and where its place is set."""
    with pytest.raises(ProtocolFileError) as caught:
        load(tmp_path / "none.yaml")

    assert (
        str(caught.value) == f"{tmp_path}/none.yaml: no such file; write one, or say where it is with CRISIS_PROTOCOL"
    )


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    """What is no file is refused in the system's words."""
    with pytest.raises(ProtocolFileError) as caught:
        load(tmp_path)

    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory; mend its path or mode"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "1: empty, must be a mapping of keys; fill it in: Everything that protocol.yaml says."),
        (b"- a\n", "1: must be a mapping of keys, is a list; it is for this: Everything that protocol.yaml says."),
        (b"company: One\nx: \xff\n", "2: not UTF-8; save it as UTF-8"),
        (b"company: One\nx: \x07\n", "2: invalid YAML: a control character; delete it"),
        (b"a: " + b"[" * 9000, "1: invalid YAML: nested too deep; look here and above"),
        (b"a: *b\n", "1: invalid YAML: found undefined alias 'b'; look here and above"),
    ],
)
def test_a_file_that_holds_no_protocol_is_refused(raw: bytes, says: str, tmp_path: Path) -> None:
    """What cannot be understood at all is one line."""
    (tmp_path / "protocol.yaml").write_bytes(raw)
    with pytest.raises(ProtocolFileError) as caught:
        load(tmp_path / "protocol.yaml")

    assert str(caught.value) == f"{tmp_path}/protocol.yaml:{says}"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """More than a megabyte is no protocol."""
    (tmp_path / "protocol.yaml").write_text("#" * 1_000_001, encoding="utf-8")
    with pytest.raises(ProtocolFileError, match="larger than 1 MB"):
        load(tmp_path / "protocol.yaml")


def test_the_error_keeps_its_parts_across_processes(tmp_path: Path) -> None:
    """A pickled error still has its problems, its text and its exit code."""
    with pytest.raises(ProtocolFileError) as caught:
        load(tmp_path / "none.yaml")
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes

    assert copy.problems == caught.value.problems
    assert isinstance(copy.problems[0], Problem)
    assert str(copy) == str(caught.value)
    assert copy.exit_code == 2
