"""Redaction: what is written anywhere shows no secret; the ids of keys stay, because they are evidence."""

import base64
import json
import threading
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from crisis.domain.leak import fingerprint
from crisis.domain.sighting import Sighting, sightings

__all__ = ["TOUCHED", "Mask", "MaskedStream", "Touched", "forms"]

_SHORTEST = 6
"""A shorter secret is not masked word for word: it would blot out half of every text."""

_HOLD = 4096
_MOST_HELD = 128 * 1024


def forms(secret: str) -> frozenset[str]:
    """
    Return every spelling under which a secret turns up: as it is, escaped for JSON and URLs, in base64 and hex.

    In base64 what stands before shifts the letters: all three shifts are there, without the letters at the ends that
    the neighbours change.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    found = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    found |= {json.dumps(one)[1:-1] for one in tuple(found)} | {one.replace("/", "\\/") for one in tuple(found)}
    found |= {quote(raw, safe=""), quote(raw), quote_plus(raw), quote(quote(raw, safe=""), safe="")}
    found |= {one.lower() if one != secret and "%" in one else one for one in tuple(found)} | {raw.hex()}
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        inner = coded[(0, 2, 3)[before] : len(coded) - (1 if (before + len(raw)) % 3 else 0)]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return frozenset(one for one in found if len(one) >= _SHORTEST)


class Touched:
    """
    Every secret that this process has had in hand; each is masked wherever it turns up.

    A client adds what it reads and what a vendor gives it. Several threads may add and search at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = set[str]()
        self._heads: dict[str, tuple[str, ...]] = {}
        self.longest = 0

    def __repr__(self) -> str:
        return f"Touched({len(self._known)} secrets)"

    def __len__(self) -> int:
        return len(self._known)

    def add(self, *secrets: SecretStr) -> bool:
        """Mask these from now on; False where one is too short to be told from any other text."""
        values = [secret.get_secret_value() for secret in secrets]
        with self._lock:
            for value in values:
                if value in self._known or len(value) < _SHORTEST:
                    continue
                self._known.add(value)
                # A private key is found by each of its lines too: logs break it up.
                for part in {value, *(line for line in value.splitlines() if len(line) >= 4 * _SHORTEST)}:
                    if not part.startswith("-----"):
                        self._add(forms(part))
        return all(len(value) >= _SHORTEST for value in values)

    def _add(self, spellings: Iterable[str]) -> None:
        for one in spellings:
            head = one[:_SHORTEST]
            # A new tuple each time: whoever searches meanwhile sees the old or the new one, whole.
            self._heads[head] = tuple(sorted({*self._heads.get(head, ()), one}, key=len, reverse=True))
            self.longest = max(self.longest, len(one))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where a touched secret stands, in any of its forms; the work does not depend on how many there are."""
        heads = self._heads
        if not heads:
            return
        over = 0
        for at in range(len(text) - _SHORTEST + 1):
            if at < over or text[at : at + _SHORTEST] not in heads:
                continue
            for one in heads[text[at : at + _SHORTEST]]:
                if text.startswith(one, at):
                    over = at + len(one)
                    yield at, over
                    break


TOUCHED = Touched()
"""The secrets of this process."""


class Mask:
    """
    Puts `[kind]` in the place of each secret, with its fingerprint where the incident's key is given.

    What looks like a secret is masked, and what the run has touched, whatever it looks like. It is its own fixed
    point: masked again, a text stays as it is.
    """

    def __init__(self, touched: Touched = TOUCHED, key: bytes = b"") -> None:
        self._touched, self._key = touched, key

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        return "".join(self._pieces(text, self._spans(text, sightings(text))))

    @property
    def reach(self) -> int:
        """How many characters of a text must be seen at once."""
        return max(_HOLD, self._touched.longest)

    def _spans(self, text: str, seen: Iterable[Sighting]) -> list[tuple[int, int, str]]:
        found = [(one.start, one.end, one.kind) for one in seen if not one.public]
        found += [(start, end, "touched secret") for start, end in self._touched.spans(text)]
        merged = list[tuple[int, int, str]]()
        for start, end, kind in sorted(found):
            if merged and start < merged[-1][1]:
                first, last, name = merged[-1]
                merged[-1] = (first, max(last, end), name)
            else:
                merged.append((start, end, kind))
        return merged

    def _pieces(self, text: str, spans: Iterable[tuple[int, int, str]]) -> Iterator[str]:
        at = 0
        for start, end, kind in spans:
            yield text[at:start]
            yield f"[{kind} {fingerprint(self._key, text[start:end])}]" if self._key else f"[{kind}]"
            at = end
        yield text[at:]

    def cut(self, text: str) -> tuple[str, str]:
        """Mask as much of a text as more of it cannot change; return that, and the rest as it is."""
        seen = sightings(text)
        at = max(0, len(text) - self.reach)
        spans = self._spans(text, seen)
        whole = [(one.begin, one.end) for one in seen] + [(start, end) for start, end, _ in spans]
        for begin, end in sorted(whole, reverse=True):
            if begin < at < end + 1:
                at = begin
        if len(text) - at > _MOST_HELD:  # one secret longer than any: what is known of it is masked
            at = len(text)
        return "".join(self._pieces(text[:at], (one for one in spans if one[1] <= at))), text[at:]


class MaskedStream:
    """Masks a text that comes in chunks, also where a secret lies across two of them."""

    def __init__(self, mask: Mask) -> None:
        self._mask, self._rest = mask, ""

    def feed(self, chunk: str) -> str:
        """Take a chunk; return what can be shown by now."""
        self._rest += chunk
        if len(self._rest) < 2 * self._mask.reach:
            return ""
        shown, self._rest = self._mask.cut(self._rest)
        return shown

    def close(self) -> str:
        """Return what is left."""
        shown, self._rest = self._mask(self._rest), ""
        return shown
