"""Playbook, scenario B: somebody else holds a key of ours."""

from typing import Annotated

from crisis.domain.credential import Scope
from crisis.engine.action import attempt
from crisis.engine.gate import carry_out
from crisis.engine.playbook import ServiceName, playbook
from tasks.checklist import wait_for_tasks
from tasks.contain import contain_leaked, contain_sessions, lift_containment, public_names
from tasks.evidence import read_evidence, snapshot_evidence, snapshot_leaked
from tasks.hole import plan_hole
from tasks.hunt import findings_of, hunt, known_keys, look_for_stragglers, open_tasks_for_ghosts
from tasks.kill import kill_again, plan_kill
from tasks.notify import ask_decision_maker, call_for_help, notify_stakeholders
from tasks.prove import prove_dead

Leaked = Annotated[tuple[str, ...], "Public names of what leaked, such as AKIA…; never a secret."]
HowFar = Annotated[Scope, "How far does it go? One credential, its holder's, all that it opens, or everything."]


@playbook(escalate=call_for_help)
def security_breach(service: ServiceName, leaked: Leaked = (), scope: HowFar = "everything") -> None:
    """
    Lock the intruder out, end what they may hold, prove each credential dead, and find what they left.

    Starts  a leaked key found by a scanner or a person, GuardDuty, or a person's suspicion
    Asks    two people for all that is ended for good, twice; the decision makers how the hole was closed
    Proves  every old credential and a session taken before are refused, and no task is left open
    """
    names = public_names(leaked)
    first = read_evidence(snapshot_leaked(service, names))
    contained = contain_leaked(first, names, scope)
    contain_sessions()
    attempt(notify_stakeholders, service, "breach")
    found = read_evidence(snapshot_evidence(service)).since(first)
    contained = contain_leaked(found, names, scope, contained)

    ended = carry_out("kill", lambda: plan_kill(found, names, scope), ask_decision_maker, go_on=True)
    prove_dead(service, found, names, scope)

    carry_out("hole", lambda: plan_hole(service), ask_decision_maker)
    left = findings_of(hunt(service, known_keys(found, ended)))
    open_tasks_for_ghosts(left, scope)
    ended += kill_again(found, names, scope, ended, left)
    prove_dead(service, found, names, scope, left.strangers)

    lift_containment(contained)
    look_for_stragglers(ended)
    wait_for_tasks()
    attempt(notify_stakeholders, service, "closed")
