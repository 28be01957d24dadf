"""Redaction: what is written anywhere shows no secret; the ids of keys stay, because they are evidence."""

import base64
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from crisis.domain.leak import fingerprint
from crisis.domain.sighting import Sighting, sightings

__all__ = ["TOUCHED", "Mask", "MaskedStream", "Touched", "forms"]

_SHORTEST = 6
"""A shorter secret is not masked word for word: it would blot out half of every text."""

_LONGEST_STRIDE = 16
_HOLD = 4096
_MOST_HELD = 128 * 1024
_LABELS = "labels"


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
        self._pieces, self._stride = set[str](), _LONGEST_STRIDE
        self.longest = 0

    def __repr__(self) -> str:
        return f"Touched({len(self._known)} secrets)"

    def __len__(self) -> int:
        return len(self._known)

    def add(self, *secrets: SecretStr) -> bool:
        """
        Mask these from now on; False where one is too short to be told from any other text.

        What is a public name by its look, such as an account's id that a reference names, is evidence and stays.
        """
        values = [secret.get_secret_value() for secret in secrets]
        with self._lock:
            for value in values:
                if value in self._known or len(value) < _SHORTEST or _is_public(value):
                    continue
                self._known.add(value)
                # A private key is found by each of its lines too: logs break it up.
                for part in {value, *(line for line in value.splitlines() if len(line) >= 4 * _SHORTEST)}:
                    if not part.startswith("-----"):
                        self._add(forms(part))
        return all(len(value) >= _SHORTEST for value in values)

    def _add(self, spellings: Iterable[str]) -> None:
        for one in spellings:
            self._stride = min(self._stride, len(one) - _SHORTEST + 1)
            self._pieces.update(one[at : at + _SHORTEST] for at in range(self._stride))
            head = one[:_SHORTEST]
            # A new tuple each time: whoever searches meanwhile sees the old or the new one, whole.
            self._heads[head] = tuple(sorted({*self._heads.get(head, ()), one}, key=len, reverse=True))
            self.longest = max(self.longest, len(one))

    def _may_stand_in(self, text: str) -> bool:
        # Whatever stands there, a piece of it begins at one of these places: most texts are done with after few looks.
        return any(text[at : at + _SHORTEST] in self._pieces for at in range(0, len(text), self._stride))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where a touched secret stands, in any of its forms; the work does not depend on how many there are."""
        heads = self._heads
        if not heads or not self._may_stand_in(text):
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

    def within(self, value: Any, spared: tuple[str, ...] = ()) -> Any:
        """
        Return plain data with every text in it masked, at any depth, names of fields too; the same where there is none.

        Fields named in `spared` stay as they are; so does what is beside them. Names that a sender chose, those of
        `labels`, tell what their values are; all others are ours.
        """
        # All texts at once: where there is nothing to mask, as nearly always, that is one look and no copy.
        if not self._found("\n".join(_texts(value))):
            return value
        if not isinstance(value, Mapping):
            return self._within(value)
        return {self(name): one if name in spared else self._within(one, name) for name, one in value.items()}

    def _within(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self._within(one) for one in value]
        if isinstance(value, Mapping) and name == _LABELS:
            return {self(one): self._label(one, told) for one, told in value.items()}
        if isinstance(value, Mapping):
            return {self(one): self._within(told, one) for one, told in value.items()}
        return value

    def _label(self, name: str, value: Any) -> Any:
        shown = self._within(value, name)
        return "[named secret]" if shown == value and self._found(_with_name(name, value)) else shown

    def _found(self, text: str) -> bool:
        return bool(self._spans(text, sightings(text)))

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


def _is_public(value: str) -> bool:
    found = sightings(value)
    return len(found) == 1 and found[0].public and (found[0].start, found[0].end) == (0, len(value))


def _texts(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one, told in value.items():
            yield one
            yield from _texts(told, one)
            if name == _LABELS:
                yield _with_name(one, told)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _with_name(name: str, value: Any) -> str:
    return f"{name}: {json.dumps(value)}"


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
