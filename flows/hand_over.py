"""Playbook: no remedy may start by itself, so people are told."""

from crisis.domain.incident import HANDED_OVER
from crisis.engine.playbook import ServiceName, playbook
from tasks.notify import call_for_help, hand_over_to_people


@playbook(escalate=call_for_help, ends=(HANDED_OVER, "people were told, and have it in their hands"))
def hand_over(service: ServiceName) -> None:
    """
    Tell the decision makers of the level and the stakeholders what came, and that nothing was done about it.

    Starts  a storm of alerts, a playbook that has started too often, a service that cools down after a rollback
    Asks    nobody
    Proves  nothing: the incident stays open for people until health is proved
    """
    hand_over_to_people(service)
