"""Gate: a plan, the people who must decide, and what their silence means. Returns only with a decision on record."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crisis.domain.change import Change
from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Decision, Gate, fold_gates
from crisis.domain.plan import Plan
from crisis.domain.protocol import Gate as Rule
from crisis.domain.protocol import Protocol
from crisis.engine.action import ACTIONS, attempt
from crisis.engine.run import Run, current_run
from crisis.engine.votes import NO, Answer, cast, decide_by_protocol, decide_by_silence, settle
from crisis.errors import DeclinedError, DriftError, ProtocolError, UnprovenError

__all__ = ["Tell", "approve", "carry_out"]

Tell = Callable[[str, str, str, int], Change]
"""An action that asks one person: who, the plan's title, the decision page, and which question it is."""

_LOOK_SECONDS = 0.1
_PLANS_AT_MOST = 5


def carry_out(gate: str, plan_for: Callable[[], Plan], tell: Tell) -> Change:
    """
    Plan, ask, and do exactly what was decided; when the world moved meanwhile, plan and ask again.

    Returns the change that the last step of the chosen way made. A run that was killed in the middle goes on with
    the decision it was carrying out.
    Raises DeclinedError on a no or a silence that means stop, and what the actions raise.
    """
    run = current_run()
    for _ in range(_PLANS_AT_MOST):
        decision = _under_way(run, gate) or approve(plan_for(), tell)
        try:
            changes = [ACTIONS[planned.action].run(**planned.arguments) for planned in decision.steps]
        except DriftError as drift:
            run.record("drifted", {"gate": gate, "hash": decision.plan.hash, "says": str(drift)})
            continue
        return changes[-1]
    raise UnprovenError(f"gate {gate}", wanted="a world that holds still", saw=f"{_PLANS_AT_MOST} plans overtaken")


def approve(plan: Plan, tell: Tell) -> Decision:
    """
    Ask the decision makers and wait for their decision on this very plan.

    Raises DeclinedError when they say no, or when their silence means stop.
    """
    run = current_run()
    rule = _rule_for(run.protocol, plan)
    gate = _gate_of(run, plan)
    if gate is None or _tried_again(run, gate):
        gate = _ask(run, plan, rule)
    decision = gate.decision or (_wait(run, gate, rule, tell) if gate.needed else decide_by_protocol(run.journal, gate))
    run.mirror.answered()
    if decision.goes_ahead:
        return decision
    who = " and ".join(decision.by) or "silence"
    raise DeclinedError(plan.title, wanted="a yes", saw=f"{decision.outcome} ({who})", then=plan.on_no)


def _rule_for(protocol: Protocol, plan: Plan) -> Rule:
    kinds = {ACTIONS[step.action].kind for choice in plan.choices for step in choice.steps}
    # The strictest counts, whatever the order of the set.
    return max((protocol.gates[kind] for kind in kinds), key=lambda one: (one.needed, one.silence == "stop", -one.wait))


def _gate_of(run: Run, plan: Plan) -> Gate | None:
    gate = fold_gates(run.entries()).get((run.id, plan.gate))
    return gate if gate is not None and gate.plan.hash == plan.hash else None


def _tried_again(run: Run, gate: Gate) -> bool:
    """Whether the run ended on a no or on silence, and somebody started it again: then the question is put anew."""
    decision = gate.decision
    if decision is None or decision.goes_ahead:
        return False
    return any(entry.kind == "ended" and entry.run == run.id and entry.seq > decision.seq for entry in run.entries())


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
    state = run.state()
    started = _starters(run)
    makers = run.protocol.levels[state.level].decision_makers
    people = [who for who in makers if who not in started]
    if len(people) < max(rule.needed, 1):
        people += _deputies(run.protocol, makers, started)
    if not people:
        raise ProtocolError(f"gate {plan.gate}", wanted="somebody to ask", saw="only the one who started the run")
    run.record(
        "asked",
        {
            "gate": plan.gate,
            "plan": plan.model_dump(mode="json"),
            "hash": plan.hash,
            "people": people,
            "needed": rule.needed,
            "deadline": write_time(utc_now() + rule.wait),
            "deputy_after": rule.deputy_after.total_seconds(),
            "silence": rule.silence,
            "requester": run.requester or state.requester,
        },
    )
    return fold_gates(run.entries())[run.id, plan.gate]


def _starters(run: Run) -> set[str]:
    """Return who started the incident or this run: they do not decide on it."""
    return {run.requester, run.state().requester} - {""}


def _deputies(protocol: Protocol, people: Iterable[str], started: set[str]) -> list[str]:
    found: list[str] = []
    for who in people:
        deputy = protocol.people[who].deputy
        if deputy and deputy not in found and deputy not in people and deputy not in started:
            found.append(deputy)
    return found


def _wait(run: Run, gate: Gate, rule: Rule, tell: Tell) -> Decision:
    page = f"{run.settings.address}/decide/{run.incident}/{run.id}/{gate.name}"
    run.mirror.show(f"plan-{gate.name}", "markdown", f"{gate.plan.as_markdown()}\n\n[Decide]({page})")
    run.mirror.ask(_PrefectForm(run, gate, page))
    told: set[str] = set()
    while True:
        current = fold_gates(run.entries())[run.id, gate.name]
        decision = current.decision or settle(run.journal, current)
        if decision is not None:
            return decision
        if utc_now() > current.deadline:
            return decide_by_silence(run.journal, current)
        if _tell_next(current, tell, told, page):
            continue
        _escalate(run, current, rule, utc_now())
        time.sleep(_LOOK_SECONDS)


def _tell_next(gate: Gate, tell: Tell, told: set[str], page: str) -> bool:
    """Tell one person who does not know yet, then let the caller look again: an answer may be there already."""
    for who in gate.people:
        if who not in told:
            told.add(who)
            attempt(tell, who, gate.plan.title, page, gate.asked_as)
            return True
    return False


def _escalate(run: Run, gate: Gate, rule: Rule, now: datetime) -> None:
    if now < gate.asked_last + rule.deputy_after:
        return
    deputies = [who for who in _deputies(run.protocol, gate.people, _starters(run)) if who not in gate.people]
    if deputies:
        waited = timedelta(seconds=round((now - gate.asked_at).total_seconds()))
        body = {"gate": gate.name, "hash": gate.plan.hash, "people": deputies, "because": f"no answer for {waited}"}
        run.record("escalated", body)


@dataclass
class _PrefectForm:
    """The question as the Prefect UI's resume form. Its answer is a vote like any other."""

    run: Run
    gate: Gate
    page: str

    @property
    def key(self) -> str:
        return f"{self.gate.name}-{self.gate.plan.hash[:12]}"

    @property
    def description(self) -> str:
        return f"{self.gate.plan.as_markdown()}\n\nOr decide on [the decision page]({self.page})."

    @property
    def schema(self) -> dict[str, Any]:
        answers = [choice.name for choice in self.gate.plan.choices] + [NO]
        fields = {
            "decision": {"title": "Decision", "type": "string", "enum": answers, "position": 0},
            "who": {"title": "Who are you?", "type": "string", "enum": self.gate.people, "position": 1},
            "code": {
                "title": "One-time code",
                "type": "string",
                "pattern": "^[0-9]{6,8}$",
                "description": "From your authenticator. Resume without a right code decides nothing.",
                "position": 2,
            },
            "reason": {"title": "Reason", "type": "string", "default": "", "position": 3},
        }
        return {"title": "Decision", "type": "object", "properties": fields, "required": ["decision", "who", "code"]}

    def answer(self, fields: Mapping[str, Any]) -> bool:
        """Cast the vote; False when it was refused or more people are needed."""
        said = Answer(
            who=str(fields.get("who", "")),
            answer=str(fields.get("decision", "")),
            code=str(fields.get("code", "")),
            reason=str(fields.get("reason") or ""),
            how="Prefect form",
        )
        return isinstance(cast(self.run.journal, self.run.protocol, self.gate, said), Decision)
