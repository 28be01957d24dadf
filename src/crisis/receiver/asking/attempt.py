"""Attempt: one sender being asked, on a thread that may be left behind: a hung one holds up nobody."""

from threading import Thread
from types import TracebackType
from typing import Self

from crisis.errors import CrisisError, TransientError
from crisis.receiver.asking.question import Answer, Asker, Question

__all__ = ["Attempt"]


class Attempt(Thread):
    """Ask a sender. It touches no store, so that whatever it says too late changes nothing here."""

    def __init__(self, asker: Asker, question: Question) -> None:
        super().__init__(daemon=True, name=f"ask-{question.sender}")
        self.asker, self.question = asker, question
        self.answer: Answer | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Keep what the sender answers, or what went wrong."""
        with self:
            self.answer = self.asker.ask(self.question)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> bool:
        self._error = error
        return True

    def trouble(self) -> CrisisError:
        """Return why there is no answer."""
        if isinstance(self._error, CrisisError):
            return self._error
        # A foreign error's text may hold a secret; its kind does not.
        saw = "no answer yet" if self._error is None else f"it broke with {type(self._error).__name__}"
        sender, wanted = self.question.sender, "what did not reach us"
        return TransientError(sender, vendor=sender, operation="ask", wanted=wanted, saw=saw, then="it is asked again")
