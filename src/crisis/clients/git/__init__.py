"""Git: a mirror of the service's repository, questions to it, a revert, and a push that never forces."""

from crisis.clients.git.repository import Commit, Repository
from crisis.clients.git.revert import Prepared

__all__ = ["Commit", "Prepared", "Repository"]
