"""The JSON Schema that editors check protocol.yaml with."""

import importlib
import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from crisis.protocol_file import protocol_schema
from tests.protocol.case import HERE

ROOT = HERE.parents[1]


@pytest.fixture
def validator() -> Any:
    """Make a validator of the 2020-12 draft, which Prefect brings along."""
    draft = importlib.import_module("jsonschema").Draft202012Validator
    draft.check_schema(protocol_schema())
    return draft(protocol_schema())


def example() -> Any:
    """Read the project's own protocol as an editor does: every key is text."""
    return json.loads(json.dumps(YAML(typ="safe").load((ROOT / "protocol.yaml").read_text(encoding="utf-8"))))


def test_the_written_schema_is_current() -> None:
    """docs/protocol.schema.json is what the code says today; write it anew when this fails."""
    written = (ROOT / "docs" / "protocol.schema.json").read_text(encoding="utf-8")

    assert written == json.dumps(protocol_schema(), indent=2, ensure_ascii=False) + "\n"


def test_every_field_is_explained() -> None:
    """An editor can say of each key what it is for."""
    schema = protocol_schema()
    fields = {
        f"{kind}.{name}": field
        for kind, part in [("", schema), *schema["$defs"].items()]
        for name, field in part.get("properties", {}).items()
    }

    assert [name for name, field in fields.items() if not (field.get("description") and field.get("title"))] == []


def test_the_example_fits_the_schema(validator: Any) -> None:
    """The schema accepts the commented example."""
    assert list(validator.iter_errors(example())) == []


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("levels", "4", {"means": "x", "decision_makers": ["ada"], "authorised": ["x"]}),
        ("gates", "other", {"ask": "nobody"}),
        ("people", "Ada Okafor", {"name": "Ada", "role": "CTO"}),
        ("gates", "inform", {"ask": "nobody", "wait": "0 parsecs"}),
        ("messages", "sender", "call me"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(validator: Any, part: str, key: str, value: Any) -> None:
    """Editors underline a wrong name, level, duration or number."""
    wrong = example()
    wrong[part][key] = value

    assert not validator.is_valid(wrong)


@pytest.mark.parametrize(("part", "key"), [("levels", "3"), ("gates", "destroy")])
def test_the_schema_misses_what_must_be_there(validator: Any, part: str, key: str) -> None:
    """All levels and all gates are required."""
    wrong = example()
    del wrong[part][key]

    assert not validator.is_valid(wrong)
