"""Files: read the instruments and the facts, ours and those that a company adds, and name what is wrong in them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from crisis.domain.disclosure.dossier import fact_of
from crisis.domain.law.condition import roles_in
from crisis.domain.law.fact import FactKind
from crisis.domain.law.instrument import Instrument
from crisis.errors import ProtocolError

__all__ = ["Library", "load_law"]

_FACTS = "facts.yaml"
_ABOUT_US = frozenset({"role", "jurisdiction"})
"""What a condition may ask for that protocol.yaml answers, and no person."""


@dataclass(frozen=True)
class Library:
    """Every instrument, and every fact that they ask for by its name."""

    instruments: tuple[Instrument, ...]
    kinds: Mapping[str, FactKind]

    def roles(self) -> frozenset[str]:
        """Return every role that some law asks for."""
        every = [
            condition for one in self.instruments for condition in (one.binds, *(duty.when for duty in one.duties))
        ]
        every += [free.when for one in self.instruments for duty in one.duties for free in duty.exempt if free.when]
        return frozenset(role for condition in every for role in roles_in(condition))


def load_law(more: Iterable[Path] = ()) -> Library:
    """
    Read the instruments that come with crisis, and `more` files of a company's own duties.

    Raises ProtocolError for a file that cannot be read, is no instrument, or asks for a fact that nobody can state.
    """
    folder = files("crisis.law")
    kinds = {one.name: one for one in _read(folder / _FACTS, TypeAdapter(tuple[FactKind, ...]))}
    ours = sorted((one for one in folder.iterdir() if _is_instrument(one)), key=lambda one: one.name)
    found, where = list[Instrument](), dict[str, str]()
    for file in (*ours, *more):
        instrument = _read(file, TypeAdapter(Instrument))
        wrong = next(_faults(instrument, kinds, where), "")
        if wrong:
            raise ProtocolError(str(file), wanted="an instrument that fits the others", saw=wrong)
        found.append(instrument)
        where |= {duty.id: instrument.id for duty in instrument.duties}
    for instrument in found:
        lost = sorted(instrument.waits_for() - where.keys())
        if lost:
            raise ProtocolError(instrument.id, wanted="terms that start from duties", saw=f"no duty {lost[0]}")
    return Library(tuple(found), {**kinds, **_texts(found)})


def _texts(instruments: Iterable[Instrument]) -> dict[str, FactKind]:
    """Return a fact for each passage that a person may write, by what the first law says that wants it."""
    items = {fact_of(item): item for one in instruments for duty in one.duties for item in duty.must_contain}
    asks = "For the notices, or `unknown until DATE`: {}"
    return {name: FactKind(name=name, kind="text", asks=asks.format(item.says)) for name, item in items.items()}


def _is_instrument(file: Traversable) -> bool:
    return file.name.endswith(".yaml") and file.name != _FACTS


def _read(file: Traversable | Path, form: TypeAdapter[Any]) -> Any:
    wanted = "a file of duties"
    try:
        data = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProtocolError(str(file), wanted=wanted, saw=error.strerror or "no file") from None
    except UnicodeDecodeError:
        raise ProtocolError(str(file), wanted=wanted, saw="no UTF-8", then="save it as UTF-8") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ProtocolError(f"{file}:{line}", wanted="YAML", saw=error.problem or "none") from None
    except YAMLError:
        raise ProtocolError(str(file), wanted="YAML", saw="none") from None
    try:
        return form.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ProtocolError(f"{file}: {at}", wanted=wanted, saw=first["msg"]) from None


def _faults(instrument: Instrument, kinds: Mapping[str, FactKind], where: Mapping[str, str]) -> Iterator[str]:
    unknown = sorted(instrument.asks_for() - kinds.keys() - _ABOUT_US)
    if unknown:
        yield f"it asks for {unknown[0]}, which is no fact of {_FACTS}"
    twice = sorted({duty.id for duty in instrument.duties} & where.keys())
    if twice:
        yield f"the duty {twice[0]} stands in {where[twice[0]]} already"
