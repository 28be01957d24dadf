"""Guard of people: who may not be named, e-mail addresses, dates of birth, and the names of other customers."""

import re
from collections.abc import Iterator, Sequence

from crisis.domain.disclosure.finding import Allowed, Spot
from crisis.domain.disclosure.reading import folded
from crisis.domain.disclosure.word_index import NameIndex, Words, lines_with, lows_of

__all__ = ["NAMED", "customers_in", "mail_in", "people_in"]

_AT = r"(?:@|%40| ?[\[({] ?(?:at|@) ?[\])}] ?)"
_DOT = r"(?:\.| ?[\[({] ?(?:dot|punkt|point|\.) ?[\])}] ?)"
_MAIL = re.compile(
    rf"(?<![\w.+-])(?P<user>[\w.+-]{{1,64}}+){_AT}(?P<host>(?:[A-Za-z0-9-]{{1,63}}{_DOT}){{1,6}}[A-Za-z]{{2,24}})(?![\w-])",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez|janv|fev|avr|juin|juil|aout|maerz)[a-z]{0,8}\.?"
)
_DAY = (
    rf"(?:\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}}|\d{{1,2}}(?:st|nd|rd|th|er"
    rf"|\.)?\s{{1,2}}(?:of\s)?{_MONTH},?\s{{1,2}}\d{{4}}"
    rf"|{_MONTH}\s{{1,2}}\d{{1,2}}(?:st|nd|rd|th)?,?\s{{1,2}}\d{{4}})"
)
_BORN = re.compile(
    r"\b(?:date\s?of\s?birth|birth\s?date|born|dob|d\.o\.b\.?|geburtsdatum|geburtstag|geb\.|geboren|nee?(?:\(e\))?|"
    rf"naissance)[\s:\"'=(-]{{0,6}}(?:on|am|le|is|was|ist|den|of|du|est)?[\s:]{{0,2}}{_DAY}",
    re.IGNORECASE,
)
_TITLES = {
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "professor", "herr", "herrn", "frau", "m", "mme", "mlle",
    "monsieur", "madame", "mademoiselle", "maitre", "me",
}  # fmt: skip
_SHORT_TITLES = {"m", "me", "ms"}
_STREET = re.compile(r"\d [A-Z]\w+ $")
NAMED = "name of a person"
# Offices, forms of address and blanks of a form that stand where a name would.
_NO_NAMES = {
    "chair", "chairman", "chairwoman", "chairperson", "president", "commissioner", "minister", "secretary", "attorney",
    "general", "speaker", "madam", "sir", "prasident", "prasidentin", "direktor", "direktorin", "ministerin",
    "kommissar", "landesbeauftragte", "landesbeauftragter", "bundesbeauftragte", "bundesbeauftragter", "staatsanwalt",
    "vorname", "nachname", "name", "mustermann", "musterfrau", "oder", "und", "or", "and", "kollegin", "kollege",
    "directeur", "directrice", "presidente", "ministre", "procureur", "nom", "prenom", "eur", "usd", "gbp", "chf",
}  # fmt: skip
# Family names that are words too, in one of the three languages: alone, they name nobody.
_WORDS_TOO = {
    "may", "long", "price", "young", "white", "black", "brown", "green", "gray", "king", "bell", "mark", "will",
    "stone", "wood", "hill", "field", "rose", "grant", "case", "day", "best", "bishop", "cook", "baker",
    "cross", "banks", "rice", "law", "love", "power", "wise", "small", "little", "church", "park", "parks",
    "march", "august", "summer", "winter", "sommer", "koch", "klein", "gross", "lang", "kurz", "richter", "bauer",
    "vogel", "wolf", "fuchs", "stein", "berg", "kaiser", "konig", "krieg", "schuld", "dank", "frank", "sachs", "graf",
    "petit", "blanc", "noir", "grand", "roi", "marchand", "page", "mercier", "moulin", "fontaine", "dupuis", "roy",
    "bank", "post", "cloud", "chance", "stark", "recht", "list", "brief", "ernst", "weiss", "schwarz", "roth", "braun",
}  # fmt: skip
_LEGAL_FORMS = {
    "gmbh", "ag", "inc", "ltd", "limited", "llc", "llp", "plc", "sa", "sas", "sarl", "se", "kg", "kgaa", "corp",
    "corporation", "co", "company", "bv", "nv", "spa", "srl", "ab", "oy", "as", "ohg", "ug", "ev",
}  # fmt: skip
_NAMES_AT_MOST = 3
_NO_NAME = "Remove the name; say the role, or add it to the names that may stand in the notice."


def mail_in(text: str, allowed: Allowed) -> Iterator[Spot]:
    """Yield the e-mail addresses of a plain text that may not stand in it."""
    if "@" not in text and "%40" not in text and " at " not in text and "[at" not in text and "(at" not in text:
        return
    known = {folded(one).casefold().strip() for one in allowed.addresses}
    for match in _MAIL.finditer(text):
        host = re.sub(r" ?[\[({] ?(?:dot|punkt|point|\.) ?[\])}] ?", ".", match["host"], flags=re.IGNORECASE)
        if f"{match['user']}@{host}".casefold().lstrip(".") not in known:
            says = "Remove it, or add it to the addresses that may stand in the notice."
            yield Spot("personal data", *match.span(), "e-mail address", says)


def _births(text: str) -> Iterator[Spot]:
    """Yield dates of birth: a date beside words that say so."""
    says = "Remove it; name the kind of data, not its content."
    for start, end in lines_with(text.lower(), ("birth", "born", "dob", "d.o.b", "gebu", "geb", "naissance", "ne")):
        for match in _BORN.finditer(text, start, end):
            yield Spot("personal data", *match.span(), "date of birth", says)


def people_in(words: Words, allowed: Allowed) -> list[Spot]:
    """List who is named in a flowing text: own employees, and whoever stands after a title; and dates of birth."""
    known = [frozenset(lows_of(name)) for name in allowed.names]
    spans = list(_after_titles(words, known))
    for first, after, whole in NameIndex(_spellings(allowed.people)).found(words):
        alone = after - first == 1
        if alone and not words.said(first)[0].isupper():
            continue
        if not _may_stand(known, words.lows[first:after] if alone else lows_of(whole)):
            spans.append((first, after))
    found = [(words.spans[first][0], words.spans[after - 1][1]) for first, after in spans]
    return [*_births(words.text), *(Spot("personal data", *span, NAMED, _NO_NAME) for span in found)]


def customers_in(words: Words, allowed: Allowed) -> Iterator[Spot]:
    """Yield where another customer is named, with or without the legal form behind the name."""
    own = {lows_of(name) for name in allowed.names}
    index = NameIndex((_short(customer), customer) for customer in allowed.customers if lows_of(customer) not in own)
    for first, after, _ in index.found(words):
        if after - first == 1 and not _is_a_name(words, first):
            continue
        says = "Remove the name; a notice speaks to one customer and names no other."
        yield Spot("other customer", words.spans[first][0], words.spans[after - 1][1], "name of another customer", says)


def _spellings(people: Sequence[str]) -> Iterator[tuple[str, str]]:
    for person in people:
        words = [low for low in lows_of(person) if low not in _TITLES]
        if not words:
            continue
        first, last = words[0], words[-1]
        yield " ".join(words), person
        if len(words) > 1:
            yield from ((f"{last} {' '.join(words[:-1])}", person), (f"{first} {last}", person))
            yield f"{first[0]} {last}", person
            if last not in _WORDS_TOO and len(last) > 2:  # noqa: PLR2004
                yield last, person


def _may_stand(known: Sequence[frozenset[str]], said: Sequence[str]) -> bool:
    return any(name.issuperset(word for word in said if word not in _TITLES) for name in known)


def _after_titles(words: Words, known: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    over = 0
    for at in words.places(_TITLES.__contains__):
        if at < over or not words.said(at)[0].isupper():
            continue
        begin = at + 1
        while begin < len(words) and words.lows[begin] in _TITLES and words.between(begin).strip(" ") in ("", "."):
            begin += 1
        over = end = begin
        while end < min(len(words), begin + _NAMES_AT_MOST) and _goes_on(words, end):
            end += 1
        name = words.lows[begin:end]
        if not name or name[0] in _NO_NAMES or not _is_title(words, at):
            continue
        known_so_far = any(_may_stand(known, name[:size]) for size in range(1, len(name) + 1))
        if not known_so_far and any(len(one) > 1 for one in name):
            yield begin, end


def _goes_on(words: Words, at: int) -> bool:
    between, said = words.between(at), words.said(at)
    dotted = between in (". ", ".", ".  ") and len(words.lows[at - 1]) <= 4  # noqa: PLR2004
    return (between in (" ", "  ", "-", "'") or dotted) and said[0].isupper() and said.isalpha()


def _is_title(words: Words, at: int) -> bool:
    """Tell `M. Dupont` from a letter of the alphabet, and a doctor from a drive."""
    start, end = words.spans[at]
    if words.lows[at] == "dr":
        return _STREET.search(words.text[max(0, start - 40) : start]) is None
    if words.lows[at] not in _SHORT_TITLES:
        return True
    dotted = words.text[end : end + 1] == "." or words.said(at) in ("Ms", "Me")
    return dotted and words.text[max(0, start - 1) : start] not in (".", "-", "&")


def _short(customer: str) -> str:
    words = list(lows_of(customer))
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    return " ".join(words)


def _is_a_name(words: Words, at: int) -> bool:
    """Tell a customer called Target from a target: by a capital, or by standing inside an address or identifier."""
    start, end = words.spans[at]
    after = words.text[end : end + 2]
    inside = after[:1] in ("_", "-", "@", "/") or (after[:1] == "." and after[1:].isalnum())
    return not words.said(at).islower() or inside or words.text[max(0, start - 1) : start] in tuple("._-@/")
