"""
Condition: when a rule applies, as data; judged as yes, no, or unclear with the facts that are missing.

Three-valued (Kleene's strong logic of indeterminacy): what is not known decides nothing, and makes nothing false.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from crisis.domain.model import Strict, Text

__all__ = [
    "AllOf",
    "AnyOf",
    "Claim",
    "Condition",
    "Judgement",
    "NoneOf",
    "Verdict",
    "judge",
    "names_in",
    "places_in",
    "roles_in",
]

Verdict = Literal["yes", "no", "unclear"]


class Claim(Strict):
    """
    What one fact must be: `is` a value, `one_of` several, or a number `at_least` or `more_than` so high.

    A fact that is a set fulfils `is` and `one_of` when one of its members does. `place` asks for the number of people
    there, as ISO 3166 writes the place: DE, US-CA; `EU` stands for all of the union.
    """

    fact: Text
    is_: bool | str | None = Field(default=None, alias="is")
    one_of: tuple[str, ...] | None = None
    at_least: int | None = Field(default=None, ge=1)
    more_than: int | None = Field(default=None, ge=0)
    place: Text | None = None

    @model_validator(mode="after")
    def _one_demand(self) -> Self:
        demands = (self.is_, self.one_of, self.at_least, self.more_than)
        if sum(one is not None for one in demands) != 1:
            msg = f"a claim about {self.fact} has one of is, one_of, at_least and more_than"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        """Say it: `risk is risk or high`, `people in US-TX: at least 250`."""
        about = self.fact.replace("_", " ") + (f" in {self.place}" if self.place else "")
        if self.is_ is not None:
            return f"{about}: {'yes' if self.is_ is True else 'no' if self.is_ is False else self.is_}"
        if self.one_of is not None:
            return f"{about}: {' or '.join(self.one_of)}"
        return f"{about}: {f'at least {self.at_least}' if self.at_least is not None else f'more than {self.more_than}'}"


class AllOf(Strict):
    """Every part must hold."""

    all_of: Annotated[tuple["Condition", ...], Field(min_length=1)]


class AnyOf(Strict):
    """One part must hold."""

    any_of: Annotated[tuple["Condition", ...], Field(min_length=1)]


class NoneOf(Strict):
    """No part may hold."""

    none_of: Annotated[tuple["Condition", ...], Field(min_length=1)]


_FORMS: dict[str, type[BaseModel]] = {"fact": Claim, "all_of": AllOf, "any_of": AnyOf, "none_of": NoneOf}


def _by_its_word(value: Any) -> Any:
    """Pick the form by the word that stands in it, so that a mistake is told of that form alone."""
    if not isinstance(value, dict):
        return value
    form = next((form for word, form in _FORMS.items() if word in value), None)
    if form is None:
        msg = f"a condition begins with one of {', '.join(_FORMS)}"
        raise ValueError(msg)
    return form.model_validate(value)


Condition = Annotated[Claim | AllOf | AnyOf | NoneOf, BeforeValidator(_by_its_word)]
"""When something applies."""

AllOf.model_rebuild()
AnyOf.model_rebuild()
NoneOf.model_rebuild()


class Judgement(Strict):
    """Whether a condition holds, on which grounds, and which facts would decide it."""

    verdict: Verdict
    because: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def judge(condition: Condition, holds: Callable[[Claim], Judgement]) -> Judgement:
    """Judge a condition by what is known of each claim in it."""
    if isinstance(condition, Claim):
        return holds(condition)
    if isinstance(condition, AllOf):
        return _all([judge(part, holds) for part in condition.all_of], decides="no")
    if isinstance(condition, AnyOf):
        return _all([judge(part, holds) for part in condition.any_of], decides="yes")
    found = _all([judge(part, holds) for part in condition.none_of], decides="yes")
    other: dict[Verdict, Verdict] = {"yes": "no", "no": "yes", "unclear": "unclear"}
    return found.model_copy(update={"verdict": other[found.verdict]})


def names_in(condition: Condition) -> set[str]:
    """Return the names of all facts that a condition asks for."""
    return {claim.fact for claim in _claims(condition)}


def places_in(condition: Condition) -> set[str]:
    """Return the places in which a condition asks for people."""
    return {claim.place for claim in _claims(condition) if claim.place is not None}


def roles_in(condition: Condition) -> set[str]:
    """Return the roles that a condition asks for."""
    found = [claim.one_of or (str(claim.is_),) for claim in _claims(condition) if claim.fact == "role"]
    return {role for some in found for role in some}


def _claims(condition: Condition) -> Iterator[Claim]:
    if isinstance(condition, Claim):
        yield condition
        return
    if isinstance(condition, AllOf):
        parts = condition.all_of
    elif isinstance(condition, AnyOf):
        parts = condition.any_of
    else:
        parts = condition.none_of
    for part in parts:
        yield from _claims(part)


def _all(parts: list[Judgement], *, decides: Verdict) -> Judgement:
    """Join parts of which one with the verdict `decides` decides the whole."""
    deciding = [one for one in parts if one.verdict == decides]
    if deciding:
        return Judgement(verdict=decides, because=_each(one.because for one in deciding))
    open_ones = [one for one in parts if one.verdict == "unclear"]
    if open_ones:
        missing = _each(one.missing for one in open_ones)
        return Judgement(verdict="unclear", because=_each(one.because for one in open_ones), missing=missing)
    other: Verdict = "yes" if decides == "no" else "no"
    return Judgement(verdict=other, because=_each(one.because for one in parts))


def _each(many: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for some in many for one in some))
