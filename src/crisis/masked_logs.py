"""Masked logs: the secrets are taken out of a record before anybody formats or sends it."""

import logging
from collections.abc import Callable
from typing import Any

from crisis.domain.redaction import Mask

__all__ = ["MaskedRecords", "mask_every_record"]

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_TEXTS = logging.Formatter()


class MaskedRecords(logging.Filter):
    """
    Masks message, arguments, traceback and what `extra` added.

    Put it on every handler: a logger's filter sees no record of the loggers below it. Where a traceback held a secret,
    its masked text stays and the error itself goes: its locals and arguments are not ours to mend. Handlers that
    somebody else makes, now or later, have none: for them there is `mask_every_record`.
    """

    def __init__(self, mask: Mask | None = None) -> None:
        super().__init__()
        self._mask = mask or Mask()

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record in place; every record passes."""
        record.msg, record.args = self._mask(_message(record)), None
        if record.exc_info and record.exc_info[0] is not None:
            told = _TEXTS.formatException(record.exc_info)
            masked = self._mask(told)
            record.exc_text = masked
            if masked != told:
                record.exc_info = None
        elif record.exc_text:
            record.exc_text = self._mask(record.exc_text)
        if record.stack_info:
            record.stack_info = self._mask(record.stack_info)
        for name, value in vars(record).items():
            if name not in _PLAIN:
                setattr(record, name, self._masked(value))
        return True

    def _masked(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        told = value if isinstance(value, str) else repr(value)
        masked = self._mask(told)
        return masked if isinstance(value, str) or masked != told else value


def mask_every_record() -> None:
    """
    From now on, mask each record of this process when it is made, whoever handles it; what `extra` adds comes later.

    Prefect sets up its handlers when it is loaded, and again when it likes; no filter of ours would stay on them.
    """
    made = logging.getLogRecordFactory()
    if not isinstance(made, _Masking):
        logging.setLogRecordFactory(_Masking(made))


class _Masking:
    def __init__(self, made: Callable[..., logging.LogRecord]) -> None:
        self._made, self._masked = made, MaskedRecords()

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._made(*args, **kwargs)
        said, told = (record.msg, record.args), _message(record)
        self._masked.filter(record)
        if record.msg == told:  # as it was: filters count records by what stands before the arguments are put in
            record.msg, record.args = said
        return record


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a wrong format: logging itself would print it with its arguments
        return f"{record.msg} (its arguments do not fit)"
