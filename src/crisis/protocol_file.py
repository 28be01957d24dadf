"""Protocol file: read protocol.yaml, and name everything that is wrong with it at once."""

import difflib
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cronsim import CronSim, CronSimError
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from crisis.domain import alerting, model
from crisis.domain import protocol as words
from crisis.domain.clock import parse_duration, utc_now
from crisis.domain.protocol import Gate, Protocol, person_accounts
from crisis.errors import ProtocolError
from crisis.intake_rules import wrong_intake
from crisis.protocol_rules import Fault, Faults, Names, Where, unknown, wrong_alerts

__all__ = ["Problem", "ProtocolFileError", "load_protocol", "protocol_schema"]

_LARGEST, _DEEPEST, _MOST_VALUES = 1_000_000, 40, 20_000
_SECRET = re.compile(
    r"gh[opsur]_\w{16,}|github_pat_\w+|glpat-[\w-]{16,}|[sr]k_(live|test)_\w+|xox[a-z]-[\w-]{8,}|A[KS]IA[A-Z0-9]{16}"
    r"|hv[sb]\.[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]*:[^/\s@]+@"
)
_SECRET_NAME = re.compile(r"(?i)(password|passwd|passphrase|secret|token|api[-_]?key|authorization|credentials?)$")
_PATTERNS = {
    model.NAME: ("no short name", "use lower case, digits and hyphens, at most 40, a letter first"),
    model.PLACE: ("no place", "write EU, a country or a state as ISO 3166 does, for example DE, GB or US-CA"),
    model.ADDRESS: ("no address", "write https://… or env:NAME"),
    words.REQUEST: ("no request", "write a method and a path, for example POST /api/checkout"),
    words.REPOSITORY: ("no repository", "write owner/name"),
    words.PATH: ("no path", "begin with a slash"),
    words.SLACK: ("no Slack member id", "copy it from the person's Slack profile, for example U024BE7LH"),
    words.WORKSPACE: ("no Slack workspace id", "copy it from the address of Slack in a browser, for example T0123ABCD"),
    alerting.HEADER: ("no name of a header", "use letters, digits and hyphens, for example X-Crisis-Token"),
    alerting.HOST: ("no host", "write it without https:// and without a port, in lower case"),
    alerting.TOPIC: (
        "no ARN of an SNS topic",
        "copy it from SNS, for example arn:aws:sns:eu-west-1:123456789012:alarms",
    ),
    words.PHONE: ("not an E.164 number", 'write +, country and number without spaces, in quotes, like "+4930901820"'),
}
_KINDS = {"datetime": "a date", "string": "text", "int": "a whole number", "tuple": "a list", "list": "a list"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the file; `line` is 0 when there is no file to read."""

    file: str
    line: int
    where: str
    wrong: str
    mend: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.where, self.wrong) if part) + f"; {self.mend}"


class ProtocolFileError(ProtocolError):
    """Everything that is wrong with a protocol file, one line each."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].file, wanted="a valid protocol", saw=f"{len(problems)} problems")
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def load_protocol(path: Path | str, *, actions: Names = None, playbooks: Names = None) -> Protocol:
    """
    Read and check a protocol file.

    Raises ProtocolFileError with every problem, in the order of the file; it never shows a secret.
    Names of actions and playbooks are checked when they are given.
    """
    reading = _Reading()
    data = reading.read(_read_text(path), str(path))
    faults = [*reading.faults, *_broken_rules(data, actions, playbooks)]
    try:
        protocol = Protocol.model_validate(data)
    except ValidationError as error:
        faults += _translate(error, data, {where for where, _, _ in faults})
    except OverflowError:
        faults.append(((), "a duration beyond all bounds", "write for example 90s, 10m or 1h30m"))
    else:
        if not faults:
            return protocol
    problems = [Problem(str(path), reading.line(where), *_hide(where, wrong, mend)) for where, wrong, mend in faults]
    raise ProtocolFileError(sorted(problems, key=lambda problem: problem.line))


def protocol_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of protocol.yaml, for editors."""
    schema = Protocol.model_json_schema()
    _tighten(schema)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "protocol.schema.json"}
    return {**head, **schema, "title": "protocol.yaml"}


def _tighten(node: Any) -> None:
    # What the validators refuse and pydantic leaves out: misspelt names, durations of nothing, untitled fields.
    for name, field in node.get("properties", {}).items() if isinstance(node, dict) else ():
        field.setdefault("title", str(name).replace("_", " ").title())
    if isinstance(node, dict) and "patternProperties" in node:
        node["additionalProperties"] = False
    if isinstance(node, dict) and node.pop("gt", None):
        pattern = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d) *)+$"
        node["anyOf"] = [{"type": "string", "pattern": pattern}, {"type": "number", "exclusiveMinimum": 0}]
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _tighten(child)


def _read_text(path: Path | str) -> str:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) <= _LARGEST:
            return raw.decode("utf-8-sig")
        problem = Problem(str(path), 0, "", "larger than 1 MB", "a protocol is a few pages; shorten it")
    except FileNotFoundError:
        problem = Problem(str(path), 0, "", "no such file", "write one, or say where it is with CRISIS_PROTOCOL")
    except OSError as error:
        problem = Problem(str(path), 0, "", f"cannot be read: {error.strerror}", "mend its path or mode")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = Problem(str(path), line, "", "not UTF-8", "save it as UTF-8")
    raise ProtocolFileError([problem])


class _Reading:
    """Plain values out of YAML, and the line of each; aliases may not multiply, tags mean nothing here."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.left = _MOST_VALUES
        self._lines: dict[Where, int] = {(): 1}

    def line(self, where: Where) -> int:
        while where and where not in self._lines:
            where = where[:-1]
        return self._lines[where]

    def read(self, text: str, file: str) -> Any:
        yaml = YAML()
        yaml.max_depth = _DEEPEST
        yaml.composer.warn_double_anchors = False
        try:
            node = yaml.compose(text)
        except MarkedYAMLError as error:
            # Only the parser's own words: its snippet of the line could hold a secret.
            mark = error.problem_mark or error.context_mark
            says = ", ".join(part for part in (error.context, error.problem) if part)
            says = "nested too deep" if isinstance(error, MaxDepthExceededError) else says
            problem = Problem(file, mark.line + 1 if mark else 1, "", f"invalid YAML: {says}", "look here and above")
        except YAMLError as error:
            line = text.count("\n", 0, getattr(error, "position", 0)) + 1
            problem = Problem(file, line, "", "invalid YAML: a control character", "delete it")
        else:
            value = None if node is None else self._value(node, ())
            if self.left > 0:
                return value
            wrong = f"more than {_MOST_VALUES} values, once its aliases are unfolded"
            problem = Problem(file, 1, "", wrong, "write the values out")
        raise ProtocolFileError([problem])

    def _value(self, node: Node, where: Where) -> Any:
        self.left = min(self.left - 1, 0 if len(where) >= _DEEPEST else _MOST_VALUES)
        self._lines.setdefault(where, node.start_mark.line + 1)
        if self.left <= 0:
            return None
        tag = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if isinstance(node, MappingNode) and tag == "map":
            return self._mapping(node, where)
        if isinstance(node, SequenceNode) and tag == "seq":
            return [self._value(item, (*where, number)) for number, item in enumerate(node.value)]
        if tag in _SCALARS:
            return _SCALARS[tag](node.value)
        self.faults.append((where, "a YAML tag", "write a plain value without it"))
        return None

    def _mapping(self, node: MappingNode, where: Where) -> dict[str | int, Any]:
        found: dict[str | int, Any] = {}
        for key_node, value_node in node.value:
            key: str | int = key_node.value if isinstance(key_node.value, str) else "?"
            key = int(key) if where == ("levels",) and key in {"1", "2", "3"} else key
            below, line = (*where, key), key_node.start_mark.line + 1
            if key in found:
                wrong = f"a second time, on line {line}; the first is on line {self._lines[below]}"
                self.faults.append((below, wrong, "keep one"))
            elif str(key_node.tag).endswith(":merge"):
                self.faults.append((where, "a merge key `<<`", "write the keys out"))
            else:
                self._lines[below] = line
                found[key] = self._value(value_node, below)
        return found


def _number(text: str) -> int | float | str:
    for kind in (partial(int, base=0), float):
        with suppress(ValueError):
            return kind(text.replace("_", ""))
    return text


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "timestamp": str,
    "int": _number,
    "float": _number,
    "bool": lambda text: text.lower() == "true",
    "null": lambda _: None,
}


def _hide(where: Where, wrong: str, mend: str) -> tuple[str, str, str]:
    dotted = ".".join(str(part) for part in where)
    return _SECRET.sub("(not shown)", dotted), _SECRET.sub("(not shown)", wrong), mend


def _pick(word: object, known: Collection[object]) -> str:
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(word).replace("-", "_"), [name.replace("-", "_") for name in names], 1)
    meant = [name for name in names if name.replace("-", "_") in near]
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")  # noqa: PLR2004
    return f"did you mean {meant[0]}? (known: {listed})" if meant else f"choose from: {listed or 'none yet'}"


def _translate(error: ValidationError, data: Any, told: set[Where]) -> Faults:
    """Say what pydantic refused; once for each place, and nothing below a key that does not belong."""
    schema = Protocol.model_json_schema()
    strangers: list[Where] = []
    for detail in error.errors(include_url=False):
        where = _place(detail["loc"], data)
        if detail["type"].startswith("union_tag"):
            where = (*where, "by")
        follows = detail["type"] == "too_short" and detail["input"]
        if follows or where in told or any(where[: len(stranger)] == stranger for stranger in strangers):
            continue
        if detail["loc"][-1:] == ("[key]",):
            strangers.append(where)
        told.add(where)
        yield (where, *_say(detail, where, schema, data))


def _place(loc: tuple[str | int, ...], data: Any) -> Where:
    # Pydantic's place also names the branch of a union, which is no key of the file.
    where: Where = ()
    for number, part in enumerate(loc):
        inside = (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int))
        if inside or (number == len(loc) - 1 and "[" not in str(part)):
            where = (*where, part)
        if inside:
            data = data[part]
    return where


def _field(schema: dict[str, Any], where: Where, data: Any) -> dict[str, Any]:
    """Return the schema of a place, with the description that its parent gives it."""
    node = _resolve(schema, schema, data)
    for part in where:
        inside = isinstance(data, dict) or (isinstance(data, list) and isinstance(part, int) and part < len(data))
        data = (data.get(part) if isinstance(data, dict) else data[part]) if inside else None
        patterns = list(node.get("patternProperties", {}).values())
        others = node.get("additionalProperties") or node.get("items") or (patterns[0] if patterns else {})
        below = node.get("properties", {}).get(part, others)
        node = _resolve(schema, below, data) if isinstance(below, dict) else {}
    return node


def _resolve(schema: dict[str, Any], node: dict[str, Any], data: Any) -> dict[str, Any]:
    about = node.get("description")
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif "discriminator" in node:
            branches = node["discriminator"]["mapping"]
            by = data.get("by") if isinstance(data, dict) else None
            node = {"$ref": branches.get(str(by), next(iter(branches.values())))}
        elif "anyOf" in node:
            node = node["anyOf"][0]
        else:
            return {**node, "description": about or node.get("description", "")}


def _say(detail: ErrorDetails, where: Where, schema: dict[str, Any], data: Any) -> tuple[str, str]:
    value, context, field = detail["input"], detail.get("ctx", {}), _field(schema, where, data)
    about = field.get("description", "")
    match detail["type"]:
        case "missing" | "union_tag_not_found":
            said = "missing", f"add it: {about or 'it says which kind this is'}"
        case "extra_forbidden" | "invalid_key":
            said = "unknown key", _pick(where[-1], _field(schema, where[:-1], data).get("properties", {}))
        case "literal_error" | "enum" | "union_tag_invalid":
            said = _say_choice(value, context)
        case "string_pattern_mismatch" if context["pattern"] == model.REFERENCE:
            said = _say_reference(where, str(value))
        case "string_pattern_mismatch":
            wrong, mend = _PATTERNS[context["pattern"]]
            said = f"{value!r} is {wrong}" if context["pattern"] == model.NAME else wrong, mend
        case "too_short" | "string_too_short":
            said = "empty", f"fill it in: {about or 'one request or more'}"
        case "greater_than_equal" | "less_than_equal":
            bounds = f"at least {field['minimum']}" + (f" and at most {field['maximum']}" if "maximum" in field else "")
            said = f"must be {bounds}", about
        case "greater_than":
            said = "no length of time", "write for example 90s, 10m or 1h30m"
        case "value_error":
            wrong, _, mend = str(context["error"]).partition("; ")
            said = wrong, mend
        case kind:
            said = _say_kind(kind, value, about)
    return said


def _say_choice(value: object, context: dict[str, Any]) -> tuple[str, str]:
    value = value.get("by") if isinstance(value, dict) else value
    expected = str(context.get("expected", context.get("expected_tags")))
    options = re.findall(r"'([^']*)'", expected) or re.findall(r"\d+", expected)
    shown = repr(value) if isinstance(value, str | int) else "this"
    return f"{shown} is not known here", _pick(value, options)


def _say_reference(where: Where, value: str) -> tuple[str, str]:
    kind = value.partition(":")[0]
    if kind in {"env", "file", "vault", "block"} and ":" in value:
        shape = {"env": "env:NAME, in capitals", "vault": "vault:PATH#KEY"}.get(kind, f"{kind}:…")
        return f"a malformed {kind}: reference", f"write {shape}"
    name = "_".join(str(part) for part in where[1:] if isinstance(part, str)).replace("-", "_").upper()
    wrong = "a literal where a reference belongs (not shown: it may be the secret)"
    return wrong, f"move it to the environment and write env:NAME, for example env:{name or 'TOKEN'}"


def _say_kind(kind: str, value: object, about: str) -> tuple[str, str]:
    wanted = _KINDS.get(kind.partition("_")[0], "a mapping of keys")
    if value is None:
        return f"empty, must be {wanted}", f"fill it in: {about}" if about else "fill it in"
    names: dict[type, str] = {bool: "true or false", dict: "a mapping", list: "a list", str: "text"}
    saw = names.get(type(value), "a number")
    mend = {"a list": "write [one, two] or one `- item` a line", "a number": "put it in quotes"}
    found = mend.get(wanted) or (mend.get(saw) if wanted == "text" else None)
    return f"must be {wanted}, is {saw}", found or (f"it is for this: {about}" if about else f"write {wanted}")


def _broken_rules(data: Any, actions: Collection[str] | None, playbooks: Collection[str] | None) -> Faults:
    root = _map(data)
    yield from _wrong_people(root)
    yield from _unproved_people(root)
    yield from _wrong_levels(root, actions)
    yield from _wrong_gates(_map(root.get("gates")), actions) if "gates" in root else ()
    yield from wrong_alerts(root, playbooks, _pick)
    yield from wrong_intake(root, actions, playbooks, _pick)
    yield from _wrong_drills(root, playbooks)
    yield from _literal_secrets(data, ())


def _map(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[tuple[int, Any]]:
    return list(enumerate(value)) if isinstance(value, list) else []


def _wrong_people(root: dict[Any, Any]) -> Faults:
    people = _map(root.get("people"))
    asked: list[tuple[Where, Any]] = [
        (("people", who, "deputy"), _map(person).get("deputy")) for who, person in people.items()
    ]
    asked += [(("stakeholders", at), who) for at, who in _list(root.get("stakeholders"))]
    for level, rule in _map(root.get("levels")).items():
        makers = _list(_map(rule).get("decision_makers"))
        asked += [(("levels", level, "decision_makers", at), who) for at, who in makers]
        asked += [(("levels", level, "above", at), who) for at, who in _list(_map(rule).get("above"))]
    glass = _list(_map(root.get("break_glass")).get("people"))
    asked += [(("break_glass", "people", at), who) for at, who in glass]
    law = _map(root.get("law"))
    warned = [((("law", of, at)), who) for of in ("counsel", "alarms") for at, who in _list(law.get(of))]
    asked += warned
    asked += [(("systems", name, "owner"), _map(one).get("owner")) for name, one in _map(root.get("systems")).items()]
    for where, who in asked:
        if isinstance(who, str) and who not in people:
            yield where, f"no such person {who!r}", _pick(who, people)
    for at, who in _list(root.get("stakeholders")):
        person = people.get(who) if isinstance(who, str) else None
        if isinstance(person, dict) and not (person.get("sms") or person.get("call")):
            yield ("stakeholders", at), f"{who} cannot be reached", f"add people.{who}.sms or .call"
    for where, who in warned:
        person = people.get(who) if isinstance(who, str) else None
        if isinstance(person, dict) and not person.get("sms"):
            yield where, f"{who} cannot be warned", f"add people.{who}.sms: a warning is an SMS first"
    yield from _deputy_loops({who: _map(person).get("deputy") for who, person in people.items()})
    yield from _one_human_twice(people)


def _one_human_twice(people: dict[Any, Any]) -> Faults:
    """Two entries for one human would be two votes."""
    owners: dict[str, Any] = {}
    for who, person in people.items():
        if not isinstance(who, str) or not isinstance(person, dict):
            continue
        accounts = person_accounts(who, {**person, "aliases": [one for _, one in _list(person.get("aliases"))]})
        proof = _map(person.get("proof")).get("totp")
        for account in [*accounts, *([f"the proof {proof}"] if isinstance(proof, str) else [])]:
            if owners.setdefault(account, who) != who:
                shared = account if account.startswith("the proof ") else f"{account!r}, however it is spelt"
                wrong = f"the same human as {owners[account]}: both have {shared}"
                yield ("people", who), wrong, "keep one entry and give the other names as aliases"
                break


def _deputy_loops(deputies: dict[Any, Any]) -> Faults:
    done: set[Any] = set()
    for first in deputies:
        chain = _chain(first, deputies)
        back = str(deputies.get(chain[-1]))
        if back in chain and not done.intersection(chain):
            loop = [*chain[chain.index(back) :], back]
            wrong = "names themselves" if len(loop) == 2 else f"a deputy loop: {' -> '.join(loop)}"  # noqa: PLR2004
            yield ("people", back, "deputy"), wrong, "name somebody who is not waiting already, or nobody"
        done.update(chain)


def _chain(first: Any, deputies: dict[Any, Any]) -> list[Any]:
    chain = [first]
    while isinstance(after := deputies.get(chain[-1]), str) and after in deputies and after not in chain:
        chain.append(after)
    return chain


def _unproved_people(root: dict[Any, Any]) -> Faults:
    people = _map(root.get("people"))
    deputies = {who: _map(person).get("deputy") for who, person in people.items()}
    told: set[str] = set()
    deciding = [
        (f"at level {level}", _list(_map(rule).get(key)))
        for level, rule in _map(root.get("levels")).items()
        for key in ("decision_makers", "above")
    ]
    deciding.append(("when glass is broken", _list(_map(root.get("break_glass")).get("people"))))
    for when, listed in deciding:
        makers = [who for _, who in listed if isinstance(who, str) and who in people]
        for who in (person for maker in makers for person in _chain(maker, deputies)):
            if who not in told and isinstance(people[who], dict) and not people[who].get("proof"):
                told.add(who)
                wrong = f"{'decides' if who in makers else 'is a deputy'} {when} without a proof of identity"
                yield ("people", who), wrong, "add `proof: {totp: env:NAME}`"


def _wrong_levels(root: dict[Any, Any], actions: Names) -> Faults:
    levels, people = _map(root.get("levels")), _map(root.get("people"))
    for level in (each for each in (1, 2, 3) if "levels" in root and each not in levels):
        yield ("levels", level), "missing", f"add level {level}: means, decision_makers, authorised"
    for level, rule in levels.items():
        where, makers = ("levels", level, "decision_makers"), _map(rule).get("decision_makers")
        if makers == []:
            yield where, "empty", f"name at least one person (known: {', '.join(map(str, people))})"
        for at, who in _list(makers):
            if who in [before for _, before in _list(makers)[:at]]:
                yield (*where, at), f"{who} is named twice", "name each person once"
        for at, action in _list(_map(rule).get("authorised")):
            if actions is not None and isinstance(action, str) and action not in actions:
                yield ("levels", level, "authorised", at), f"no such action {action!r}", _pick(action, sorted(actions))


def _wrong_gates(gates: dict[Any, Any], actions: Names) -> Faults:
    for kind in (each for each in ("contain", "inform", "restore", "destroy") if each not in gates):
        yield ("gates", kind), "missing", "add it: who is asked, for how long, and what silence means"
    destroy = _map(gates.get("destroy"))
    if destroy.get("ask") == "nobody":
        yield ("gates", "destroy", "ask"), "nobody is asked before what cannot be undone", "write `two people`"
    if destroy.get("proceed_on_silence"):
        where = ("gates", "destroy", "proceed_on_silence")
        yield where, "silence would destroy what cannot be undone", "take it out: silence stops safely"
    for kind, gate in gates.items():
        yield from _too_late(kind, _map(gate))
        for action in _map(_map(gate).get("proceed_on_silence")):
            if actions is not None and action not in actions:
                place: Where = ("gates", kind, "proceed_on_silence", action)
                yield place, f"no such action {action!r}", _pick(action, sorted(actions))


def _too_late(kind: str, gate: dict[Any, Any]) -> Faults:
    """Find rungs of the ladder that come after the gate has closed, and so ask nobody."""
    if gate.get("ask") == "nobody":
        return
    rungs = {"deputy_after": "deputies", "above_after": "the level above"}
    told = {key: gate.get(key, Gate.model_fields[key].default) for key in (*rungs, "wait")}
    wait = _seconds(told["wait"])
    for key, whom in rungs.items():
        after = _seconds(told[key])
        if after is not None and wait is not None and after >= wait:
            wrong = f"{whom} would be asked after {told[key]}, when the wait of {told['wait']} is over"
            place = key if key in gate else "wait"
            yield ("gates", kind, place), wrong, f"make {key} shorter than wait"


def _seconds(text: Any) -> float | None:
    try:
        return parse_duration(text).total_seconds()
    except (ValueError, OverflowError, TypeError):
        return None


def _wrong_drills(root: dict[Any, Any], playbooks: Names) -> Faults:
    for at, drill in _list(root.get("drills")):
        where, drill = ("drills", at), _map(drill)  # noqa: PLW2901
        services = _map(root.get("services"))
        yield from unknown((*where, "service"), "service", drill.get("service"), services, _pick)
        yield from unknown((*where, "playbook"), "playbook", drill.get("playbook"), playbooks, _pick)
        cron = drill.get("cron")
        try:
            if isinstance(cron, str) and cron:
                CronSim(cron, utc_now())
        except CronSimError as error:
            yield (*where, "cron"), f"no cron schedule: {error}", "write five fields, for example 0 10 * * 2"


def _literal_secrets(value: Any, where: Where) -> Faults:
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _literal_secrets(below, (*where, key))
    elif isinstance(value, str) and value and not re.search(r"\b(env|file|vault|block):", value):
        sent = where[:1] == ("services",) and {"json", "headers", "environment"}.intersection(where[2:-1])
        named = sent and "answers" not in where and _SECRET_NAME.search(str(where[-1]))
        if named or _SECRET.search(value):
            yield (where, *_say_reference(where, ""))
