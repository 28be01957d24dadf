"""Finding: what may not stand in a notice, where it stands, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from crisis.domain.model import Strict, Text

__all__ = ["Allowed", "Finding", "Rule", "Spot"]

Rule = Literal[
    "secret",
    "personal data",
    "address of a customer",
    "other customer",
    "blame",
    "attribution",
    "exploit detail",
    "raw data",
]


class Allowed(Strict):
    """
    What may stand in a notice, and what is known not to.

    names                whom people may contact: the data protection officer, counsel, who signs
    addresses            e-mail addresses and telephone numbers that are published on purpose
    hosts                own domains; other hosts below them are internal
    customers            names of other customers
    people               names of own employees: neither named nor blamed, unless in `names`
    vulnerabilities_fixed  whether the way in is closed: only then may the notice describe it
    """

    names: tuple[Text, ...] = ()
    addresses: tuple[Text, ...] = ()
    hosts: tuple[Text, ...] = ()
    customers: tuple[Text, ...] = ()
    people: tuple[Text, ...] = ()
    vulnerabilities_fixed: bool = False


class Finding(Strict):
    """
    One place of a draft that must change before anybody may approve it.

    `line` and `column` count from 1, in the draft as it is written. `shown` never holds a secret or personal data:
    there, it says in brackets what was found.
    """

    rule: Rule
    line: int = Field(ge=1)
    column: int = Field(ge=1)
    shown: str
    says: Text


@dataclass(frozen=True, slots=True)
class Spot:
    """What a detector saw, as a span of the text that it looked at; `kind` stands in for it where it is hidden."""

    rule: Rule
    start: int
    end: int
    kind: str = ""
    says: str = ""
