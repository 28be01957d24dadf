"""The guard of drafts: what must not stand in a notice is found at its place, and a clean notice passes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from crisis.domain.disclosure.guard import Allowed, Finding, inspect
from crisis.domain.redaction import Touched
from crisis.drill.planting import github, mixed
from tests.disclosure.near_misses import NEAR_MISSES
from tests.disclosure.plants import PLANTS

ALLOWED = Allowed(
    names=("Dr. Anna Weber", "Maria Lopez"),
    addresses=(
        "dpo@example.com",
        "privacy@example.com",
        "+49 30 1234567",
        "+1 415 555 0134",
        "01 99 00 12 34",
        "1-888-298-0045",
        "1-888-397-3742",
        "1-800-916-8800",
    ),
    hosts=("example.com",),
    customers=("Northwind Traders GmbH", "Target", "Blue Harbor Logistics Inc."),
    people=("Max Petersen", "Jane Doe", "Theresa May", "Tom Price", "Anna Weber"),
)
NOTICES = sorted((Path(__file__).parent / "notices").glob("*.md"))
BEFORE = "## Nature of the breach\n\n"


def notice(name: str = "gdpr-authority") -> str:
    """Return a clean notice."""
    return (Path(__file__).parent / "notices" / f"{name}.md").read_text(encoding="utf-8")


def found(text: str, allowed: Allowed = ALLOWED) -> list[Finding]:
    """Return what the guard says, without what this process has touched."""
    return inspect(text, allowed, Touched())


@pytest.mark.parametrize("path", NOTICES, ids=lambda path: str(path.stem))
def test_a_clean_notice_passes(path: Path) -> None:
    """Real notices of seven kinds in three languages have no finding."""
    assert found(path.read_text(encoding="utf-8")) == []


def test_there_are_notices_of_each_kind() -> None:
    """The clean notices are those of two authorities, people in three languages, a market and customers."""
    assert [path.stem for path in NOTICES] == [
        "art34-letter",
        "brief-art34",
        "california",
        "customer-update",
        "form-8k",
        "gdpr-authority",
        "lettre-art34",
    ]


@pytest.mark.parametrize(("rule", "planted", "below"), PLANTS, ids=[f"{number}" for number in range(len(PLANTS))])
def test_what_is_planted_is_found_at_its_line(rule: str, planted: str, below: int) -> None:
    """Planted in a clean notice, it is found by its rule, at its line, and nothing else of the notice is."""
    head, tail = notice().split(BEFORE)
    text = f"{head}{BEFORE}{planted}\n\n{tail}"
    first = f"{head}{BEFORE}".count("\n") + 1

    findings = found(text)

    assert (rule, first + below) in {(one.rule, one.line) for one in findings}
    assert {one.line for one in findings} <= set(range(first, first + planted.count("\n") + 1))


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [(rule, one) for rule, many in NEAR_MISSES.items() for one in many],
    ids=[f"{rule} {number}" for rule, many in NEAR_MISSES.items() for number in range(len(many))],
)
def test_a_near_miss_passes(rule: str, sentence: str) -> None:
    """What is only close to a forbidden thing is not found, by its rule or another."""
    assert [(rule, one) for one in found(f"# Notice\n\n{sentence}\n")] == []


def test_no_rule_has_fewer_than_ten_near_misses_or_six_plants() -> None:
    """Precision is measured on ten near misses of each rule, and 80 plants or more spread over all of them."""
    planted = [rule for rule, _, _ in PLANTS]

    assert {rule: len(many) for rule, many in NEAR_MISSES.items()} == dict.fromkeys(NEAR_MISSES, 10)
    assert min(planted.count(rule) for rule in NEAR_MISSES) >= 6
    assert len(planted) >= 80


def test_a_finding_shows_no_secret_and_no_person() -> None:
    """Not even where one stands inside a sentence that blames."""
    token, mail = github(), "jane.roe@mail.example"

    findings = found(f"Max Petersen forgot {token} for {mail}.\nMr John Roe is to blame, {mail} and {token}.\n")
    shown = " ".join(one.model_dump_json() for one in findings)

    assert {one.rule for one in findings} == {"blame", "secret", "personal data"}
    assert [part for part in (token, mail, "Petersen", "Roe") if part in shown] == []
    assert "[name of a person] forgot" in shown


def test_the_place_is_that_of_the_draft() -> None:
    """Line and column count what an editor shows, whatever stands before."""
    text = "Gr\u00fc\u00dfe&nbsp;&amp; **Text**\r\n\r\n> Zwei\r\n> Zeilen, dann jane.roe@mail.example\r\n"

    assert [(one.line, one.column) for one in found(text)] == [(4, 16)]


def test_the_way_in_may_be_told_once_it_is_closed() -> None:
    """After the fix, a flaw and a payload may stand there; names of machines never."""
    text = "CVE-2026-12345 let them send ../../x to nginx 1.18.0, which was vulnerable.\n\nIt was db01.prod.internal.\n"

    assert [one.line for one in found(text, ALLOWED.model_copy(update={"vulnerabilities_fixed": True}))] == [3]
    assert {one.line for one in found(text)} == {1, 3}


def test_what_this_process_has_touched_is_found() -> None:
    """A secret without a look of its own is found where the run has had it in hand, escaped too."""
    touched, secret = Touched(), mixed(20) + "/+"
    touched.add(SecretStr(secret))

    found_there = inspect(f"Fine.\nIt was {secret.replace('/', '%2F').replace('+', '%2B')}.\n", ALLOWED, touched)

    assert [(one.rule, one.line, one.shown) for one in found_there] == [("secret", 2, "[touched secret]")]


def test_who_is_not_listed_may_not_be_written_to() -> None:
    """What is allowed for one company is a finding where nothing is allowed."""
    rules = {one.rule for one in found(notice("art34-letter"), Allowed())}

    assert rules == {"personal data"}


HOSTILE = {
    "digits": "1" * 1_000_000,
    "spaced digits": "4 " * 500_000,
    "letters": "a" * 1_000_000,
    "capitals": "AB12 " * 200_000,
    "dots": "a." * 500_000,
    "at": "a@" * 500_000,
    "at, long": ("a" * 63 + "@") * 15_000,
    "blanks": " " * 1_000_000,
    "lines": "\n" * 1_000_000,
    "commas": "1," * 500_000,
    "quotes": "\"'" * 500_000,
    "braces": '{"' * 500_000,
    "colons": ":a" * 500_000,
    "slashes": "../" * 330_000,
    "hyphens": "db-" * 330_000,
    "entities": "&amp;" * 200_000,
    "tags": "<b " * 330_000,
    "stars": "*a" * 500_000,
    "invisible": "\u200ba" * 500_000,
    "accents": "\u00e9 " * 500_000,
    "base64": "QUJD" * 250_000,
    "percent": "%41" * 330_000,
    "titles": "Mr " * 330_000,
    "names": "Jane " * 200_000,
    "blame": "engineer that forgot " * 50_000,
    "nations": "attackers are likely " * 50_000,
    "select": "SELECT a " * 110_000,
    "url": "http://" * 140_000,
    "hosts": "a.example.com" * 70_000,
    "vulnerable": "vulnerable a 1.2 " * 60_000,
    "equals": "a=b" * 330_000,
}


@pytest.mark.timeout(60)  # what grows with the square of the text takes minutes
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_holds_it_up(name: str) -> None:
    """Whatever is repeated two hundred thousand signs long, it comes to an end, with a thousand findings at most."""
    assert len(found(HOSTILE[name][:200_000])) <= 1000


@settings(deadline=None)
@given(
    st.text(alphabet=st.sampled_from("aA1 .@\n\r|*_<>&;#-\u200b\u00e9\uff11\u043e\u0301\"'`\\+:/\u2028"), max_size=200)
)
def test_whatever_is_written_has_a_place(text: str) -> None:
    """Every finding lies on a line that the draft has, and the guard never fails."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    assert [one for one in found(text) if one.line > len(lines)] == []
