"""Reference: docs/reference, written from the code, so that it cannot say anything else. `make docs` runs this."""

import inspect
import re
import sys
import tempfile
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from typer.models import ArgumentInfo, OptionInfo

from crisis import cli, errors
from crisis.errors import CrisisError
from crisis.protocol_file import protocol_schema
from crisis.settings import Settings

__all__ = ["PAGES", "main"]

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
_NOTE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"
_FACT = re.compile(r"^(Starts|Asks|Proves|Again|Undo|Fails) +(.*)$")
_FIXED = re.compile(r'"((?:PREFECT_SERVER|DO)_\w+)": "(\w+)"')
_TYPES = {
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret text",
    Path: "path",
    bool: "true or false",
}


def main() -> None:
    """Write every page."""
    with tempfile.TemporaryDirectory(prefix="crisis-docs-") as home:
        Settings(home=Path(home), project=ROOT).adopt()  # Prefect, loaded below, leaves its files there
        for name, write in PAGES.items():
            (FOLDER / name).write_text(write(), encoding="utf-8")
    sys.stdout.write(f"docs: {len(PAGES)} pages of reference\n")


def write_commands() -> str:
    """Write every command with its arguments, from the command line's own declarations."""
    lines = ["`crisis` is in `.venv/bin`. An error is one line on standard error, and an [exit code](errors.md)."]
    for one in cli.app.registered_commands:
        if one.callback is None:
            continue
        known = typing.get_type_hints(one.callback, include_extras=True)
        parameters = [(p, known[p.name]) for p in inspect.signature(one.callback).parameters.values()]
        usage = " ".join(["crisis", str(one.callback.__name__), *(_usage(p, kind) for p, kind in parameters)])
        lines += ["", f"## {one.callback.__name__}", "", _paragraph(one.callback), "", "```", usage, "```"]
        lines += _table(("argument", "what", "by default"), [_argument(p, kind) for p, kind in parameters])
    return _page("The command line", lines)


def write_settings() -> str:
    """Write every setting with its variable and default."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        variable = str(field.validation_alias or f"CRISIS_{name.upper()}")
        rows.append((f"`{variable}`", _type(field.annotation), default, field.description or ""))
    lines = ["Settings come from the environment. They say where things are; what is to be done stands in"]
    lines += ["[protocol.yaml](protocol.md).", *_table(("variable", "type", "by default", "what"), rows)]
    lines += ["", "Two more variables are read where they stand:", "", "- `PREFECT_API_URL`: the Prefect API to use."]
    lines += ["  Without it `crisis up` starts a Prefect server of its own, on `CRISIS_PREFECT_PORT`."]
    lines += ["- `VAULT_ADDR` and `VAULT_TOKEN`: for references that begin with `vault:`.", ""]
    lines += ["`crisis up` sets these for itself and for what it starts, whatever they were before:", ""]
    lines += [f"- `{name}={value}`" for name, value in _FIXED.findall(inspect.getsource(Settings.environment))]
    return _page("Settings", lines)


def write_errors() -> str:
    """Write the tree of errors with their exit codes."""
    drawing = (errors.__doc__ or "").strip().partition("\n\n")[2]
    lines = ["An error says `<target>: wanted <state>, saw <state>; <next step>` on one line, without a secret."]
    lines += ["The parts are attributes (`target`, `wanted`, `saw`, `then`), so that no caller parses the text."]
    lines += ["", "```", drawing, "```"]
    kinds = [getattr(errors, name) for name in errors.__all__]
    rows = [(f"`{kind.__name__}`", str(kind.exit_code), _paragraph(kind)) for kind in kinds if kind is not CrisisError]
    rows.sort(key=lambda row: (row[1], row[0]))
    lines += _table(("error", "exit code", "means"), rows)
    lines += ["", "Exit code 1 is a fault of ours: please report it. `crisis check` ends 2 when anything is not ready."]
    return _page("Errors and exit codes", lines)


def write_actions() -> str:
    """Write every action with what it declares about itself."""
    found = sorted(_actions(), key=lambda spec: spec.name)
    lines = ["What playbooks may do to the world. The kind decides who is asked: see the gates of"]
    lines += ["[protocol.yaml](protocol.md). A *measure* stays in force until it is undone."]
    rows = [(f"[`{s.name}`](#{s.name})", s.kind, f"`{s.undo}`", "yes" if s.measure else "") for s in found]
    lines += _table(("action", "kind", "undone by", "measure"), rows)
    for spec in found:
        says, facts = _docstring(spec.run)
        file = f"{spec.run.__module__.replace('.', '/')}.py"
        parameters = ", ".join(inspect.signature(spec.run).parameters)
        again = "converges: it looks first and changes only the difference"
        lines += ["", f"## {spec.name}", "", says, "", f"- **Call** `{spec.name}({parameters})`, in `{file}`"]
        lines += [f"- **Kind** {spec.kind}", f"- **Needs** {', '.join(f'`{one}`' for one in spec.needs)}"]
        lines += [f"- **Repeat** {again if spec.repeatable else 'a crash in the middle is put before a human'}"]
        lines += [f"- **{name}** {what}" for name, what in facts.items()]
    return _page("Actions", lines)


def write_playbooks() -> str:
    """Write every deployment of prefect.yaml, with the playbook it starts."""
    from crisis.engine.child import load_flow  # noqa: PLC0415 - loads Prefect
    from crisis.engine.deployments import read_deployments  # noqa: PLC0415

    _actions()
    lines = ["What can be started: by an alert, `crisis run`, the Prefect UI or a schedule."]
    for one in read_deployments(ROOT / "prefect.yaml"):
        flow = load_flow(one.entrypoint)
        says, facts = _docstring(flow.fn)
        lines += ["", f"## {one.name}", "", f"{says} (`{one.entrypoint}`)", ""]
        lines += [f"- **{name}** {what}" for name, what in facts.items()]
        lines += [f"- **Scheduled** `{plan.cron}` {plan.timezone}" for plan in one.schedules]
        rows = []
        for name, parameter in inspect.signature(flow.fn).parameters.items():
            rows.append((f"`{name}`", _given(parameter.default)))
        lines += _table(("parameter", "by default"), rows)
    return _page("Playbooks", lines)


def write_protocol() -> str:
    """Write every key of protocol.yaml, from its JSON Schema."""
    schema = protocol_schema()
    lines = ["`crisis check` refuses a file that breaks these rules, and names line and remedy. Editors can use the"]
    lines += ["[JSON Schema](../protocol.schema.json), which `crisis schema` prints.", ""]
    lines += ["A *reference* says where a secret is kept: `env:NAME`, `file:PATH`, `vault:PATH#KEY` or `block:NAME`."]
    lines += ["An *address* is a URL or `env:NAME`. A *duration* is written like `90s`, `10m` or `1h30m`."]
    sections = {"protocol.yaml": schema, **schema["$defs"]}
    for title, section in sections.items():
        if "properties" not in section:
            continue
        about = str(section.get("description", "")).strip()
        lines += ["", f"## {title}", *(["", about] if about else [])]
        needed = section.get("required", [])
        rows = []
        for key, field in section["properties"].items():
            default = "**required**" if key in needed else _default(field.get("default"))
            rows.append((f"`{key}`", _shape(field), default, str(field.get("description", ""))))
        lines += _table(("key", "value", "by default", "what"), rows)
    return _page("protocol.yaml", lines)


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": write_commands,
    "settings.md": write_settings,
    "errors.md": write_errors,
    "actions.md": write_actions,
    "playbooks.md": write_playbooks,
    "protocol.md": write_protocol,
}
"""Each page of docs/reference by file name, and the function that writes it."""


def _actions() -> list[Any]:
    from crisis.engine.catalogue import load_actions  # noqa: PLC0415 - loads Prefect and every playbook
    from crisis.engine.deployments import read_deployments  # noqa: PLC0415

    found = load_actions(Settings(project=ROOT), read_deployments(ROOT / "prefect.yaml"))
    return [spec for spec in found.values() if spec.run.__module__.startswith("tasks.")]  # tests bring their own


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    says, facts = "", dict[str, str]()
    for line in (inspect.getdoc(function) or "").splitlines():
        fact = _FACT.match(line)
        if fact:
            facts[fact[1]] = fact[2]
        elif facts and line.strip():
            facts[list(facts)[-1]] += f" {line.strip()}"
        elif line.strip():
            says = f"{says} {line.strip()}".strip()
    return says, facts


def _paragraph(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def _usage(parameter: inspect.Parameter, kind: Any) -> str:
    name = parameter.name.replace("_", "-")
    optional = parameter.default is not inspect.Parameter.empty
    shown = name.upper() if isinstance(_declared(kind), ArgumentInfo) else f"--{name} {name.upper()}"
    return f"[{shown}]" if optional else shown


def _argument(parameter: inspect.Parameter, kind: Any) -> tuple[str, str, str]:
    info = _declared(kind)
    name = parameter.name.replace("_", "-")
    shown = f"`{name.upper()}`" if isinstance(info, ArgumentInfo) else f"`--{name}`"
    return shown, info.help or "", _given(parameter.default)


def _declared(kind: Any) -> ArgumentInfo | OptionInfo:
    found: ArgumentInfo | OptionInfo = next(o for o in kind.__metadata__ if isinstance(o, ArgumentInfo | OptionInfo))
    return found


def _type(annotation: Any) -> str:
    kinds = [one for one in typing.get_args(annotation) or (annotation,) if one is not type(None)]
    return " or ".join(_TYPES.get(one, str(one)) for one in kinds)


def _shape(field: dict[str, Any]) -> str:  # noqa: PLR0911 - one line per form of schema
    if "$ref" in field:
        name = str(field["$ref"]).rsplit("/", 1)[-1]
        return "1, 2 or 3" if name == "Level" else f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    for kind in ("oneOf", "anyOf"):
        if kind in field:
            shapes = [_shape(one) for one in field[kind] if one.get("type") != "null"]
            return "duration" if shapes == ["text", "number"] else " or ".join(dict.fromkeys(shapes))
    if field.get("type") == "array":
        return f"list of {_shape(field.get('items', {}))}"
    if field.get("type") == "object":
        named = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
        return f"by name: {_shape(named[0])}" if isinstance(named[0], dict) and named[0] else "an object"
    pattern = str(field.get("pattern", ""))
    if "vault:" in pattern:
        return "reference"
    if "https?" in pattern:
        return "address"
    return {"string": "text", "integer": "whole number", "number": "number"}.get(str(field.get("type")), "anything")


def _default(value: Any) -> str:
    if value in (None, "", [], {}) or isinstance(value, dict):
        return ""
    return f"`{', '.join(map(str, value))}`" if isinstance(value, list) else f"`{value}`"


def _given(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "**required**"
    return "" if value in (None, "") else f"`{getattr(value, 'value', value)}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    drawn = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return ["", *drawn, *(f"| {line} |" for line in lines)] if lines else []


def _page(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"# {title}", "", _NOTE, "", *lines]) + "\n"


if __name__ == "__main__":
    main()
