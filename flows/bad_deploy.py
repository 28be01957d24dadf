"""Playbook, scenario A: a release broke a primary journey."""

from crisis.engine.action import attempt
from crisis.engine.gate import carry_out
from crisis.engine.playbook import ServiceName, playbook
from tasks.analyse import analyse_escape
from tasks.freeze import freeze_deployments
from tasks.notify import ask_decision_maker, call_for_help, notify_stakeholders
from tasks.revert import plan_revert
from tasks.switch import end_maintenance, start_maintenance
from tasks.ticket import file_ticket
from tasks.verify import find_last_known_good, verify_open, verify_recovery, verify_release


@playbook(escalate=call_for_help)
def bad_deploy(service: ServiceName) -> None:
    """
    Put the last known good release back, prove that users get through, and find out why the tests passed.

    Starts  an alert on a primary journey, a person, or a schedule
    Asks    the decision makers of the level, once, for the revert
    Proves  production serves the good tree, and every primary journey works from outside
    """
    freeze_deployments(service)
    start_maintenance(service)
    attempt(notify_stakeholders, service, "down")

    back = carry_out("revert", lambda: plan_revert(service, find_last_known_good(service)), ask_decision_maker)[-1]
    verify_release(service, back.facts["release"])
    verify_recovery(service)

    end_maintenance(service)
    verify_open(service)
    attempt(notify_stakeholders, service, "recovered")

    analysis = attempt(analyse_escape, service, back.facts["good"], back.facts["bad"])
    if analysis is not None:
        attempt(file_ticket, service, analysis.title, analysis.report)
