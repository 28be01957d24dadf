"""
Every way to fail, and what the caller can do about it.

CrisisError
  ProtocolError      protocol.yaml or settings are wrong; nothing was touched          exit 2
  VendorError        an outside system; has .vendor and .operation
    TransientError   time-out, 429, 5xx: the only branch that is retried               exit 3
    RefusedError     the vendor said no                                                exit 4
  UnprovenError      an action ran and the world disagrees                             exit 5
  DeclinedError      a person said no, or nobody answered                              exit 6
  UnauthorisedError  the level, the plan or the decision does not cover this action    exit 7
    DriftError       the world moved between the question and the answer               exit 7
  JournalError       the record cannot be written, or does not verify                  exit 8
    FencedError      another responder drives this run now                             exit 8
"""

from typing import ClassVar

__all__ = [
    "CrisisError",
    "DeclinedError",
    "DriftError",
    "FencedError",
    "JournalError",
    "ProtocolError",
    "RefusedError",
    "TransientError",
    "UnauthorisedError",
    "UnprovenError",
    "VendorError",
]


class CrisisError(Exception):
    """
    One clear line: `<target>: wanted <state>, saw <state>; <next step>`.

    The parts stay readable as attributes, so that no caller ever parses the text.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, target: str, *, wanted: str = "", saw: str = "", then: str = "") -> None:
        self.target, self.wanted, self.saw, self.then = target, wanted, saw, then
        middle = ", ".join(part for part in (wanted and f"wanted {wanted}", saw and f"saw {saw}") if part)
        text = f"{target}: {middle}" if middle else target
        super().__init__(f"{text}; {then}" if then else text)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only parts would be lost when the error crosses a process boundary.
        return (_rebuild, (type(self), dict(self.__dict__)))


class ProtocolError(CrisisError):
    """protocol.yaml or the settings are wrong; nothing was touched."""

    exit_code = 2


class VendorError(CrisisError):
    """An outside system did not do what it was asked."""

    def __init__(
        self, target: str, *, vendor: str, operation: str, wanted: str = "", saw: str = "", then: str = ""
    ) -> None:
        super().__init__(target, wanted=wanted, saw=saw, then=then)
        self.vendor, self.operation = vendor, operation


class TransientError(VendorError):
    """Time-out, 429 or 5xx: worth another try."""

    exit_code = 3


class RefusedError(VendorError):
    """The vendor said no; asking again will not help."""

    exit_code = 4


class UnprovenError(CrisisError):
    """An action ran and the world disagrees."""

    exit_code = 5


class DeclinedError(CrisisError):
    """A person said no, or nobody answered in time."""

    exit_code = 6


class UnauthorisedError(CrisisError):
    """The level, the plan or the decision does not cover this action."""

    exit_code = 7


class DriftError(UnauthorisedError):
    """The world moved between the question and the answer: plan again, ask again."""


class JournalError(CrisisError):
    """The record cannot be written, or does not verify."""

    exit_code = 8


class FencedError(JournalError):
    """Another responder drives this run now; this one must stop."""


def _rebuild(kind: type[CrisisError], parts: dict[str, object]) -> CrisisError:
    error = kind.__new__(kind)
    error.__dict__.update(parts)
    text = {key: str(parts.get(key, "")) for key in ("target", "wanted", "saw", "then")}
    CrisisError.__init__(error, text["target"], wanted=text["wanted"], saw=text["saw"], then=text["then"])
    return error
