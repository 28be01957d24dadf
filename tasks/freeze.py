"""Freeze: no release goes out but the one that ends the incident."""

import json
from typing import Any

from crisis.clients import github
from crisis.domain.change import Change
from crisis.domain.protocol import GitHubReleases
from crisis.engine.action import action
from crisis.engine.run import current_run
from crisis.errors import UnprovenError

VARIABLE = "DEPLOY_FREEZE"
"""
The Actions variable that the release pipeline reads: `{"incident": …, "allow": [commit, …]}`.

Where somebody else's freeze stood before, `replaced` holds it.
"""
_LONGEST = 80


@action(kind="contain", needs=("github:variables:write",), undo="lift_freeze", measure=True)
def freeze_deployments(service: str) -> Change:
    """
    Stop the pipeline from releasing anything that this incident does not allow.

    Again  finds the freeze and leaves it, with what it allows.
    Undo   lift_freeze, at stand-down; a freeze of somebody else's that was replaced is named, to be put back by hand.
    Fails  RefusedError without permission; UnprovenError when the freeze is not there afterwards.
    """
    incident = current_run().incident
    releases = _pipeline(service)
    if releases is None:
        because = "no pipeline to freeze: rolling back on Vercel stops automatic promotion"
        return Change.none(service, because=because, in_force=False)
    with github.connect(releases) as client:
        before = client.variable(VARIABLE)
        if _ours(before, incident):
            return Change.none(service, because="frozen already for this incident", **_replaced(before))
        # Kept in the freeze itself: a crash before our record must not lose what stood there.
        wanted = {"incident": incident, "allow": [], **({"replaced": before} if before else {})}
        client.set_variable(VARIABLE, json.dumps(wanted))
        if _freeze(client.variable(VARIABLE)) != wanted:
            raise UnprovenError(
                f"{service} freeze", wanted="deployments frozen", saw="no freeze", then="freeze by hand"
            )
    note = "deployments frozen; only this incident's release may go out"
    if not before:
        return Change.done(service, note)
    return Change.done(service, f"{note}; it replaced another freeze: {_short(before)}", replaced=before)


@action(kind="contain", needs=("github:variables:write",), undo="freeze_deployments")
def lift_freeze(service: str) -> Change:
    """
    Let the pipeline release again.

    Again  finds no freeze of this incident and changes nothing; somebody else's stays.
    Undo   freeze_deployments.
    Fails  UnprovenError when the freeze is still there afterwards.
    """
    incident = current_run().incident
    releases = _pipeline(service)
    if releases is None:
        return Change.none(service, because="nothing was frozen")
    with github.connect(releases) as client:
        before = client.variable(VARIABLE)
        if not before:
            return Change.none(service, because="no freeze of this incident")
        if not _ours(before, incident):
            return Change.none(service, because=f"the freeze is not this incident's: {_short(before)}")
        client.delete_variable(VARIABLE)
        if client.variable(VARIABLE) is not None:
            raise UnprovenError(f"{service} freeze", wanted="no freeze", saw="a freeze", then="lift it by hand")
    return Change.done(service, "deployments may go out again", **_replaced(before))


def allow_release(releases: GitHubReleases, commit: str) -> None:
    """
    Let one commit through this incident's freeze; does nothing where there is none.

    Raises UnprovenError when somebody else's freeze stands there: it is theirs to open.
    """
    incident = current_run().incident
    with github.connect(releases) as client:
        value = client.variable(VARIABLE)
        if not value:
            return
        if not _ours(value, incident):
            then = f"agree with whoever set it, delete {VARIABLE}, and try again"
            raise UnprovenError(
                f"{releases.repository} freeze", wanted=f"that of {incident}", saw=_short(value), then=then
            )
        freeze = _freeze(value)
        allow = freeze["allow"] if isinstance(freeze.get("allow"), list) else []
        if commit not in allow:
            client.set_variable(VARIABLE, json.dumps({**freeze, "allow": [*allow, commit]}))


def _pipeline(service: str) -> GitHubReleases | None:
    releases = current_run().protocol.services[service].releases
    return releases if isinstance(releases, GitHubReleases) else None


def _freeze(value: str | None) -> dict[str, Any]:
    try:
        freeze = json.loads(value or "{}")
    except ValueError:
        return {}  # somebody's own freeze in words
    return freeze if isinstance(freeze, dict) else {}


def _ours(value: str | None, incident: str) -> bool:
    return _freeze(value).get("incident") == incident


def _replaced(value: str | None) -> dict[str, Any]:
    return {name: text for name, text in _freeze(value).items() if name == "replaced"}


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
