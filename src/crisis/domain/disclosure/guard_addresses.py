"""Guard of addresses: those of machines, each of which may be a customer's."""

import ipaddress
import re
from collections.abc import Iterator

from crisis.domain.disclosure.finding import Spot
from crisis.domain.disclosure.word_index import lines_with

__all__ = ["addresses_in"]

_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\])"
_IPV4 = re.compile(rf"(?:\d{{1,3}}{_DOT}){{3}}\d{{1,3}}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?<![\w:-]..)([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])")
_NUMBERED = re.compile(
    r"(?:version|release|section|sections|nr\.?|no\.?|nummer|article|art\.?|item|v|§+|ziffer|build)\s?$", re.IGNORECASE
)


def addresses_in(text: str) -> Iterator[Spot]:
    """Yield addresses of machines in a plain text: each may be a customer's."""
    says = "Remove it; say how many addresses were concerned, or from which network in words."
    for match in _IPV4.finditer(text):
        before = text[max(0, match.start() - 12) : match.start()]
        octets = [int(one) for one in re.findall(r"\d+", match[0])]
        inside = before[-1:].isalnum() or before[-1:] in (".", "_")
        if max(octets) <= 255 and not inside and not _NUMBERED.search(before):  # noqa: PLR2004
            yield Spot("address of a customer", *match.span(), "IPv4 address", says)
    for match in (one for span in lines_with(text, (":",)) for one in _IPV6.finditer(text, *span)):
        if _is_ipv6(match[0]):
            yield Spot("address of a customer", *match.span(), "IPv6 address", says)
    for match in _MAC.finditer(text):
        yield Spot("address of a customer", *match.span(), "hardware address", says)


def _is_ipv6(said: str) -> bool:
    try:
        ipaddress.IPv6Address(said)
    except ValueError:
        return False
    return len(said) > 2  # noqa: PLR2004
