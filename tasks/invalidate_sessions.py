"""
Invalidate: every user is logged out, and a session that was taken before is refused.

`close_sessions` only refuses older sessions by a not-before time: it can be taken back, so it contains. `end_sessions`
removes them, or the key that signs them: carts and drafts in them are gone, nothing brings them back, so it destroys
and stands behind a gate.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from crisis.clients.sessions import Holder, connect
from crisis.clients.sessions.canary import Jar, Verdict, judge, take
from crisis.clients.sessions.kept import Kept, Shelf
from crisis.domain.change import Change
from crisis.domain.systems import JwtSessions, SessionSecret
from crisis.engine.action import action
from crisis.engine.look import observation, progress
from crisis.engine.run import current_run
from crisis.errors import ProtocolError, RefusedError, TransientError, UnprovenError
from tasks.list_sessions import signing_keys

_LOOK_AGAIN = 0.5
_SECONDS = 10.0
"""How long a service may take to notice that a session is gone, where protocol.yaml grants no other patience."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A canary session that opens what only users open."""

    says: str


@observation
def take_canary_session(system: str) -> Taken:
    """Take a session of ours before the others are ended, and keep it where no record shows it."""
    holder, shelf = _holder(system), _shelf()
    kept = shelf.read(system)
    if kept is not None and kept.jar is not None and kept.epoch_tried != "not honoured":
        return Taken(f"a canary session of {system} is kept since {_clock(kept.taken_at)}")
    with connect(holder) as store:
        mark, before = store.mark(), store.epoch()
    jar = take(holder.canary, system)
    shelf.keep(system, Kept(taken_at=time.time(), jar=jar, mark=mark, epoch_before=before))
    return Taken(f"a canary session of {system} opens {_opens(holder)}")


@observation
def verify_sessions_ended(system: str) -> Taken:
    """
    Try the canary session once more: it is refused, while a fresh login works.

    A second turn that was killed in the middle has begun after the proof of the first, and its own is still to come.
    """
    kept = _kept(system)
    if kept.turn > 1 and not kept.ended_at:
        return Taken(f"{system}: turn {kept.turn} is under way, and proves itself at its end")
    if kept.jar is None:
        raise _no_canary(system)
    return Taken(_prove(system, _holder(system), kept))


@action(kind="contain", needs=("sessions:epoch",), undo="reopen_sessions", measure=True)
def close_sessions(system: str) -> Change:
    """
    Refuse every session that was issued until now, by the not-before time that the application compares.

    Again  finds the time of this incident in force and leaves it: whoever has logged in since stays.
    Undo   reopen_sessions.
    Fails  UnprovenError naming the epoch when the application does not compare it; RefusedError without permission.
    """
    holder, kept = _holder(system), _begun(system)
    with connect(holder) as store:
        if not store.has_epoch:
            return Change.none(system, because="it has no not-before time: its sessions end by end_sessions alone")
        kept, changed = _raise_epoch(system, kept)
    if kept.jar is None:
        raise _no_canary(system)
    verdict = _settled(system, holder, kept)
    if verdict.says != "refused":
        raise _not_honoured(system, holder, verdict.saw)
    _shelf().keep(system, kept.but(epoch_tried="honoured"))
    says = f"sessions issued before {_clock(kept.epoch)} are refused; the canary's {verdict.saw}"
    return Change.done(system, says) if changed else Change.none(system, because=says)


@action(kind="contain", needs=("sessions:epoch",), undo="close_sessions")
def reopen_sessions(system: str) -> Change:
    """
    Put the not-before time back that stood before this incident.

    Again  finds another time than this incident's in force and changes nothing; also after end_sessions.
    Undo   close_sessions.
    Fails  UnprovenError when the time is not back afterwards.
    """
    kept = _shelf().read(system)
    if kept is None or not kept.epoch or kept.ended_at:
        because = "the sessions are ended: their not-before time stays" if kept else "nothing was closed"
        return Change.none(system, because=because)
    with connect(_holder(system)) as store:
        if store.epoch() != kept.epoch:
            return Change.none(system, because="the not-before time in force is not this incident's")
        store.set_epoch(kept.epoch_before)
        if (seen := store.epoch()) != kept.epoch_before:
            saw = _clock(seen)
            raise UnprovenError(f"{system} epoch", wanted="the one from before", saw=saw, then="put it back by hand")
    _shelf().keep(system, kept.but(epoch=0, epoch_tried=""))
    return Change.done(system, "older sessions count again")


@action(kind="destroy", needs=("sessions:end",), undo="none")
def end_sessions(system: str, turn: int = 1) -> Change:
    """
    End every session: refuse the older ones first where there is a not-before time, then remove or re-key all.

    `turn` is 2 once the hole is closed: sessions that came through it meanwhile end then, with a new canary.

    Again  finds them ended in this turn and the canary refused, and changes nothing; after a crash it goes on.
    Undo   none: users log in again; what only stood in their sessions is gone.
    Fails  UnprovenError when the canary still opens something, when none was taken before, when the application does
           not compare the epoch, or when nobody can log in any more; the sessions are removed all the same.
    """
    holder, kept = _holder(system), _begun(system, turn)
    if kept.ended_at and kept.jar is not None:
        because = f"ended at {_clock(kept.ended_at)}: {_prove(system, holder, kept)}"
        return Change.none(system, because=because, count=kept.count, successors=_signers(system))
    with connect(holder) as store:
        if store.has_epoch:
            kept, _ = _raise_epoch(system, kept)
            kept = _epoch_tried(system, holder, kept)
        ended = store.end(kept.mark, _told(system))
    if kept.jar is None:
        raise _no_canary(system)
    says = _prove(system, holder, kept)
    if kept.epoch_tried == "unknown":
        says += "; whether the application compares the epoch could not be tried, it was away"
    if kept.epoch_tried == "not honoured":
        raise _not_honoured(system, holder, f"{ended.note}, but a session that the epoch alone did not refuse")
    _shelf().keep(system, kept.but(ended_at=time.time(), count=ended.count))
    return Change.done(system, f"{ended.note}; {says}", count=ended.count, successors=_signers(system))


def _signers(system: str) -> list[str]:
    """Return the keys of what signs sessions from now on."""
    return [f"{system}/signing key/{name}" for name in signing_keys(system)]


def _told(system: str) -> Callable[[int, str], None]:
    """Show how far the end is, once a second: there are hundreds of batches."""
    shown = time.monotonic()

    def tell(count: int, says: str) -> None:
        nonlocal shown
        if time.monotonic() - shown >= 1:
            shown = time.monotonic()
            progress(0, 1, f"{system}: {count} {says}")

    return tell


def _holder(system: str) -> Holder:
    found = current_run().protocol.systems.get(system)
    if not isinstance(found, Holder):
        saw = "none of that name" if found is None else f"kind: {found.kind}"
        raise ProtocolError(f"systems.{system}", wanted="a system that holds sessions", saw=saw, then="mend its name")
    return found


def _shelf() -> Shelf:
    run = current_run()
    return Shelf(run.settings.home.resolve(), run.incident, run.settings.signing_key())


def _kept(system: str) -> Kept:
    return _shelf().read(system) or Kept()


def _begun(system: str, turn: int = 1) -> Kept:
    """
    Return what is kept of this turn.

    Where no canary was taken, what the end must know when it is tried again is kept at least: without it a second try
    could not tell a new key from an old one, and would renew it once more.
    """
    shelf, holder = _shelf(), _holder(system)
    kept = shelf.read(system)
    if kept is not None and kept.turn >= turn:
        return kept
    jar = take(holder.canary, system) if kept is not None and kept.jar is not None else None
    with connect(holder) as store:
        taken_at = time.time() if jar is not None else 0.0
        begun = Kept(taken_at=taken_at, jar=jar, mark=store.mark(), epoch_before=store.epoch(), turn=turn)
    shelf.keep(system, begun)
    return begun


def _raise_epoch(system: str, kept: Kept) -> tuple[Kept, bool]:
    """Put the incident's not-before time into force, which is chosen once; a later one of somebody else stays."""
    if not kept.epoch:
        # The second that has begun counts as before: a session that is issued in it is refused too.
        kept = kept.but(epoch=math.floor(time.time()) + 1)
        _shelf().keep(system, kept)
    with connect(_holder(system)) as store:
        if store.epoch() >= kept.epoch:
            return kept, False
        store.set_epoch(kept.epoch)
        if (seen := store.epoch()) < kept.epoch:
            saw, then = _clock(seen) if seen else "none", "who else writes it?"
            raise UnprovenError(f"{system} epoch", wanted=_clock(kept.epoch), saw=saw, then=then)
    return kept, True


def _epoch_tried(system: str, holder: Holder, kept: Kept) -> Kept:
    """
    See whether the epoch alone refuses the canary, while nothing is removed yet; it never keeps us from removing.

    What was seen is kept: once sessions are removed, a refusal says nothing about the epoch any more.
    """
    if kept.epoch_tried or kept.jar is None:
        return kept
    try:
        refused = _settled(system, holder, kept, patience=1.0).says == "refused"
        kept = kept.but(epoch_tried="honoured" if refused else "not honoured")
    except TransientError:
        kept = kept.but(epoch_tried="unknown")  # the service is away: the end does not wait for it
    _shelf().keep(system, kept)
    return kept


def _settled(system: str, holder: Holder, kept: Kept, patience: float | None = None) -> Verdict:
    """Try the canary until it is refused, as long as the service may take to notice."""
    granted = holder.patience.total_seconds() if isinstance(holder, SessionSecret | JwtSessions) else _SECONDS
    until = time.monotonic() + (granted if patience is None else patience)
    while True:
        verdict = judge(holder.canary, kept.jar or Jar(), system)
        if verdict.says == "refused" or time.monotonic() > until:
            return verdict
        time.sleep(_LOOK_AGAIN)


def _prove(system: str, holder: Holder, kept: Kept) -> str:
    """Say how the canary was refused, once a fresh login shows that not just everything is refused."""
    verdict = _settled(system, holder, kept)
    if verdict.says != "refused":
        saw = f"it {verdict.says}: {verdict.saw}"
        then = "restart the service and empty its caches, then run this again"
        raise UnprovenError(f"{system} canary session", wanted="it refused", saw=saw, then=then)
    _see_fresh_login(system, holder)
    return f"the canary of {_clock(kept.taken_at)} is refused ({verdict.saw}), and a fresh login works"


def _see_fresh_login(system: str, holder: Holder) -> None:
    """Log in anew; tried again for a while, because a session of the epoch's own second is refused too."""
    until = time.monotonic() + _SECONDS
    while True:
        try:
            take(holder.canary, system)
        except RefusedError as error:
            if time.monotonic() > until:
                then = "old sessions are refused, but users cannot log in: look at the service"
                raise UnprovenError(f"{system} login", wanted="a fresh session", saw=error.saw, then=then) from None
        else:
            return
        time.sleep(_LOOK_AGAIN)


def _not_honoured(system: str, holder: Holder, saw: str) -> UnprovenError:
    name = getattr(holder, "epoch", None) or "notBefore"
    then = "let the application refuse sessions issued before it, take a new canary, run this again"
    return UnprovenError(f"{system} epoch {name}", wanted="older sessions refused by it", saw=saw, then=then)


def _no_canary(system: str) -> UnprovenError:
    then = "log in as a user on a second device before, or prove it by hand"
    return UnprovenError(f"{system} canary session", wanted="one taken before", saw="none", then=then)


def _opens(holder: Holder) -> str:
    return ", ".join(one.request for one in holder.canary.opens)


def _clock(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%H:%M:%S} UTC" if unix else "no time"
