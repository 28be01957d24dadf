"""Switch: what users see while the service is being mended."""

import time
from collections.abc import Callable

from crisis.clients import switchboard
from crisis.clients.web import Probe
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.engine.run import current_run
from crisis.errors import UnprovenError
from crisis.settings import read_address

_SECONDS = 10.0
_UNAVAILABLE = 503


@action(kind="contain", needs=("switchboard:write",), undo="end_maintenance", measure=True)
def start_maintenance(service: str) -> Change:
    """
    Show every user the maintenance page instead of a failing service.

    Again  finds maintenance on and changes nothing.
    Undo   end_maintenance.
    Fails  UnprovenError when users still reach the service.
    """
    return _switch(service, "maintenance", lambda status: status == _UNAVAILABLE, "the maintenance page")


@action(kind="contain", needs=("switchboard:write",), undo="start_maintenance")
def end_maintenance(service: str) -> Change:
    """
    Let users in again.

    Again  finds maintenance off and changes nothing.
    Undo   start_maintenance.
    Fails  UnprovenError when users still see the maintenance page.
    """
    return _switch(service, "normal", lambda status: 200 <= status < 400, "the service itself")  # noqa: PLR2004


def _switch(service: str, mode: str, holds: Callable[[int], bool], wanted: str) -> Change:
    run = current_run()
    entry = run.protocol.services[service]
    with switchboard.connect(entry.switchboard) as board:
        document, _ = board.read()
        changed = document["mode"] != mode
        if changed:
            board.change(mode=mode, incident=run.incident if mode == "maintenance" else None)
    patience = min(_SECONDS, entry.verify.give_up_after.total_seconds())
    status = _seen_from_outside(read_address(entry.url), holds, patience)
    if not holds(status):
        saw = f"status {status}" if status else "no answer"
        raise UnprovenError(f"{service} front page", wanted=wanted, saw=saw, then=f"switch to {mode} by hand")
    if not changed:
        return Change.none(service, because=f"{mode} already; users see {wanted}")
    return Change.done(service, f"{mode} on; users see {wanted}")


def _seen_from_outside(url: str, holds: Callable[[int], bool], patience: float) -> int:
    until = time.monotonic() + patience
    probe = Probe(url)
    while True:
        status = probe.page()[0]
        if holds(status) or time.monotonic() > until:
            return status
        time.sleep(0.02)
