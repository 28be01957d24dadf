"""Masked: what reaches Prefect's database by a way that is not ours, such as errors and parameters, without secrets."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from types import TracebackType
from typing import Any

from crisis.domain.leak import public_name
from crisis.domain.redaction import Mask
from crisis.errors import CrisisError

__all__ = ["MaskedError", "MaskedErrors", "overwrite_deleted", "without_secrets"]

_PATIENCE_SECONDS = 5


class MaskedError(Exception):
    """What takes the place of somebody else's error whose text held a secret: its kind, and the text without."""


class MaskedErrors:
    """
    Masks the text of what fails inside: Prefect writes it into the state of the run.

    An error of our own keeps its type, another one becomes a MaskedError.
    """

    def __enter__(self) -> None:
        """Let no secret out from here on."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Mask the error."""
        if not isinstance(error, Exception):
            return
        mask, told = Mask(), str(error)
        masked = mask(told)
        if isinstance(error, CrisisError):
            vars(error).update({name: mask.within(value) for name, value in vars(error).items()})
            error.args = (masked,)
        elif masked != told:
            message = f"{type(error).__name__}: {masked}"
            raise MaskedError(message).with_traceback(traceback) from None


def without_secrets(given: Mapping[str, Any], texts: tuple[str, ...], key: bytes) -> dict[str, Any]:
    """
    Return a run's parameters as they may be kept.

    What looks secret is masked in those of the given `texts`; the others are names, and a secret that somebody pasted
    for one in a hurry becomes its fingerprint.
    """
    mask = Mask()
    return {name: mask.within(one) if name in texts else _named(one, key) for name, one in given.items()}


def overwrite_deleted() -> None:
    """Empty the log of Prefect's SQLite database, where that is a file of ours: changed and deleted rows stay in it."""
    from prefect.settings import get_current_settings  # noqa: PLC0415 - loads Prefect

    file = get_current_settings().home / "prefect.db"
    if file.exists():
        # Where Prefect does not let us in within a moment, its own next turn at this overwrites them.
        with suppress(sqlite3.Error), closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _named(value: Any, key: bytes) -> Any:
    if isinstance(value, list):
        return [_named(one, key) for one in value]
    return public_name(value, key) if isinstance(value, str) else value
