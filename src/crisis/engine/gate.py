"""Gate: a plan, the people who must decide, and what their silence means. Returns only with a decision on record."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from crisis.domain.change import Change
from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Decision, Gate, fold_gates
from crisis.domain.mandate import Ladder, ladder, tally
from crisis.domain.person import PEOPLE
from crisis.domain.plan import Plan, Step
from crisis.domain.protocol import Gate as Rule
from crisis.domain.redaction import Mask
from crisis.engine.action import ACTIONS, strictest_rule, who_is_excluded, why_not_carried
from crisis.engine.form import PrefectForm, form_key
from crisis.engine.notices import Tell, Teller, news_for
from crisis.engine.run import ParkedError, Run, current_run
from crisis.engine.votes import decide_by_protocol, decide_by_silence, settle
from crisis.errors import (
    CrisisError,
    DeclinedError,
    DriftError,
    ProtocolError,
    RefusedError,
    TransientError,
    UnprovenError,
)
from crisis.settings import new_token

__all__ = ["Tell", "approve", "carry_out", "wishes"]

_LOOK_SECONDS = 0.1
_HEARING_SECONDS = 60.0
"""How much longer a run stays where Prefect does not say what was filled in: that may be the very answer."""
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
        except (RefusedError, TransientError, UnprovenError, ProtocolError) as error:
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
        gate = _ask(run, plan, rule)
    decision = gate.decision or (_wait(run, gate, rule, tell) if gate.needed else decide_by_protocol(run.journal, gate))
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
        Teller(run, tell, _page(run, stands)).glass(stands, says)
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


def _ask(run: Run, plan: Plan, rule: Rule) -> Gate:
    level, excluded, now = run.state().level, who_is_excluded(run), utc_now()
    rungs = ladder(run.protocol, level, rule.needed, now, excluded)
    glass = run.protocol.break_glass
    if rule.needed and not rungs.everybody and glass is None:
        saw = "only who started the run or is away"
        raise ProtocolError(f"gate {plan.gate}", wanted="somebody to ask", saw=saw)
    # Whoever had been asked about an earlier plan is asked about this one at once.
    before = fold_gates(run.entries()).get((run.id, plan.gate))
    joined = [who for who in before.people if who in rungs.everybody] if before is not None else []
    recommended = frozenset(step.action for step in plan.choices[0].steps)
    body = {
        "run": run.id,
        "nonce": new_token(),
        "asked_at": write_time(now),
        "gate": plan.gate,
        "plan": plan.model_dump(mode="json"),
        "hash": plan.hash,
        "people": [*rungs.first, *(who for who in joined if who not in rungs.first)],
        "needed": rule.needed,
        "level": int(level),
        "deadline": write_time(now + rule.wait),
        "deputy_after": rule.deputy_after.total_seconds(),
        "above_after": rule.above_joins.total_seconds(),
        "silence": "proceed" if rule.proceeds(recommended, level) else "stop",
        "requester": run.requester or run.state().requester,
        "excluded": sorted(excluded),
        "signed_by": run.booth.fingerprint,
        "locks_after": (run.journal.head(PEOPLE) or (0, ""))[0],
    }
    if glass is not None and rule.needed:
        body |= {"glass_after": glass.after.total_seconds(), "glass": list(glass.people)}
    run.record("asked", {**body, "seal": run.booth.mark_question(run.incident, body)})
    return fold_gates(run.entries())[run.id, plan.gate]


def _wait(run: Run, gate: Gate, rule: Rule, tell: Tell) -> Decision:
    page = _page(run, gate)
    run.mirror.show(f"plan-{gate.name}", "markdown", f"{gate.plan.as_markdown()}\n\n[Decide]({page})")
    run.mirror.ask(PrefectForm(run, gate, page))
    rungs = ladder(run.protocol, gate.level, gate.needed, gate.asked_at, gate.excluded)
    teller = Teller(run, tell, page)
    began, current, wake = time.monotonic(), gate, gate.asked_at
    seen: tuple[object, object] = (None, None)
    try:
        while True:
            now = utc_now()
            heads = (run.journal.head(run.incident), run.journal.head(PEOPLE))
            if heads == seen and now < wake:
                time.sleep(_LOOK_SECONDS)
                waited = time.monotonic() - began - rule.hold.total_seconds()
                if teller.idle and waited > (0 if run.mirror.has_listened else _HEARING_SECONDS):
                    raise ParkedError(gate.name, min(gate.deadline, _next_rung(current, rule, rungs)))
                continue
            seen, current = heads, fold_gates(run.entries())[run.id, gate.name]
            if not run.booth.is_ours(current):
                gate = _ask(run, gate.plan, rule)  # somebody wrote another question over ours
                continue
            decision = current.decision or settle(run.booth, current)
            if decision is None and now > current.deadline + _grace(current):
                decision = decide_by_silence(run.booth, current)
            if decision is not None:
                return decision
            _climb(run, current, rule, rungs, now)
            current = fold_gates(run.entries())[run.id, gate.name]
            teller.tell(current, news_for(run, current))
            wake = min(current.deadline + _grace(current), _next_rung(current, rule, rungs))
    finally:
        teller.close()


def _grace(gate: Gate) -> timedelta:
    """Return how long after the deadline an answer that was given in time may still be on its way to the record."""
    return min(timedelta(seconds=3), (gate.deadline - gate.asked_at) / 10)


def _page(run: Run, gate: Gate) -> str:
    return f"{run.settings.address}/decide/{run.incident}/{run.id}/{gate.name}"


def _climb(run: Run, gate: Gate, rule: Rule, rungs: Ladder, now: datetime) -> None:
    """Ask the rungs whose time has come, and remind everybody who has not answered."""
    waited = now - gate.asked_at
    for name, people, after in _rungs(rule, rungs):
        fresh = [who for who in people if who not in gate.people]
        if fresh and waited >= after:
            because = f"no answer for {timedelta(seconds=round(waited.total_seconds()))}"
            body = {"gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as, "rung": name}
            run.record("escalated", {**body, "people": fresh, "because": because})
            return
    due = gate.reminded
    while waited >= _reminder(rule, due + 1):
        due += 1
    if due > gate.reminded:  # after a long absence of ours one, and not one for each that was missed
        body = {"gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
        run.record("reminded", {**body, "number": due})


def _reminder(rule: Rule, number: int) -> timedelta:
    """Return when a reminder is due: each wait is twice the one before, so that days do not mean hundreds."""
    return float(2**number - 1) * rule.remind_every


def _rungs(rule: Rule, rungs: Ladder) -> list[tuple[str, tuple[str, ...], timedelta]]:
    asked = [
        (f"deputies {number}" if number > 1 else "deputies", people, number * rule.deputy_after)
        for number, people in enumerate(rungs.deputies, 1)
    ]
    return [*asked, ("the level above", rungs.above, rule.above_joins)]


def _next_rung(gate: Gate, rule: Rule, rungs: Ladder) -> datetime:
    """Return when the ladder goes on: a run that was put aside must be back by then."""
    asked = [after for _, people, after in _rungs(rule, rungs) if not set(people) <= set(gate.people)]
    return gate.asked_at + min([*asked, _reminder(rule, gate.reminded + 1)])
