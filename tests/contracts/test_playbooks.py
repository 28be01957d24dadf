"""Every playbook can be found, started, read and undone."""

import ast
import inspect
import re
import tomllib
from pathlib import Path

import pytest

from crisis.domain.protocol import Protocol
from crisis.engine.action import ActionSpec
from crisis.engine.catalogue import load_actions
from crisis.engine.child import load_flow
from crisis.engine.deployments import Deployment, read_deployments
from crisis.errors import ProtocolError
from crisis.protocol_file import load_protocol
from crisis.settings import Settings
from tests.contracts.source import PROJECT, flows, name_of, tree

_FACTS = ("Again", "Undo", "Fails")
_BODY_LINES = 25


@pytest.fixture(scope="session")
def deployments() -> list[Deployment]:
    """Read prefect.yaml."""
    return read_deployments(PROJECT / "prefect.yaml")


@pytest.fixture(scope="session")
def actions(deployments: list[Deployment]) -> dict[str, ActionSpec]:
    """Load every action of this checkout, without those that tests bring."""
    found = load_actions(Settings(project=PROJECT), deployments)
    return {name: spec for name, spec in found.items() if spec.run.__module__.startswith("tasks.")}


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    """Read the protocol."""
    return load_protocol(PROJECT / "protocol.yaml")


def flow_functions(file: Path) -> list[ast.FunctionDef]:
    """Return the functions of a file that are flows."""
    decorators = ("flow", "playbook")
    found = [node for node in tree(file).body if isinstance(node, ast.FunctionDef)]
    return [node for node in found if any(name_of(one) in decorators for one in node.decorator_list)]


@pytest.mark.parametrize("file", flows(), ids=lambda file: file.stem)
def test_a_flow_file_holds_the_flow_of_its_name(file: Path) -> None:
    """One flow per file, named like it."""
    assert [function.name for function in flow_functions(file)] == [file.stem]


@pytest.mark.parametrize("file", flows(), ids=lambda file: file.stem)
def test_a_flow_is_deployed(file: Path, deployments: list[Deployment]) -> None:
    """Each flow has a deployment of its name."""
    there = {one.entrypoint: one.name for one in deployments}

    assert there.get(f"flows/{file.name}:{file.stem}") == file.stem.replace("_", "-")


@pytest.mark.parametrize("file", flows(), ids=lambda file: file.stem)
def test_a_flow_is_documented(file: Path) -> None:
    """Each flow stands in the reference of playbooks."""
    page = (PROJECT / "docs" / "reference" / "playbooks.md").read_text(encoding="utf-8")

    assert f"## {file.stem.replace('_', '-')}\n" in page


def test_every_entrypoint_loads(deployments: list[Deployment]) -> None:
    """Each deployment names a flow that exists."""
    loaded = {one.name: load_flow(one.entrypoint).fn.__name__ for one in deployments}

    assert loaded == {one.name: one.name.replace("-", "_") for one in deployments}


def test_deployments_have_different_names(deployments: list[Deployment]) -> None:
    """A name starts one flow."""
    names = [one.name for one in deployments]

    assert len(names) == len(set(names))


def test_prefect_yaml_is_for_the_locked_prefect() -> None:
    """The file says the version that pyproject.toml asks for."""
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    said = re.search(r"^prefect-version: (\S+)$", (PROJECT / "prefect.yaml").read_text(encoding="utf-8"), re.MULTILINE)

    assert said is not None
    assert f"prefect=={said[1]}" in wanted


@pytest.mark.parametrize(
    ("written", "meant", "says"),
    [
        ("schedule:", "schedules:", "deployments.5.schedule: Extra inputs are not permitted"),
        ("entry_point:", "entrypoint:", "deployments.0.entry_point: Extra inputs are not permitted"),
        ("time_zone:", "timezone:", "deployments.5.schedules.0.time_zone: Extra inputs are not permitted"),
        ("deployment:", "deployments:", "deployments: Field required"),
        ("deployments: [", "deployments:", "wanted valid YAML"),
    ],
)
def test_a_misspelt_key_is_refused(tmp_path: Path, written: str, meant: str, says: str) -> None:
    """What Prefect would ignore in silence is a ProtocolError that names the key."""
    text = (PROJECT / "prefect.yaml").read_text(encoding="utf-8")
    file = tmp_path / "prefect.yaml"
    file.write_text(text.replace(meant, written), encoding="utf-8")

    with pytest.raises(ProtocolError) as caught:
        read_deployments(file)

    assert says in str(caught.value)


def test_a_missing_prefect_yaml_is_said(tmp_path: Path) -> None:
    """Outside a checkout the error names the file that is missing."""
    with pytest.raises(ProtocolError, match=r"prefect\.yaml: wanted a readable prefect\.yaml, saw No such file"):
        read_deployments(tmp_path / "prefect.yaml")


@pytest.mark.parametrize("file", flows(), ids=lambda file: file.stem)
def test_a_flow_body_is_short(file: Path) -> None:
    """A playbook reads like the runbook: at most 25 lines without its docstring."""
    (function,) = flow_functions(file)
    body = [node for node in function.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]

    assert (body[-1].end_lineno or 0) - body[0].lineno + 1 <= _BODY_LINES


@pytest.mark.parametrize("file", flows(), ids=lambda file: file.stem)
def test_a_flow_says_what_starts_it_whom_it_asks_and_what_it_proves(file: Path) -> None:
    """The docstring has the three facts of a playbook."""
    says = ast.get_docstring(flow_functions(file)[0]) or ""

    assert re.findall(r"^(Starts|Asks|Proves) {2,}\S", says, re.MULTILINE) == ["Starts", "Asks", "Proves"]


def test_every_action_says_what_it_needs(actions: dict[str, ActionSpec]) -> None:
    """Permissions are declared as `vendor:permission`."""
    without = [name for name, spec in actions.items() if not spec.needs or not all(":" in one for one in spec.needs)]

    assert actions
    assert without == []


def test_every_undo_is_an_action_or_none(actions: dict[str, ActionSpec]) -> None:
    """What takes an action back can be run."""
    without = [f"{name}: {spec.undo}" for name, spec in actions.items() if spec.undo not in {*actions, "none"}]

    assert without == []


def test_no_action_is_its_own_undo(actions: dict[str, ActionSpec]) -> None:
    """An action that converges cannot take itself back."""
    assert [name for name, spec in actions.items() if spec.undo == name] == []


def test_every_measure_can_be_undone(actions: dict[str, ActionSpec]) -> None:
    """What stands until it is undone has an action that undoes it."""
    stuck = [name for name, spec in actions.items() if spec.measure and spec.undo not in actions]

    assert stuck == []


def test_every_action_says_what_a_caller_must_know(actions: dict[str, ActionSpec]) -> None:
    """The docstring has the three facts of an action, in order."""
    said = {
        name: re.findall(r"^(Again|Undo|Fails) {2,}\S", inspect.getdoc(spec.run) or "", re.MULTILINE)
        for name, spec in actions.items()
    }

    assert {name: facts for name, facts in said.items() if tuple(facts) != _FACTS} == {}


def test_every_undo_in_words_is_the_declared_one(actions: dict[str, ActionSpec]) -> None:
    """The docstring's Undo begins with what the decorator says."""
    wrong = [
        name
        for name, spec in actions.items()
        if not re.search(rf"^Undo {{2,}}{re.escape(spec.undo)}\b", inspect.getdoc(spec.run) or "", re.MULTILINE)
    ]

    assert wrong == []


def test_what_cannot_be_taken_back_is_gated(actions: dict[str, ActionSpec], protocol: Protocol) -> None:
    """Somebody decides on every action that restores or destroys."""
    free = [
        name
        for name, spec in actions.items()
        if spec.kind in ("restore", "destroy") and not protocol.gates[spec.kind].needed
    ]

    assert free == []


def test_every_action_is_authorised_at_some_level(actions: dict[str, ActionSpec], protocol: Protocol) -> None:
    """An action that no level lists could never run."""
    listed = {name for level in protocol.levels.values() for name in level.authorised}

    assert set(actions) - listed == set()
