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
"""The Actions variable that the release pipeline reads: `{"incident": …, "allow": [commit, …]}`."""


@action(kind="contain", needs=("github:variables:write",), undo="lift_freeze", measure=True)
def freeze_deployments(service: str) -> Change:
    """
    Stop the pipeline from releasing anything that this incident does not allow.

    Again  finds the freeze and leaves it, with what it allows.
    Undo   lift_freeze, at stand-down.
    Fails  RefusedError without permission; UnprovenError when the freeze is not there afterwards.
    """
    incident = current_run().incident
    releases = _pipeline(service)
    if releases is None:
        because = "no pipeline to freeze: rolling back on Vercel stops automatic promotion"
        return Change.none(service, because=because, in_force=False)
    with github.connect(releases) as client:
        if _freeze(client.variable(VARIABLE)).get("incident") == incident:
            return Change.none(service, because="frozen already for this incident")
        wanted = {"incident": incident, "allow": []}
        client.set_variable(VARIABLE, json.dumps(wanted))
        if _freeze(client.variable(VARIABLE)) != wanted:
            raise UnprovenError(
                f"{service} freeze", wanted="deployments frozen", saw="no freeze", then="freeze by hand"
            )
    return Change.done(service, "deployments frozen; only this incident's release may go out")


@action(kind="contain", needs=("github:variables:write",), undo="freeze_deployments")
def lift_freeze(service: str) -> Change:
    """
    Let the pipeline release again.

    Again  finds no freeze of this incident and changes nothing.
    Undo   freeze_deployments.
    Fails  UnprovenError when the freeze is still there afterwards.
    """
    incident = current_run().incident
    releases = _pipeline(service)
    if releases is None:
        return Change.none(service, because="nothing was frozen")
    with github.connect(releases) as client:
        if _freeze(client.variable(VARIABLE)).get("incident") != incident:
            return Change.none(service, because="no freeze of this incident")
        client.delete_variable(VARIABLE)
        if client.variable(VARIABLE) is not None:
            raise UnprovenError(f"{service} freeze", wanted="no freeze", saw="a freeze", then="lift it by hand")
    return Change.done(service, "deployments may go out again")


def allow_release(releases: GitHubReleases, commit: str) -> None:
    """Let one commit through this incident's freeze; does nothing where there is none."""
    with github.connect(releases) as client:
        freeze = _freeze(client.variable(VARIABLE))
        if freeze and commit not in freeze["allow"]:
            client.set_variable(VARIABLE, json.dumps({**freeze, "allow": [*freeze["allow"], commit]}))


def _pipeline(service: str) -> GitHubReleases | None:
    releases = current_run().protocol.services[service].releases
    return releases if isinstance(releases, GitHubReleases) else None


def _freeze(value: str | None) -> dict[str, Any]:
    try:
        freeze = json.loads(value or "{}")
    except ValueError:
        return {}  # somebody's own freeze in words: ours takes its place, and says so in the journal
    return freeze if isinstance(freeze, dict) else {}
