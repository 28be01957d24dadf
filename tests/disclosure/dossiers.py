"""Dossiers: one in which everything is stated, one in which nothing is, and a hostile one, for tests of templates."""

from datetime import timedelta
from typing import Any

from crisis.disclosure import Draft, words_of
from crisis.domain.clock import write_time
from crisis.domain.disclosure.dossier import Dossier, Measure, fact_of
from crisis.domain.law.duties import Case, Ruling, judge_duties
from crisis.domain.law.fact import FactKind, Facts, Statement
from crisis.domain.law.receipt import Receipt
from crisis.domain.protocol import Contact, Law
from crisis.law import Reading
from tests.law.cases import LIBRARY, OPENED

RULINGS = [Ruling(instrument=one, duty=duty, verdict="yes") for one in LIBRARY.instruments for duty in one.duties]
"""Every duty of the library, in each of its versions, as if it applied."""

ITEMS = {item.id: item for one in RULINGS for item in one.duty.must_contain}
HOSTILE = (
    "# Heading\n- point\n1. first\n> quote\n```\ncode\n---\n===\n| a | b |\n"
    "<script>alert(1)</script> <!-- gone --> {{ 7 * 7 }} {% raw %} [link](http://x.example) ![i](y) **bold** &lt;\n"
    "\u05e9\u05dc\u05d5\u05dd \u202eturned\u202c \u2028next\r\nlast " + "x" * 2000
)
LAW = Law(
    jurisdictions=("EU", "GB"),
    roles=("controller",),
    address="1 Sample Street, Sampleton",
    contact=Contact(name="Privacy office", role="Data Protection Officer", email="privacy@shop.example"),
)


def ruling(duty: str) -> Ruling:
    """Return the newest version of a duty, as if it applied."""
    return [one for one in RULINGS if one.duty.id == duty][-1]


def texts(word: str = "Written on") -> dict[str, str]:
    """Return a passage for each item that a law wants, each with words of its own."""
    return {fact_of(item): f"{word} {item.id.replace('-', ' ')}." for item in ITEMS.values()}


def values(text: str = "Stated") -> dict[str, Any]:
    """Return a value for every fact that people can state, besides the passages."""
    return {kind.name: _value(kind, text) for kind in LIBRARY.kinds.values() if not kind.name.startswith("text_")}


def dossier(said: dict[str, Any], *, law: Law = LAW, company: str = "Shop Ltd", **more: Any) -> Dossier:
    """Return a dossier in which these facts are stated, with what they rest on."""
    made = [
        Statement(number=number, fact=name, value=value, by="cleo", stated=OPENED, evidence=f"look {number}")
        for number, (name, value) in enumerate(said.items(), 1)
    ]
    about = {"incident": "INC-20260302-abc123", "company": company, "law": law, "opened": OPENED, "now": OPENED}
    return Dossier(**{**about, "facts": Facts(statements=tuple(made)), "measures": (), **more})


def full(**more: Any) -> Dossier:
    """Return a dossier in which all is stated and much was done."""
    done = [Measure(action=one, first=OPENED + timedelta(hours=1), times=2) for one in words_of("en").measures]
    filed = Receipt(number=9, duty="eu-gdpr-33", at=OPENED + timedelta(hours=30), by="cleo", reference="DPA-77")
    return dossier({**values(), **texts()}, measures=tuple(done), receipts=(filed,), **more)


def empty() -> Dossier:
    """Return a dossier in which nobody has stated anything, of a company that says nothing of itself."""
    return dossier({}, law=Law())


def hostile() -> Dossier:
    """Return a dossier whose every text tries to break the page."""
    typed = dict.fromkeys(texts(), HOSTILE)
    receipt = Receipt(number=9, duty="eu-gdpr-33", at=OPENED, by="cleo", reference=HOSTILE)
    contact = Contact(name=HOSTILE, role="| x |", email="a_b_c@shop.example")
    law = LAW.model_copy(update={"address": HOSTILE, "contact": contact})
    return dossier({**values(HOSTILE), **typed}, law=law, company=HOSTILE, receipts=(receipt,))


def reading(of: Dossier) -> Reading:
    """Return how the law stands to a dossier."""
    receipts = {one.duty: one for one in of.receipts}
    case = Case(OPENED, of.facts, of.law, LIBRARY.kinds, receipts)
    return Reading(LIBRARY, case, judge_duties(LIBRARY.instruments, case, of.now), [], ())


def headings(draft: Draft) -> list[str]:
    """Return the headings of a draft, without their signs."""
    return [line.lstrip("#").strip() for line in draft.markdown.splitlines() if line.startswith("#")]


def _value(kind: FactKind, text: str) -> Any:
    number = {"least": 1200, "most": 1400}
    return {
        "moment": write_time(OPENED),
        "answer": True,
        "choice": kind.choices[-1] if kind.choices else "",
        "choices": sorted(kind.choices),
        "number": number,
        "people": {"DE": number, "US-CA": {"least": 10, "most": 10}},
        "text": text,
    }[kind.kind]
