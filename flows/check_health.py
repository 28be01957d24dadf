"""Playbook: a sender says that the trouble is gone, so health is proved."""

from crisis.engine.playbook import ServiceName, playbook
from tasks.notify import call_for_help
from tasks.verify import affected_services, verify_users


@playbook(escalate=call_for_help)
def check_health(service: ServiceName) -> None:
    """
    Walk every primary journey of every service that is affected as users do, until enough rounds in a row have passed.

    Starts  the last alert of an incident that nobody drives has resolved, or a person
    Asks    nobody
    Proves  every primary journey works from outside, with nothing of ours in the way
    """
    for one in affected_services(service):
        verify_users(one)
