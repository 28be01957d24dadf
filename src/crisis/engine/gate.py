"""Gate: a plan, the people who must decide, and what their silence means. Returns only with a decision on record."""

from collections.abc import Callable, Iterable

from crisis.domain.change import Change
from crisis.domain.decision import Decision, Gate, fold_gates
from crisis.domain.mandate import tally
from crisis.domain.plan import Plan, Step
from crisis.domain.redaction import Mask
from crisis.engine.action import ACTIONS, strictest_rule, why_not_carried
from crisis.engine.form import form_key
from crisis.engine.notices import Tell, Teller
from crisis.engine.question import ask, page_of, wait
from crisis.engine.run import Run, current_run
from crisis.engine.votes import decide_by_protocol
from crisis.errors import (
    CrisisError,
    DeclinedError,
    DriftError,
    ProtocolError,
    RefusedError,
    TransientError,
    UnauthorisedError,
    UnprovenError,
)

__all__ = ["Tell", "approve", "carry_out", "wishes"]

_PLANS_AT_MOST = 12
"""How often a plan may be made again: because the world moved, or because somebody asked for another."""


def carry_out(gate: str, plan_for: Callable[[], Plan], tell: Tell, *, go_on: bool = False) -> list[Change]:
    """
    Plan, ask, and do exactly what was decided; when the world moved, or a change is asked for, plan and ask again.

    Returns the changes that the approved steps made, in their order. A run that was killed in the middle goes on with
    the decision it was carrying out, and one that was put aside with the question it had asked. With `go_on` a step
    that fails holds up no other: all are tried before it counts.
    Raises DeclinedError on a no or a silence that means stop, and what the actions raise; with `go_on` UnprovenError
    that names each step that failed.
    """
    run = current_run()
    for _ in range(_PLANS_AT_MOST):
        decision = _under_way(run, gate)
        try:
            if decision is None:
                # What was asked or decided stands through a restart, also when the plan would be worded anew.
                plan = _standing(run, gate) or _with_history(run, gate, plan_for())
                if not any(choice.steps for choice in plan.choices):
                    return []  # nothing to do, so there is nothing to ask
                decision = _decided(plan, tell)
            if decision.outcome == "change asked":
                continue
            return _done(gate, decision.steps, go_on=go_on)
        except DriftError as drift:
            _note_drift(run, gate, drift)
    saw = f"{_PLANS_AT_MOST} plans overtaken or sent back"
    raise UnprovenError(f"gate {gate}", wanted="a plan that holds", saw=saw, then="talk, then start it again")


def _done(gate: str, steps: Iterable[Step], *, go_on: bool) -> list[Change]:
    changes, failed = list[Change](), list[CrisisError]()
    for planned in steps:
        try:
            changes.append(ACTIONS[planned.action].run(**planned.arguments))
        except DriftError:
            raise  # plan again: what is left is in the next plan
        except (RefusedError, TransientError, UnprovenError, UnauthorisedError, ProtocolError) as error:
            if not go_on:
                raise
            failed.append(error)
    if failed:
        saw = f"{len(failed)} failed: " + "; ".join(str(one) for one in failed)
        then = "mend what each says, then run it again"
        raise UnprovenError(f"gate {gate}", wanted=f"{len(failed) + len(changes)} steps done", saw=saw, then=then)
    return changes


def approve(plan: Plan, tell: Tell) -> Decision:
    """
    Ask the decision makers and wait for their decision on this very plan.

    Raises DeclinedError when they say no or ask for a change, or when their silence means stop.
    """
    for _ in range(_PLANS_AT_MOST):
        try:
            decision = _decided(plan, tell)
        except DriftError as drift:
            _note_drift(current_run(), plan.gate, drift)
            continue
        if decision.goes_ahead:
            return decision
        raise _declined(decision)
    raise UnprovenError(f"gate {plan.gate}", wanted="a decision that holds", saw=f"{_PLANS_AT_MOST} that do not")


def _decided(plan: Plan, tell: Tell) -> Decision:
    """
    Ask, unless it was asked, and return what carries the plan or asks for another.

    Raises DeclinedError, and DriftError when what is on record as decided does not hold.
    """
    run = current_run()
    # What a vendor or a person wrote may stand in it: masked before it is hashed, sealed and shown.
    plan = Plan.model_validate(Mask().within(plan.model_dump(mode="json")))
    rule = strictest_rule(run.protocol, plan)
    gate = _gate_of(run, plan)
    if gate is None or _must_ask_again(run, gate):
        gate = ask(run, plan, rule)
    decision = gate.decision or (wait(run, gate, rule, tell) if gate.needed else decide_by_protocol(run.journal, gate))
    run.mirror.answered(form_key(plan))
    stands = fold_gates(run.entries())[run.id, plan.gate]
    if decision.outcome in ("declined", "change asked"):
        ruling = tally(stands, run.booth.votes(stands))
        if ruling is None or ruling.outcome != decision.outcome:
            saw = "words that nobody said"
            raise DriftError(plan.title, wanted="a decision that holds", saw=saw, then="the question is put again")
    if decision.outcome == "change asked":
        return decision
    if not decision.goes_ahead:
        raise _declined(decision)
    because = why_not_carried(run, stands)
    if because is not None:
        then = "the question is put again"
        raise DriftError(plan.title, wanted="a decision that holds", saw=because, then=then)
    if decision.glass:
        people = run.protocol.people
        names = " and ".join(people[who].name if who in people else who for who in decision.by)
        says = f"GLASS BROKEN: {names} decided without the decision makers: {decision.choice}."
        Teller(run, tell, page_of(run, stands)).glass(stands, says)
    return decision


def _note_drift(run: Run, name: str, drift: DriftError) -> None:
    gate = fold_gates(run.entries()).get((run.id, name))
    if gate is None or gate.decision is None:
        raise drift  # nothing was decided that could be asked again
    body = {"gate": name, "hash": gate.plan.hash, "decided_as": gate.decision.seq, "says": str(drift)}
    run.record("drifted", body)


def _declined(decision: Decision) -> DeclinedError:
    who = " and ".join(decision.by) or "silence"
    return DeclinedError(
        decision.plan.title, wanted="a yes", saw=f"{decision.outcome} ({who})", then=decision.plan.on_no
    )


def _gate_of(run: Run, plan: Plan) -> Gate | None:
    gate = fold_gates(run.entries()).get((run.id, plan.gate))
    return gate if gate is not None and gate.plan.hash == plan.hash and run.booth.is_ours(gate) else None


def _must_ask_again(run: Run, gate: Gate) -> bool:
    """
    Whether what was decided on this plan is spent, so that the question is put anew.

    So it is when the run ended on a no or on silence and somebody started it again, and when the decision was found
    not to carry its steps, such as one that has run out.
    """
    decision = gate.decision
    if decision is None:
        return False
    since = [entry for entry in run.entries() if entry.run == run.id and entry.seq > decision.seq]
    if any(entry.kind == "drifted" and entry.body.get("decided_as") == decision.seq for entry in since):
        return True
    stopped = not decision.goes_ahead and decision.outcome != "change asked"
    return stopped and any(entry.kind == "ended" for entry in since)


def _standing(run: Run, name: str) -> Plan | None:
    """Return the plan that this run had asked about, where its question is open or its answer still counts."""
    gate = fold_gates(run.entries()).get((run.id, name))
    if gate is None or not run.booth.is_ours(gate) or _must_ask_again(run, gate):
        return None
    return None if gate.decision is not None and gate.decision.outcome == "change asked" else gate.plan


def _with_history(run: Run, name: str, plan: Plan) -> Plan:
    """Put under the plan what people asked to be different and what has moved since it was last asked."""
    entries = [entry for entry in run.entries() if entry.run == run.id and entry.body.get("gate") == name]
    asked = [
        f"asked for by {entry.actor}: {entry.body['reason']}"
        for entry in entries
        if entry.kind == "decided" and entry.body["outcome"] == "change asked"
    ]
    moved = [f"moved since it was asked: {entry.body['says']}" for entry in entries if entry.kind == "drifted"]
    return plan.model_copy(update={"notes": (*plan.notes, *asked, *moved)}) if asked or moved else plan


def wishes(gate: str) -> list[str]:
    """Return what people asked to be different at a gate of this run, oldest first: for whoever makes the plan."""
    run = current_run()
    return [
        str(entry.body["reason"])
        for entry in run.entries()
        if (entry.run, entry.kind, entry.body.get("gate")) == (run.id, "decided", gate)
        and entry.body["outcome"] == "change asked"
    ]


def _under_way(run: Run, name: str) -> Decision | None:
    """Return the decision whose plan this run had begun to carry out, unless the world moved under it."""
    entries = run.entries()
    gate = fold_gates(entries).get((run.id, name))
    if gate is None or gate.decision is None or not gate.decision.goes_ahead:
        return None
    planned = {step.action for step in gate.decision.steps}
    since = [entry for entry in entries if entry.run == run.id and entry.seq > gate.decision.seq]
    if any(entry.kind == "drifted" and entry.body["hash"] == gate.plan.hash for entry in since):
        return None
    begun = any(entry.kind == "intended" and entry.body["action"] in planned for entry in since)
    return gate.decision if begun else None
