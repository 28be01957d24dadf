"""Question: a plan put before people, the ladder it climbs, and the wait for their decision."""

import time
from datetime import datetime, timedelta

from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Decision, Gate, fold_gates
from crisis.domain.mandate import Ladder, ladder
from crisis.domain.person import PEOPLE
from crisis.domain.plan import Plan
from crisis.domain.protocol import Gate as Rule
from crisis.engine.action import who_is_excluded
from crisis.engine.form import PrefectForm
from crisis.engine.notices import Tell, Teller, news_for
from crisis.engine.run import ParkedError, Run
from crisis.engine.votes import decide_by_silence, settle
from crisis.errors import ProtocolError
from crisis.settings import new_token

__all__ = ["ask", "climb", "page_of", "wait"]

_LOOK_SECONDS = 0.1
_HEARING_SECONDS = 60.0
"""How much longer a run stays where Prefect does not say what was filled in: that may be the very answer."""


def ask(run: Run, plan: Plan, rule: Rule) -> Gate:
    """Put a plan before the first rung of the ladder; ProtocolError where there is nobody to ask."""
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


def wait(run: Run, gate: Gate, rule: Rule, tell: Tell) -> Decision:
    """Wait for people, or for what their silence means. Raises ParkedError once the run need not hold a process."""
    page = page_of(run, gate)
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
                gate = ask(run, gate.plan, rule)  # somebody wrote another question over ours
                continue
            decision = current.decision or settle(run.booth, current)
            if decision is None and now > current.deadline + _grace(current):
                decision = decide_by_silence(run.booth, current)
            if decision is not None:
                return decision
            climb(run, current, rule, rungs, now)
            current = fold_gates(run.entries())[run.id, gate.name]
            teller.tell(current, news_for(run, current))
            wake = min(current.deadline + _grace(current), _next_rung(current, rule, rungs))
    finally:
        teller.close()


def _grace(gate: Gate) -> timedelta:
    """Return how long after the deadline an answer that was given in time may still be on its way to the record."""
    return min(timedelta(seconds=3), (gate.deadline - gate.asked_at) / 10)


def page_of(run: Run, gate: Gate) -> str:
    """Return the address at which a question is answered."""
    return f"{run.settings.address}/decide/{run.incident}/{run.id}/{gate.name}"


def climb(run: Run, gate: Gate, rule: Rule, rungs: Ladder, now: datetime) -> None:
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
