"""Sighting: where in a text something stands that looks like a secret; positions alone, never the secret."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from crisis.domain.secret_format import FORMATS, Format, checksum_fits

__all__ = ["Sighting", "entropy", "is_random", "sightings"]

_NEAR = 160
"""How far from a key's id its secret may stand, in characters: the next line of a file, the next field of a CSV."""

_LONGEST_PEM = 64 * 1024
_PEM_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_USERINFO = re.compile(r"://([^\s/@:\"'<>]{0,128}):([^\s/\"'<>]{1,512})@")
_SEGMENT = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_AHEAD = re.compile(r"[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+)?")

# Every repetition is bounded or possessive: whatever is pasted, no character is looked at more than a few times.
_NAMED = re.compile(
    r"""
    (?P<word>secret|token|passw|passphrase|pwd|passwd|api[_-]?key|access[_-]?key|app(?:lication)?[_-]?key
      |signing[_-]?key|private[_-]?key|account[_-]?key|credential|authorization|cookie)
    (?P<rest>[\w.-]{0,40}+) (?:\\?["'])? [ \t]{0,4}+ (?:=>|:=|[:=]) [ \t]{0,4}+
    (?P<open>\\"|["'])? (?:(?:bearer|basic|token)[ ]{1,4}+)?
    (?P<value>(?(open)(?:[^"'\\\r\n]|\\[^"'\r\n]|(?<!\\)\\["'](?=[^\s,;:}\])]))++|(?:(?!&\w{1,40}=)[^\s"'\\])++))
    """,
    re.IGNORECASE | re.VERBOSE,
)
_WORDS = ("secret", "token", "pass", "pwd", "key", "credential", "authorization", "cookie")
"""Each word of the pattern above has one of these in it."""

_PREFIXES = tuple((prefix, form) for form in FORMATS for prefix in form.prefixes)

_PASSWORDS = ("passw", "passphrase", "pwd")
_PUBLIC_ENDINGS = re.compile(
    r"(?:id|ids|accessor|url|uri|type|name|path|file|policy|_at|count|length|prefix|ttl)$", re.IGNORECASE
)
_NO_VALUE = re.compile(r"(?:env|file|vault|block):|\$[{(]|\$[A-Z_]+$|\{\{|%\(|<|https?://|\*+$", re.IGNORECASE)
_IN_ARN = re.compile(r"arn:aws[a-z-]{0,12}:[\w:/+.@-]{0,140}\Z")
_CODE = re.compile(r"(?:[A-Za-z_]\w{0,40}\.){0,6}[A-Za-z_]\w{0,40}[\[(][\w.]{0,40}[)\]]{0,2}")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]{0,30}(?:_[A-Z][A-Z0-9]{0,30}){1,8}")
_PLACE = re.compile(r"secret:[\w-]+(?:/[\w.-]+){0,20}@\d{1,9}")
_ARN_REST = re.compile(r"[\w:/+.@-]+")
_COOKIES = re.compile(r"cookie[\"']?[ \t]{0,4}+:[ \t]{0,4}+[\"']?([^\r\n\"'=]{1,64}=[^\r\n\"']{6,4096})", re.IGNORECASE)

_KINDS = {"private key", "web token", "password", "named secret", "cookie", "touched secret"}
_KINDS |= {kind for form in FORMATS for kind in (form.kind, form.partner_kind) if kind}
_MASKED = re.compile(rf"\[(?:{'|'.join(sorted({kind.split()[0] for kind in _KINDS}))})\b")
"""What stands where a secret was masked: the same text is not masked twice."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    One thing that looks like a secret: of which kind, whose, and where it stands.

    `begin` is where what gives it away begins, such as its variable's name; `start` and `end` hold the secret itself,
    and `name_start`, `name_end` its public name where the format has one. Where only a public name was found,
    `public` is true. `checked` says whether its checksum fits; None where the format has none.
    """

    kind: str
    system: str
    begin: int
    start: int
    end: int
    name_start: int = 0
    name_end: int = 0
    public: bool = False
    checked: bool | None = None


def sightings(text: str) -> list[Sighting]:
    """List what looks like a secret in a text, in order; the time it takes grows with the length alone."""
    # Most texts hold none of the words that all of this begins with: to look for those first is all that they cost.
    sure = [one for prefix, form in _PREFIXES if prefix in text for one in _by_prefix(text, prefix, form)]
    sure += [*_pem_blocks(text), *_web_tokens(text), *_addresses(text)]
    partners, low = list(_partners(text, sure)) if sure else [], text.casefold()
    named = list(_named(text)) if any(word in low for word in _WORDS) else []
    if "cookie" in low:
        named += [Sighting("cookie", "", one.start(), *one.span(1)) for one in _COOKIES.finditer(text)]
    return sorted(_without_covered([*sure, *partners], named), key=lambda one: (one.start, -one.end))


def entropy(text: str) -> float:
    """Return how many bits each character carries, by how often each occurs."""
    return -sum(times / len(text) * math.log2(times / len(text)) for times in Counter(text).values()) if text else 0.0


def is_random(text: str) -> bool:
    """Say whether a text looks drawn by a machine: long enough, no word, not the same over and over."""
    kinds = sum((any(map(str.isdigit, text)), any(map(str.islower, text)), any(map(str.isupper, text))))
    return len(text) >= 12 and kinds >= 2 and entropy(text[:512]) >= 2.8  # noqa: PLR2004


def _by_prefix(text: str, prefix: str, form: Format) -> Iterator[Sighting]:
    # A search for a fixed text is a hundred times as fast as a pattern, and hostile texts cannot slow it down.
    at = text.find(prefix)
    while at >= 0:
        match = form.shape.match(text, at)
        if match is None or (form.stands_alone and at and (text[at - 1].isalnum() or text[at - 1] in "_.-")):
            at = text.find(prefix, at + 1)
            continue
        end, checked = match.end(), None
        if form.checked_length:
            checked = checksum_fits(text[at : at + form.checked_length])
            end = at + form.checked_length if checked else end
        named = match.span("name") if "name" in form.shape.groupindex else (0, 0)
        yield Sighting(form.kind, form.system, at, at, end, *named, form.public, checked)
        at = text.find(prefix, end)


def _pem_blocks(text: str) -> Iterator[Sighting]:
    at, tail = text.find("-----BEGIN "), -1
    while at >= 0:
        head = _PEM_HEAD.match(text, at)
        if head is None:
            at = text.find("-----BEGIN ", at + 1)
            continue
        if tail != len(text) and tail < head.end():  # looked for once, not once for each beginning
            found = text.find("-----END ", head.end())
            tail = len(text) if found < 0 else found
        end = min(tail, at + _LONGEST_PEM)
        last = _PEM_END.match(text, end)
        end = last.end() if last else end
        yield Sighting("private key", "", at, at, end)
        at = text.find("-----BEGIN ", end)


def _web_tokens(text: str) -> Iterator[Sighting]:
    at, last = text.find(".eyJ"), 0
    while at >= 0:
        start = at
        while start > last and text[start - 1] in _SEGMENT:
            start -= 1
        start = text.find("eyJ", start, at)
        match = _AHEAD.match(text, at + 1)
        end = match.end() if match else at
        if start < 0 or end - at < 8:  # noqa: PLR2004
            last = at + 1
            at = text.find(".eyJ", at + 1)
            continue
        yield Sighting("web token", "", start, start, end)
        last, at = end, text.find(".eyJ", end)


def _addresses(text: str) -> Iterator[Sighting]:
    at = text.find("://")
    while at >= 0:
        match = _USERINFO.match(text, at)
        if match is not None and not (_NO_VALUE.match(match[2]) or _MASKED.match(match[2])):
            yield Sighting("password in an address", "", at, *match.span(2), *match.span(1))
        at = text.find("://", match.end() if match else at + 3)


def _partners(text: str, sure: list[Sighting]) -> Iterator[Sighting]:
    """Find the secrets that stand beside the public names of their keys."""
    shapes = {form.kind: form for form in FORMATS if form.partner is not None}
    for one in sure:
        form = shapes.get(one.kind)
        if form is None or form.partner is None:
            continue
        low, high = max(0, one.start - _NEAR), one.end + _NEAR
        found = [match for match in form.partner.finditer(text, low, high) if is_random(match[0])]
        after = [match for match in found if match.start() >= one.end]
        for match in (after or found)[:1]:
            yield Sighting(form.partner_kind, form.system, *(match.start(), *match.span()), one.start, one.end)


def _named(text: str) -> Iterator[Sighting]:
    for match in _NAMED.finditer(text):
        value, rest = match["value"].rstrip(",;)}]"), match["rest"]
        if _PUBLIC_ENDINGS.search(rest) or _NO_VALUE.match(value) or _MASKED.match(value):
            continue
        if match["word"].lower() == "secret" and _ARN_REST.fullmatch(value) and _in_arn(text, match.start()):
            continue  # the name of a secret at AWS; whatever else came with it is looked at
        if not match["open"] and (_CODE.fullmatch(match["value"]) or _CONSTANT.fullmatch(value)):
            continue  # code that reads it from elsewhere, as in `os.environ["…"]`
        if _PLACE.fullmatch(match[0].rstrip(",;)}]")):
            continue  # where a secret stands in a Vault, as we name it
        password = match["word"].lower() in _PASSWORDS
        if not (len(value) >= 6 if password else is_random(value) and " " not in value):  # noqa: PLR2004
            continue
        around = text[max(0, match.start() - 40) : match.start("value")].lower()
        kind = "password" if password else "named secret"
        start = match.start("value")
        if re.fullmatch(r"[A-Za-z0-9/+]{40}", value) and ("aws" in around or "secret" in around):
            yield Sighting("aws secret key", "aws", match.start(), start, start + len(value))
        else:
            yield Sighting(kind, _whose(around.rpartition("\n")[2]), match.start(), start, start + len(value))


def _in_arn(text: str, at: int) -> bool:
    return _IN_ARN.search(text, max(0, at - _NEAR), at) is not None


_SYSTEMS = {
    "datadog": "datadog", "dd_": "datadog", "dd-": "datadog", "cloudflare": "cloudflare", "cf_": "cloudflare",
    "twilio": "twilio", "sendgrid": "sendgrid", "stripe": "stripe", "slack": "slack", "openai": "openai",
    "github": "github", "gitlab": "gitlab", "npm": "npm", "aws": "aws", "vault": "vault", "azure": "azure",
    "account_key": "azure", "accountkey": "azure", "postgres": "postgres", "redis": "redis",
}  # fmt: skip


def _whose(name: str) -> str:
    """Guess from a variable's name whose secret it holds."""
    return next((system for word, system in _SYSTEMS.items() if word in name), "")


def _without_covered(sure: list[Sighting], named: list[Sighting]) -> list[Sighting]:
    """Leave out what a surer sighting covers whole; a secret that only overlaps stays, so that nothing is lost."""
    kept = list[Sighting]()
    by_rank = [(one, 0 if not one.name_end else 1) for one in sure] + [(one, 2) for one in named]
    spans = sorted(by_rank, key=lambda pair: (pair[0].start, -pair[0].end, pair[1]))
    reach = -1
    for one, _ in spans:
        if one.end <= reach and kept and not (kept[-1].public and not one.public):
            continue
        kept.append(one)
        reach = max(reach, one.end)
    return kept
