"""The source of the checkout as syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["PROJECT", "calls", "flows", "name_of", "ours", "tree"]

PROJECT = Path(__file__).parents[2]
_HISTORY = PROJECT / "src" / "crisis" / "sandbox" / "history"


def ours(*folders: str) -> list[Path]:
    """Return the Python files of these folders, without the sandbox shop's own commits."""
    wanted = folders or ("src", "tasks", "flows")
    files = [file for folder in wanted for file in sorted((PROJECT / folder).rglob("*.py"))]
    return [file for file in files if _HISTORY not in file.parents]


def flows() -> list[Path]:
    """Return the playbooks' files."""
    return [file for file in ours("flows") if file.stem != "__init__"]


@cache
def tree(file: Path) -> ast.Module:
    """Parse a file, once."""
    return ast.parse(file.read_text(encoding="utf-8"))


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield every call in a piece of code."""
    yield from (one for one in ast.walk(node) if isinstance(one, ast.Call))


def name_of(node: ast.expr) -> str:
    """Return the last name of a function or decorator: `run.record` is `record`."""
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
