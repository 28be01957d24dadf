"""Secret format: how the credentials of each vendor are spelt, as far as they can be told by their look."""

import re
import zlib
from dataclasses import dataclass

__all__ = ["FORMATS", "Format", "checksum", "checksum_fits"]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Format:
    """
    One spelling: it begins with one of the prefixes, and `shape` says how it goes on.

    A group `name` of the shape is its public name. Where the whole is public (a key's id), `public` is true, and
    `partner` says how the secret that goes with it is spelt. `checked_length` is set where its end is a checksum.
    Each shape looks at a bounded number of characters before it says no.
    """

    kind: str
    system: str
    prefixes: tuple[str, ...]
    shape: re.Pattern[str]
    public: bool = False
    partner: re.Pattern[str] | None = None
    partner_kind: str = ""
    checked_length: int = 0
    stands_alone: bool = False


def checksum(body: str) -> str:
    """Return the six characters that GitHub and npm put behind a token's random part: its CRC32 in base 62."""
    number, text = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text.rjust(_CHECK_LENGTH, "0")


def checksum_fits(token: str) -> bool:
    """Say whether a token such as `ghp_…` ends with the checksum of what stands between."""
    body = token.partition("_")[2]
    return body.isascii() and checksum(body[:-_CHECK_LENGTH]) == body[-_CHECK_LENGTH:]


def _form(kind: str, system: str, prefixes: str, rest: str, *, length: int = 0, alone: bool = False) -> Format:
    names = tuple(prefixes.split())
    shape = re.compile(f"(?:{'|'.join(map(re.escape, names))}){rest}")
    return Format(kind, system, names, shape, checked_length=length, stands_alone=alone)


def _id(kind: str, system: str, prefixes: str, rest: str, partner: str, partner_kind: str) -> Format:
    names = tuple(prefixes.split())
    shape = re.compile(f"(?P<name>(?:{'|'.join(map(re.escape, names))}){rest})")
    return Format(kind, system, names, shape, public=True, partner=re.compile(partner), partner_kind=partner_kind)


# Forty hex digits beside a key's id are a commit: a secret is drawn from 64 signs.
_AWS_PARTNER = r"(?<![A-Za-z0-9/+])(?![0-9a-f]{40}(?![A-Za-z0-9/+=]))[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
_TWILIO_PARTNER = r"(?<![A-Za-z0-9])[A-Za-z0-9]{32}(?![A-Za-z0-9])"
_LONG = r"[A-Za-z0-9_-]"

FORMATS = (
    _id("aws key id", "aws", "AKIA ASIA ABIA ACCA A3T", r"[A-Z0-9]{16}", _AWS_PARTNER, "aws secret key"),
    _form("github token", "github", "ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{36,}+", length=40),
    _form("github token", "github", "github_pat_", r"[A-Za-z0-9_]{82}"),
    _form("gitlab token", "gitlab", "glpat- glrt- gldt-", rf"{_LONG}{{20,}}+"),
    _form(
        "slack token", "slack", "xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xoxc- xoxd- xoxe. xapp-", r"[0-9A-Za-z.%-]{10,}+"
    ),
    _form("slack webhook", "slack", "hooks.slack.com/", r"(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,}+"),
    _form("stripe key", "stripe", "sk_live_ sk_test_ rk_live_ rk_test_", r"[0-9A-Za-z]{10,}+"),
    _form("stripe webhook secret", "stripe", "whsec_", r"[0-9A-Za-z+/=]{20,}+"),
    _form("sendgrid key", "sendgrid", "SG.", rf"(?P<name>{_LONG}{{22}})\.{_LONG}{{43,}}+"),
    _id("twilio key id", "twilio", "SK AC", r"[0-9a-f]{32}(?![0-9A-Za-z])", _TWILIO_PARTNER, "twilio secret"),
    _form("npm token", "npm", "npm_", r"[A-Za-z0-9]{36,}+", length=40),
    _form("pypi token", "pypi", "pypi-AgE", rf"{_LONG}{{50,}}+"),
    _form("openai key", "openai", "sk-proj- sk-svcacct- sk-admin-", rf"{_LONG}{{20,}}+"),
    _form("openai key", "openai", "sk-", r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20,}+"),
    _form("anthropic key", "anthropic", "sk-ant-", rf"{_LONG}{{20,}}+"),
    _form("vault token", "vault", "hvs. hvb. hvr.", rf"{_LONG}{{20,}}+"),
    _form("vault token", "vault", "s. b. r.", r"(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{24,}+(?![\w.])", alone=True),
    _form("google key", "google", "AIza", rf"{_LONG}{{35}}"),
    _form("signature of an address", "aws", "X-Amz-Signature= X-Amz-Security-Token=", r"[0-9A-Za-z%/+=_-]{40,}+"),
)
"""What is told by its look; passwords, Datadog's and Cloudflare's keys only by the name they stand beside."""
