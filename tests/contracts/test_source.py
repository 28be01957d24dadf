"""What the source promises: where the environment is read, what is caught, how things are named, what is recorded."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import get_args

import pytest

from crisis import cli, errors
from crisis.domain.change import Change
from crisis.errors import CrisisError
from crisis.settings import Settings
from tests.contracts.source import PROJECT, calls, name_of, ours, tree

_FORBIDDEN = {"utils", "helpers", "common", "constants", "base", "manager"}


def where(file: Path, node: ast.AST) -> str:
    """Say where something stands."""
    return f"{file.relative_to(PROJECT)}:{getattr(node, 'lineno', 0)}"


def test_the_environment_is_read_in_settings_alone() -> None:
    """Values arrive as arguments below that edge."""
    found = [
        where(file, node)
        for file in ours()
        for node in ast.walk(tree(file))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb", "putenv"))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {a.name for a in node.names} & {"environ", "getenv"}
        )
    ]

    assert [place for place in found if not place.startswith("src/crisis/settings.py:")] == []


def broad(file: Path) -> int:
    """Count the handlers that catch more than they can name."""
    found = [node.type for node in ast.walk(tree(file)) if isinstance(node, ast.ExceptHandler)]
    named = [{name_of(one) for one in ast.walk(kind) if isinstance(one, ast.Name)} if kind else {""} for kind in found]
    return sum(1 for names in named if names & {"", "Exception", "BaseException"})


def test_nothing_catches_every_error() -> None:
    """Broad handlers stand at the outermost edges alone: cli.py, and receiver/app.py that the next test counts."""
    found = {str(file.relative_to(PROJECT)): broad(file) for file in ours()}
    inside = {name: times for name, times in found.items() if times and name != "src/crisis/cli.py"}

    assert inside == {}


def test_the_receiver_catches_every_error_once() -> None:
    """Its last line is registered once, for Exception itself."""
    registered = [
        where(file, call)
        for file in ours("src/crisis/receiver")
        for call in calls(tree(file))
        if name_of(call) == "exception_handler" and call.args and name_of(call.args[0]) == "Exception"
    ]

    assert [place.partition(":")[0] for place in registered] == ["src/crisis/receiver/app.py"]


def branches() -> list[type[CrisisError]]:
    """Return every error class."""
    return [getattr(errors, name) for name in errors.__all__]


def test_exit_codes_are_unique() -> None:
    """Each branch that has an exit code of its own has another than every other."""
    codes = [kind.exit_code for kind in branches() if "exit_code" in vars(kind)]

    assert len(codes) == len(set(codes))


def drawn() -> Iterator[tuple[str, str, int | None]]:
    """Yield each line of the tree in the docstring: class, parent, exit code."""
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        node = re.match(r"^( *)([A-Z]\w+Error)\b(?:.*exit (\d+))?", line)
        if node is None:
            continue
        depth, name = len(node[1]), node[2]
        above = [one for one in above if one[0] < depth]
        yield name, above[-1][1] if above else "Exception", int(node[3]) if node[3] else None
        above.append((depth, name))


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    """Names, parents and exit codes of errors.py's docstring are those of the classes."""
    real = {kind.__name__: (kind.__bases__[0].__name__, kind.exit_code) for kind in branches()}
    told = {name: (parent, real[name][1] if code is None else code) for name, parent, code in drawn()}

    assert told == real
    assert [name for name, _, code in drawn() if code is None] == ["CrisisError", "VendorError"]


@pytest.mark.parametrize("folder", ["flows", "tasks"])
def test_no_file_hides_another_module(folder: str) -> None:
    """Prefect puts flows/ first on the path: a file named like a library would take its place."""
    names = {file.stem for file in ours(folder)} - {"__init__"}
    installed = {name for name in packages_distributions() if not name.startswith("_")}

    assert names & (set(sys.stdlib_module_names) | installed | {"crisis", "flows", "tasks", "tests"}) == set()


def test_no_file_has_a_name_that_says_nothing() -> None:
    """Names of a drawer for everything are forbidden."""
    found = [
        str(file.relative_to(PROJECT)) for file in ours("src", "tasks", "flows", "tests") if file.stem in _FORBIDDEN
    ]

    assert found == []


def test_no_class_has_a_name_that_says_nothing() -> None:
    """So are the endings that say nothing."""
    endings = ("Manager", "Helper", "Handler", "Service")
    names = [node.name for file in ours() for node in ast.walk(tree(file)) if isinstance(node, ast.ClassDef)]

    assert [name for name in names if name.endswith(endings) and name != "Service"] == []


def test_imports_go_one_way() -> None:
    """Every contract of import-linter in pyproject.toml is kept."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


def kinds_in(file: Path) -> Iterator[ast.expr]:
    """Yield what is passed as the kind of an entry: to record, to append, or to a function that passes it on."""
    place = {"record": 0, "append": 1}
    for function in ast.walk(tree(file)):
        if isinstance(function, ast.FunctionDef) and function.name not in place:
            named = [one.arg for one in function.args.args if one.arg not in ("self", "cls")]
            on = (call for call in calls(function) if name_of(call) in ("record", "append"))
            if "kind" in named and any(is_kind(arg) for call in on for arg in call.args):
                place[function.name] = named.index("kind")
    for call in calls(tree(file)):
        at = place.get(name_of(call), len(call.args))
        least = 3 if name_of(call) == "append" else 1  # a list's append takes one argument
        if at < len(call.args) and len(call.args) >= least and not is_kind(call.args[at]):
            yield call.args[at]


def is_kind(node: ast.expr) -> bool:
    """Whether something is the parameter `kind` itself, which a caller filled in."""
    return isinstance(node, ast.Name) and node.id == "kind"


def literals(node: ast.expr) -> set[str]:
    """Return the kinds that an expression can be; the test fails on one that it cannot read."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    assert ast.unparse(node) == "change.state", f"{ast.unparse(node)} does not show which kinds it can be"
    return set(get_args(Change.model_fields["state"].annotation))


def test_the_kinds_of_entries_are_documented() -> None:
    """What docs/explanation/journal.md lists is what the source writes, no more and no less."""
    page = (PROJECT / "docs" / "explanation" / "journal.md").read_text(encoding="utf-8")
    rows = page.partition("| kind | body | says |")[2].splitlines()
    told = {kind for row in rows if row.startswith("| `") for kind in re.findall(r"`([^`]+)`", row.split("|")[1])}
    written = {kind for file in ours() for node in kinds_in(file) for kind in literals(node)}

    assert written == told


def test_every_setting_is_documented() -> None:
    """Each field of Settings stands in the reference with its variable."""
    page = (PROJECT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    variables = [field.validation_alias or f"CRISIS_{name.upper()}" for name, field in Settings.model_fields.items()]
    assert [name for name in variables if f"`{name}`" not in page] == []


def test_every_setting_says_what_it_is() -> None:
    """Each field of Settings has a description."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_command_has_help() -> None:
    """Each command says what it does, in a sentence."""
    silent = [
        one.name or getattr(one.callback, "__name__", "?")
        for one in cli.app.registered_commands
        if not (one.help or getattr(one.callback, "__doc__", ""))
    ]

    assert cli.app.registered_commands
    assert silent == []
