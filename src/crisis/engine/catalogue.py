"""Catalogue: which actions the playbooks of this checkout bring."""

import sys

from crisis.engine.action import ACTIONS, ActionSpec
from crisis.engine.child import load_flow
from crisis.engine.deployments import Deployment
from crisis.settings import Settings

__all__ = ["known_actions", "load_actions"]


def load_actions(settings: Settings, deployments: list[Deployment]) -> dict[str, ActionSpec]:
    """Import every playbook of a checkout and return the actions they use, by name."""
    project = str(settings.project.resolve())
    if project not in sys.path:
        sys.path.insert(0, project)
    for one in deployments:
        load_flow(one.entrypoint)
    return dict(ACTIONS)


def known_actions(settings: Settings, deployments: list[Deployment]) -> list[str]:
    """Return the names of the actions that a level may authorise."""
    return sorted(load_actions(settings, deployments))
