"""Guard of raw data: what was copied from a system instead of described: rows, records, log lines, queries."""

import re
from collections.abc import Iterator

from crisis.domain.disclosure.finding import Spot
from crisis.domain.disclosure.word_index import lines_with

__all__ = ["raw_data_in"]

_AGENT = re.compile(
    r"\b(?:Mozilla/\d\.\d|curl/\d|python-requests/\d|okhttp/\d|PostmanRuntime/\d|AppleWebKit/\d|Go-http-client/\d)"
)
_SQL = re.compile(
    r"\bSELECT\s[^;\n]{1,300}?\sFROM\s\w|\bINSERT\s+INTO\s\w|\bUPDATE\s[\w.\"`]{1,60}\sSET\s\w|\bDELETE\s+FROM\s\w"
    r"|\bCREATE\s+TABLE\s\w|\bCOPY\s\w{1,60}\s\(",
)
_SQL_SMALL = re.compile(
    r"\bselect (?:\*|[\w.]{1,40}(?:, ?[\w.]{1,40}){0,20}) from \w{1,60} (?:where|limit|order|join)\b"
    r"|\binsert into \w{1,60} ?\("
)
_LOGGED = re.compile(
    r"\"(?:GET|POST|PUT|DELETE|PATCH|HEAD) /|\bHTTP/\d(?:\.\d)?\" ?\d{3}|\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,12} \[?(?:INFO|WARN|WARNING|ERROR|DEBUG)\b"
)
_JSON = re.compile(r"[{,]\s{0,8}\\?[\"'][\w .@-]{1,60}\\?[\"']\s{0,4}:\s{0,4}[\[{\"'\dtfn\\-]")
_PAIRS = re.compile(r"(?<!\S)(?:[A-Za-z_][\w.]{0,40}=(?:\"[^\"\n]{0,200}\"|[^\s\"]{1,200})(?:\s|$)){3}")
_SHAPES = (
    (_AGENT, "user agent", ("mozilla/", "curl/", "requests/", "okhttp/", "postmanruntime/", "webkit/", "client/")),
    (_SQL, "query", ("select", "insert", "update", "delete", "create", "copy")),
    (_SQL_SMALL, "query", ("select ", "insert ")),
    (
        _LOGGED,
        "log line",
        ('"get', '"post', '"put', '"delete', '"patch', '"head', "http/", "info", "warn", "error", "debug", "["),
    ),
    (_JSON, "JSON", ('":', '" :', "':", "' :", '\\":')),
    (_PAIRS, "log line", ("=",)),
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_LONGEST_ROW = 4000
_EDGES = " >|`\t"
_SAYS = "Remove it; describe the kinds of data and how many records, in words."


def raw_data_in(text: str) -> Iterator[Spot]:
    """Yield the rows, records, log lines, queries and user agents of a plain text."""
    low = text.lower()
    for pattern, kind, hints in _SHAPES:
        for start, end in lines_with(low, hints):
            for match in pattern.finditer(text, start, end):
                yield Spot("raw data", *match.span(), kind, _SAYS)
    for start, end in lines_with(low, (",", ";", "\t")):
        line = text[start:end]
        if _is_row(line.strip(_EDGES)[:_LONGEST_ROW]):
            yield Spot("raw data", start + len(line) - len(line.lstrip(_EDGES)), end, "row of a table", _SAYS)


def _is_row(line: str) -> bool:
    """Tell a row of a table from a sentence: at least four cells, no blanks behind the commas, figures among them."""
    for mark in ",;\t":
        if line.count(mark) < 3:  # noqa: PLR2004
            continue
        cells = (_THOUSANDS.sub("0", line) if mark == "," else line).split(mark)
        tight = not any(cell.startswith(" ") for cell in cells[1:])
        figures = any("@" in cell or any(map(str.isdigit, cell)) for cell in cells)
        if len(cells) >= 4 and tight and figures and max(map(len, cells)) <= 80 and "(" not in cells[0]:  # noqa: PLR2004
            return True
    return False
