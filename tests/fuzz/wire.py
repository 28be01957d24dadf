"""Wire: one input of the fuzzer: header lines, an empty line, and a body, as they would come over the wire."""

from collections.abc import Mapping, Sequence

__all__ = ["Headers", "joined", "parted"]

Headers = Sequence[tuple[str, str]]
_MOST_HEADERS = 64


def parted(data: bytes) -> tuple[Headers, bytes]:
    """Return headers and body; without an empty line all of it is the body. Headers read as our server reads them."""
    head, found, body = data.partition(b"\n\n")
    if not found:
        return [], data
    lines = [line.partition(b":") for line in head.split(b"\n")[:_MOST_HEADERS]]
    return [(name.decode("latin-1").lower(), value.strip().decode("latin-1")) for name, _, value in lines], body


def joined(headers: Headers | Mapping[str, str], body: bytes) -> bytes:
    """Return headers and body as one input."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{name}: {value}".encode("latin-1", "replace").replace(b"\n", b" ") for name, value in pairs]
    return b"\n".join(lines) + b"\n\n" + body
