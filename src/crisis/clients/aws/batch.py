"""Batch: many keys at once, the keys of one user one after the other, each on its own when one fails."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from crisis.errors import CrisisError, ProtocolError, RefusedError, TransientError, UnprovenError

__all__ = ["Outcome", "each_key", "split"]

T = TypeVar("T")

_THREADS = 32
_SHOWN = 5


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of each key (`user/ID`): a result, or the error that ended its work."""

    results: dict[str, T] = field(default_factory=dict)
    failures: dict[str, CrisisError] = field(default_factory=dict)

    def insist(self, target: str, wanted: str) -> dict[str, T]:
        """
        Return the results; raise one error for all failures together.

        TransientError where trying again can help all of them, RefusedError where AWS said no to any of them.
        """
        if not self.failures:
            return self.results
        lines = [f"{key}: {error}" for key, error in sorted(self.failures.items())]
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        saw = f"{len(lines)} of {len(lines) + len(self.results)} failed: {' | '.join(lines[:_SHOWN])}{more}"
        then = "run it again: what is done stays done"
        raise _kind(self.failures)(target, wanted=wanted, saw=saw, then=then)


def each_key(keys: Iterable[str], work: Callable[[str, str], T]) -> Outcome[T]:
    """Do a work with user and key id for every `user/ID`, users side by side."""
    by_user: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        by_user.setdefault(split(key)[0], []).append(key)
    outcome: Outcome[T] = Outcome()

    def of_user(listed: list[str]) -> None:
        for key in listed:
            try:
                outcome.results[key] = work(*split(key))
            except CrisisError as error:  # the next user's key must not wait for a person to mend this one
                outcome.failures[key] = error

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(of_user, by_user.values()))
    return outcome


def split(key: str) -> tuple[str, str]:
    """Return user and key id of `user/ID`; ProtocolError for anything else."""
    user, _, id_ = key.rpartition("/")
    if not user or not id_:
        raise ProtocolError(key, wanted="user/KEY-ID", saw="something else")
    return user.rpartition("/")[2], id_


def _kind(failures: Mapping[str, CrisisError]) -> Callable[..., CrisisError]:
    kinds = {type(error) for error in failures.values()}
    if all(issubclass(kind, TransientError) for kind in kinds):
        return _vendor(TransientError)
    if any(issubclass(kind, RefusedError) for kind in kinds):
        return _vendor(RefusedError)
    return UnprovenError


def _vendor(kind: type[TransientError | RefusedError]) -> Callable[..., CrisisError]:
    def made(target: str, **parts: str) -> CrisisError:
        return kind(target, vendor="aws", operation="access keys", **parts)

    return made
