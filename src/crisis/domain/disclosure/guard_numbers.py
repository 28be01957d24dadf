"""Guard of numbers: telephones, cards, accounts and numbers of persons, by their shapes and check digits."""

import re
from collections.abc import Callable, Iterator

from crisis.domain.disclosure.finding import Spot
from crisis.domain.disclosure.word_index import lines_with

__all__ = ["digits_of", "luhn_fits", "numbers_in"]

# All of these are looked for inside runs of digits alone; no run is looked at from its middle.
_RUN = re.compile(r"[+(]?\d(?:[ .()/\-]{0,3}+\d){6,}+")
_LETTERED = re.compile(
    r"[A-Z]{2}(?<![A-Za-z0-9]..) ?\d{2}[ -]?(?=[A-Z0-9])(?:[A-Z0-9]{2,4}[ -]?){2,8}[A-Z0-9]{0,4}(?![A-Za-z0-9])"
)
_GROUP = re.compile(r"\d++")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])")
_NIR = re.compile(
    r"(?<!\d)[12][ .]?\d{2}[ .]?(?:0[1-9]|1[0-2]|[2-9]\d)[ .]?\d[\dAB][ .]?\d{3}[ .]?\d{3}[ .]?\d{2}(?!\d)"
)
_CPF = re.compile(r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)|(?<!\d)\d{11}(?!\d)")
_TAX_DE = re.compile(r"(?<!\d)[1-9]\d ?\d{3} ?\d{3} ?\d{3}(?!\d)")
_NINO = re.compile(
    r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?<!BG|GB|NK|KN|TN|NT"
    r"|ZZ)(?<![A-Za-z0-9]..) ?\d{2} ?\d{2} ?\d{2} ?[A-D](?![A-Za-z0-9])"
)
_PHONES = (
    re.compile(r"(?<![\d])\+[1-9](?:[ ./()-]{0,3}\d){7,14}(?!\d)"),
    re.compile(r"(?<![\d.,])00[1-9](?:[ ./()-]{0,3}\d){8,14}(?!\d)"),
    re.compile(r"(?<![\d.-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\d-]|\.\d)"),
    re.compile(r"(?<![\d.,/-])0[1-9](?:[ .-]?\d{2}){4}(?!\d)"),
    re.compile(r"(?<![\d.,/-])\(?0[1-9]\d{1,4}\)?[ /-]{1,3}\d{3,8}(?:[ -]\d{2,8}){0,4}(?!\d)"),
)
_CALLED = re.compile(
    r"\b(?:tele(?:phone|fon|fax)|tel|phone|fax|mobile|mobil|handy|portable|call|rufnummer)(?:\s?(?:no|number"
    r"|nummer|nr))?"
    r"[.:]{0,2}\s{0,2}\(?\d(?:[ ./()-]{0,3}\d){5,14}(?!\d)",
    re.IGNORECASE,
)
_CALLS = ("tel", "phone", "fax", "mobil", "handy", "portable", "call", "rufnummer")
_THOUSANDS = re.compile(r"\+\d{1,3}(?:[ .]\d{3})+")
_HOURS = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d ?- ?(?:[01]\d|2[0-4])[0-5]\d")
_DATE = re.compile(r"\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{4}")
_TAX_WORD = re.compile(r"steuer|idnr|tax|tin\b", re.IGNORECASE)
_CPF_WORD = re.compile(r"\bcpf\b", re.IGNORECASE)
_SHORTEST_PHONE = 7
_SHORTEST_CARD, _LONGEST_CARD = 12, 19
_REMOVE = "Remove it; say what kind of number was concerned, not which."
_REMOVE_PHONE = "Remove it, or add it to the addresses that may stand in the notice."


def digits_of(text: str) -> str:
    """Return a telephone number as it is dialled from elsewhere, without the zeros in front."""
    return re.sub(r"\D", "", text.replace("(0)", "")).lstrip("0")


def numbers_in(text: str, allowed: tuple[str, ...]) -> Iterator[Spot]:
    """Yield the numbers of persons in a flowing text; telephone numbers unless they are allowed."""
    known = tuple(filter(None, (digits_of(one) for one in allowed if "@" not in one)))
    for run in _RUN.finditer(text):
        spots = list(_persons(text, *run.span()))
        yield from spots
        if not spots:
            yield from _phones(text, *run.span(), known)
    for match in (*_LETTERED.finditer(text), *_NINO.finditer(text)):
        if match.re is _NINO:
            yield _personal(match, "national insurance number")
        elif _iban_fits(match[0]):
            yield _personal(match, "IBAN")
    for start, end in lines_with(text.lower(), _CALLS):
        for match in _CALLED.finditer(text, start, end):
            if not _is_known(match[0], known):
                yield Spot("personal data", *match.span(), "telephone number", _REMOVE_PHONE)


def _persons(text: str, start: int, end: int) -> Iterator[Spot]:
    for first, last in _cards(text, start, end):
        yield Spot("personal data", first, last, "payment card number", _REMOVE)
    before = text[max(0, start - 48) : start]
    for pattern, fits, kind in _SHAPES:
        for match in pattern.finditer(text, start, end):
            bare = match[0].isdigit()
            if pattern is _TAX_DE and bare and not _TAX_WORD.search(before):
                continue
            if pattern is _CPF and bare and not _CPF_WORD.search(before):
                continue
            if fits(re.sub(r"[ .-]", "", match[0])):
                yield _personal(match, kind)


def _cards(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Find a card in a run of digits, whatever other numbers stand beside it."""
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    for at, (first, last) in enumerate(groups):
        # A card spelt digit by digit is looked for where such spelling begins, so that a long run costs no more.
        if text[first] not in "23456" or (last - first == 1 and at and groups[at - 1][1] - groups[at - 1][0] == 1):
            continue
        digits = ""
        for begin, stop in groups[at : at + _LONGEST_CARD]:
            digits += text[begin:stop]
            if len(digits) > _LONGEST_CARD:
                break
            if len(digits) >= _SHORTEST_CARD and _card_fits(digits):
                yield first, stop
                break


def _personal(match: re.Match[str], kind: str) -> Spot:
    return Spot("personal data", *match.span(), kind, _REMOVE)


def _phones(text: str, start: int, end: int, known: tuple[str, ...]) -> Iterator[Spot]:
    low = max(0, start - 1)  # what stands before the run is seen by the patterns, but not matched
    for pattern in _PHONES:
        for match in pattern.finditer(text, low, end):
            said, around = (
                match[0],
                text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1],
            )
            if _THOUSANDS.fullmatch(said) and len(digits_of(said)) < 10:  # noqa: PLR2004
                continue
            if _HOURS.fullmatch(said) or _DATE.fullmatch(said) or _is_known(said, known):
                continue
            if any(sign.isalpha() or sign == "_" for sign in around):
                continue  # a piece of an identifier
            yield Spot("personal data", *match.span(), "telephone number", _REMOVE_PHONE)


def _is_known(said: str, known: tuple[str, ...]) -> bool:
    number = digits_of(said)
    return len(number) >= _SHORTEST_PHONE and any(
        number == one or (len(one) >= _SHORTEST_PHONE and (number.endswith(one) or one.endswith(number)))
        for one in known
    )


def luhn_fits(digits: str) -> bool:
    """Say whether the last digit is the one that Luhn's rule gives."""
    doubled = [int(one) if at % 2 == 0 else sum(divmod(2 * int(one), 10)) for at, one in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _card_fits(digits: str) -> bool:
    first, size = int(digits[:4]), len(digits)
    issued = (
        (digits[0] == "4" and size in (13, 16, 19))
        or (digits[:2] in ("34", "37") and size == 15)  # noqa: PLR2004
        or (size == 16 and (5100 <= first <= 5599 or 2221 <= first <= 2720 or first // 100 in (35, 65, 64)))  # noqa: PLR2004
        or (digits[:4] == "6011" and size == 16)  # noqa: PLR2004
        or (digits[:2] in ("30", "36", "38") and size == 14)  # noqa: PLR2004
        or (digits[0] in "56" and size in (12, 16, 18, 19))
    )
    return issued and len(set(digits)) > 1 and luhn_fits(digits)


def _iban_fits(said: str) -> bool:
    bare = re.sub(r"[ -]", "", said)
    turned = "".join(str(int(one, 36)) for one in bare[4:] + bare[:4])
    return 15 <= len(bare) <= 34 and int(turned) % 97 == 1  # noqa: PLR2004


def _nir_fits(said: str) -> bool:
    body = said[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(said[13:])


def _cpf_fits(digits: str) -> bool:
    for size in (9, 10):
        total = sum(int(one) * (size + 1 - at) for at, one in enumerate(digits[:size]))
        if total * 10 % 11 % 10 != int(digits[size]):
            return False
    return len(set(digits)) > 1


def _tax_de_fits(digits: str) -> bool:
    times = sorted(digits[:10].count(one) for one in set(digits[:10]))
    product = 10
    for one in digits[:10]:
        product = ((int(one) + product) % 10 or 10) * 2 % 11
    return times[-1] in (2, 3) and times[-2] == 1 and (11 - product) % 10 == int(digits[10])


def _always(_: str) -> bool:
    return True


_SHAPES: tuple[tuple[re.Pattern[str], Callable[[str], bool], str], ...] = (
    (_SSN, _always, "social security number"),
    (_NIR, _nir_fits, "French social security number"),
    (_CPF, _cpf_fits, "CPF number"),
    (_TAX_DE, _tax_de_fits, "German tax number"),
)
