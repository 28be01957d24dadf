"""Guard of technical detail: what would help an attacker."""

import re
from bisect import bisect_right
from collections.abc import Iterator

from crisis.domain.disclosure.finding import Allowed, Spot
from crisis.domain.disclosure.word_index import lines_with

__all__ = ["exploits_in"]

_NEVER = "Remove it; say what the system does, not how it is reached or what it printed."
_UNTIL_FIXED = "Remove it until the fix is everywhere; say the kind of weakness."

_Rules = tuple[tuple[str, str, tuple[str, ...]], ...]
# Each: what it is, its shape, and what stands in every line that holds it, in small letters.
_ALWAYS: _Rules = (
    (
        "stack trace",
        (
            r"Traceback \(most recent|File \"[^\"\n]{1,200}\", line \d|Exception in thread"
            r"|goroutine \d+ \[|^panic: "
            r"|\bat [\w$.]{3,120}\([\w$]{1,60}\.(?:java|kt|scala|cs|js|ts|py|go|rb|php):\d|\.(?:py|java|js|ts|php|rb|go"
            r"|cs|c|cpp)"
            r":\d{1,6}:(?:\d{1,6}:)?|\b[A-Z]\w{1,60}(?:Exception|Error): \S"
        ),
        (
            "traceback",
            'file "',
            "exception",
            "goroutine",
            "panic:",
            ".java:",
            ".kt:",
            ".scala:",
            ".cs:",
            ".js:",
            ".ts:",
            ".py:",
            ".go:",
            ".rb:",
            ".php:",
            ".c:",
            ".cpp:",
            "error:",
        ),
    ),
    ("address with a query", r"\b(?:https?|hxxps?|ftp)://[^\s<>\"')\]?]{1,300}\?[^\s<>\"')\]]", ("://",)),
    (
        "internal host name",
        (
            r"(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,6}(?:internal|local|lan|corp|intra|intranet"
            r"|localdomain|svc|home\.arpa)"
            r"(?![\w-]|\.[a-z])|(?<![\w.-])(?:ip-\d{1,3}(?:-\d{1,3}){3}|i-[0-9a-f]{8,17}|localhost:\d)"
        ),
        (".internal", ".local", ".lan", ".corp", ".intra", ".svc", ".home.arpa", "ip-", "i-", "localhost:"),
    ),
)
_WHILE_OPEN: _Rules = (
    (
        "CVE id",
        (
            r"(?i:\bCVE[- _]?\d{4}[- _]\d{4,7}\b|\bGHSA(?:-[0-9a-z]{4}){3}\b|\bZDI-\d{2}-\d{3,5}\b"
            r"|\bEDB-(?:ID:? ?)?\d{4,6}\b)"
        ),
        ("cve", "ghsa-", "zdi-", "edb-"),
    ),
    (
        "path",
        (
            r"(?i:(?:\.\.[/\\])++|%2e%2e|/etc/(?:passwd|shadow)|/proc/self|\b[A-Z]:\\(?:Windows|inetpub|Users)"
            r"|(?<![\w/])/(?:var|usr|home|opt|srv|root|tmp)/\w)"
        ),
        (
            "../",
            "..\\",
            "%2e",
            "/etc/",
            "/proc/",
            ":\\",
            *(f"/{one}/" for one in ("var", "usr", "home", "opt", "srv", "root", "tmp")),
        ),
    ),
    (
        "command",
        (
            r"(?i:\b(?:curl|wget) (?:-{1,2}\w|https?:|['\"])|\bnc (?:-\w{1,8} )|\bpowershell(?:\.exe)? -"
            r"|\bcmd\.exe|\brm -rf\b"
            r"|\bbash -[ci]\b|/bin/(?:ba)?sh\b|\bsqlmap\b|\bmsfconsole\b|\bmimikatz\b|\bnmap -)"
        ),
        (
            "curl ",
            "wget ",
            "nc -",
            "powershell",
            "cmd.exe",
            "rm -rf",
            "bash -",
            "/bin/",
            "sqlmap",
            "msfconsole",
            "mimikatz",
            "nmap ",
        ),
    ),
    (
        "injected SQL",
        (
            r"(?i:\bunion (?:all )?select\b|['\"] ?(?:or|and) ['\"]?\d['\"]? ?= ?['\"]?\d"
            r"|\bor 1 ?= ?1\b|['\"];? ?drop table\b"
            r"|\bxp_cmdshell\b|\bsleep\(\d|\bbenchmark\(\d|\bwaitfor delay\b|\binformation_schema\b)"
        ),
        (
            "union",
            "' or",
            "'or",
            '" or',
            '"or',
            "' and",
            '" and',
            "or 1",
            "drop table",
            "xp_cmdshell",
            "sleep(",
            "benchmark(",
            "waitfor",
            "information_schema",
        ),
    ),
    (
        "payload",
        (
            r"(?i:<script\b|\$\{(?:jndi|env|sys):|javascript:|\bon(?:error|load|click) ?= ?['\"\w]"
            r"|\{\{ ?\d+ ?\* ?\d+ ?\}\}|<\?php"
            r"|<!ENTITY|\beval\(|\bO:\d+:\"|\brO0AB|\\x[0-9a-f]{2}\\x[0-9a-f]{2}|%3cscript)"
        ),
        (
            "<script",
            "${",
            "javascript:",
            "onerror",
            "onload",
            "onclick",
            "{{",
            "<?php",
            "<!entity",
            "eval(",
            "o:",
            "ro0ab",
            "\\x",
            "%3c",
        ),
    ),
)
_COMPILED = {
    says: [(kind, re.compile(rule), hints) for kind, rule, hints in rules]
    for says, rules in ((_NEVER, _ALWAYS), (_UNTIL_FIXED, _WHILE_OPEN))
}

_LABELS = re.compile(r"[a-z0-9](?<![a-z0-9].)[a-z0-9]*+(?:-[a-z0-9]++)+")
_MACHINES = {
    "db", "web", "app", "srv", "k8s", "node", "vpn", "jump", "bastion", "ldap", "redis", "postgres", "mysql", "mongo",
    "jenkins", "gitlab", "prod", "staging", "cache", "proxy", "backup", "worker", "server", "api", "auth", "dc",
}  # fmt: skip

_WEAK = re.compile(
    r"\b(?:vulnerab\w{0,8}|unpatched|outdated|exploitab\w{0,6}|verwundbar\w{0,4}|anfallig\w{0,3}"
    r"|ungepatcht\w{0,3}|veraltet\w{0,3}"
    r"|schwachstelle\w{0,3}|sicherheitslucke\w{0,3}|obsolete|non corrig\w{0,5}|faille\w{0,3})\b",
    re.IGNORECASE,
)
_WEAK_HINTS = (
    "vulner",
    "unpatch",
    "outdated",
    "exploit",
    "verwundbar",
    "anfallig",
    "ungepatcht",
    "veraltet",
    "schwachstelle",
    "sicherheitsluck",
    "obsolete",
    "corrig",
    "faille",
)
_VERSION = re.compile(
    r"(?:(?P<word>\b[A-Za-z][\w+#./-]{0,40}) ?(?:version |v\.? ?|release )?"
    r"|\bv)(?<![\d.])(?P<number>\d{1,4}(?:\.\d{1,5}){1,3})"
    r"(?![\d(]|\.\d| ?%| ?(?:million|millionen|milliarde|billion|mio|mrd|euro|eur|usd|uhr|percent|prozent|hour"
    r"|stunde|heure|day|tag|jour)|\.?\d{4})",
    re.IGNORECASE,
)
_COUNTED = {
    "article", "articles", "art", "section", "sections", "item", "items", "paragraph", "rule", "about", "over",
    "nearly",
    "approximately", "some", "than", "to", "of", "at", "by", "for", "in", "the", "um", "am", "etwa", "rund", "ca",
    "circa", "von", "bis", "seit", "ab", "abs", "absatz", "ziffer", "nr", "no", "environ", "plus", "le", "du", "au",
    "page", "chapter", "table", "appendix", "annex", "only", "and", "is", "was", "on",
}  # fmt: skip
_NEAR = 90
_BELOW = re.compile(r"[a-z0-9.-]+$")
_LONGEST_HOST = 200


def exploits_in(text: str, allowed: Allowed) -> Iterator[Spot]:
    """Yield what helps an attacker. How the way in was used may be told once it is closed; names of machines never."""
    low = text.lower()
    yield from _shaped(text, low, _NEVER)
    yield from _machines(text)
    yield from _own_hosts(low, allowed)
    if not allowed.vulnerabilities_fixed:
        yield from _shaped(text, low, _UNTIL_FIXED)
        yield from _versions(text, low)


def _shaped(text: str, low: str, says: str) -> Iterator[Spot]:
    for kind, pattern, hints in _COMPILED[says]:
        for start, end in lines_with(low, hints):
            for match in pattern.finditer(text, start, end):
                yield Spot("exploit detail", *match.span(), kind, says)


def _machines(text: str) -> Iterator[Spot]:
    """Yield what a machine is called: words and a number joined by hyphens, one of them what machines are for."""
    for match in _LABELS.finditer(text):
        parts = match[0].split("-")
        before = text[max(0, match.start() - 1) : match.start()]
        known = any(part.rstrip("0123456789") in _MACHINES for part in parts)
        if known and match[0][-1].isdigit() and not (before.isalnum() or before in tuple("/.-_")):
            yield Spot("exploit detail", *match.span(), "internal host name", _NEVER)


def _own_hosts(low: str, allowed: Allowed) -> Iterator[Spot]:
    """Yield hosts below our domains that are not themselves published."""
    known = {one.lower().removeprefix("www.") for one in allowed.hosts}
    for domain in sorted(known):
        at = low.find(f".{domain}")
        while at >= 0:
            end = at + 1 + len(domain)
            before = _BELOW.search(low, max(0, at - _LONGEST_HOST), at)
            start = before.start() if before else at
            inside = low[end : end + 1].isalnum() or low[end : end + 1] in tuple("-_")
            if (
                not inside
                and before
                and low[start - 1 : start] != "@"
                and low[start:end].removeprefix("www.") not in known
            ):
                yield Spot("exploit detail", start, end, "internal host name", _NEVER)
            at = low.find(f".{domain}", end)


def _versions(text: str, low: str) -> Iterator[Spot]:
    """Yield versions that stand in one sentence with a word that says that the software is weak."""
    says = "Remove the version until the fix is everywhere; say the kind of software."
    for start, end in lines_with(low, _WEAK_HINTS):
        weak = [match.span() for match in _WEAK.finditer(text, start, end)]
        for match in _VERSION.finditer(text, start, end) if weak else ():
            if (match["word"] or "v").lower().rstrip(".") in _COUNTED:
                continue
            after = bisect_right(weak, match.span())
            if any(_is_beside(text, match.span(), one) for one in weak[max(0, after - 1) : after + 1]):
                first, last = match.span()
                yield Spot("exploit detail", first, last, "version of vulnerable software", says)


def _is_beside(text: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
    between = text[min(one[1], other[1]) : max(one[0], other[0])]
    return len(between) <= _NEAR and ". " not in between
