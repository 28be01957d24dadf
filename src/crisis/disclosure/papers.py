"""Papers: what no law asks for: a brief, words to customers, staff and press, a withdrawal, a follow-up."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

from crisis.disclosure.drafting import Draft, about_incident, all_known
from crisis.disclosure.filling import fill_items, say_moment
from crisis.disclosure.pages import page_of
from crisis.disclosure.tongue import words_of
from crisis.domain.disclosure.dossier import Dossier
from crisis.domain.law.instrument import Item
from crisis.law import Reading

__all__ = ["PAPERS", "Paper", "write_paper"]

Paper = Literal["brief", "customers", "staff", "press", "withdrawal", "follow-up"]

_ZONE = ZoneInfo("UTC")
_ITEMS: dict[Paper, tuple[str, ...]] = {
    "brief": ("happened", "cause", "consequences", "measures", "measures-next", "contact"),
    "customers": ("happened", "when", "data", "consequences", "measures", "advice", "contact"),
    "staff": ("measures", "later", "contact"),
    # What people wrote for an authority does not go to the press: of the passages only these two.
    "press": ("later", "contact"),
    "withdrawal": ("decision", "contact"),
    "follow-up": ("changes", "measures", "measures-next", "unknown", "contact"),
}
PAPERS: tuple[Paper, ...] = tuple(_ITEMS)
_FACTS = {"when": ("happened",), "data": ("data_kinds",)}


def write_paper(kind: Paper, dossier: Dossier, reading: Reading, language: str = "en") -> Draft:
    """Write a paper that no law asks for; ProtocolError for a language that nobody has written."""
    words, name = words_of(language), f"paper-{kind}"
    title = words.titles[name]
    items = [Item(id=one, says=words.headings[one], from_facts=_FACTS.get(one, ())) for one in _ITEMS[kind]]
    passages = fill_items(items, dossier, words, title, zone=_ZONE)
    about = about_incident(dossier, _ZONE) | {
        "duties": _duties(reading),
        "unclear": len({one.duty.id for one in reading.rulings if one.verdict == "unclear" and not one.is_remote}),
        "filed": _filed(dossier, reading),
        "contradictions": dossier.facts.contradictions(),
    }
    value = {one: dossier.facts.value(one) for one in ("personal_data", "is_none")}
    text = page_of(language, name).write(words, passages, draft=about, value=value, **all_known(dossier, words, _ZONE))
    made = {"duty": name, "language": language, "title": title, "passages": passages, "made": dossier.now}
    return Draft(markdown=text, **made)


def _duties(reading: Reading) -> list[dict[str, Any]]:
    """Return whom the law asks to tell, with the tightest time of each and when it was handed in."""
    rulings = [one for one in reading.rulings if one.verdict == "yes"]
    found = []
    for duty in dict.fromkeys(one.duty.id for one in rulings):
        ruling = next(one for one in rulings if one.duty.id == duty)
        due = [one.due for one in reading.clocks if one.ruling.duty.id == duty and one.due is not None]
        receipt = reading.case.receipts.get(duty)
        found.append({
            "id": duty,
            "title": ruling.duty.title,
            "timed": bool(ruling.duty.terms),
            "due": say_moment(min(due), ZoneInfo(ruling.instrument.zone)) if due else "",
            "filed": say_moment(receipt.at, _ZONE) if receipt else "",
        })  # fmt: skip
    return found


def _filed(dossier: Dossier, reading: Reading) -> list[dict[str, str]]:
    """Return the notices that were handed in, by the names that their laws give them."""
    titles = {duty.id: duty.title for one in reading.library.instruments for duty in one.duties}
    return [
        {
            "id": one.duty,
            "title": titles.get(one.duty, one.duty),
            "filed": say_moment(one.at, _ZONE),
            "reference": one.reference,
        }
        for one in dossier.receipts
    ]
