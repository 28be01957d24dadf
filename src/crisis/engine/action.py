"""Action: a change to the world that is authorised, decided, recorded, repeatable and proved."""

import hashlib
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext
from pydantic import SecretBytes, SecretStr, TypeAdapter

from crisis.domain.change import Change
from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.entry import Entry, canonical
from crisis.domain.mandate import why_void
from crisis.domain.plan import Plan, Step
from crisis.domain.protocol import Gate as Rule
from crisis.domain.protocol import GateKind, Protocol
from crisis.domain.redaction import Mask
from crisis.engine.masked import MaskedErrors
from crisis.engine.run import Run, current_run
from crisis.errors import (
    CrisisError,
    DriftError,
    FencedError,
    JournalError,
    TransientError,
    UnauthorisedError,
    UnprovenError,
)

__all__ = [
    "ACTIONS",
    "RETRIES",
    "ActionSpec",
    "action",
    "attempt",
    "past",
    "retried",
    "step",
    "strictest_rule",
    "who_is_excluded",
]

P = ParamSpec("P")
T = TypeVar("T")

RETRIES = (0.2, 0.8, 2.0)
"""Seconds between the tries of a transient error."""

_ANY: TypeAdapter[Any] = TypeAdapter(Any)
_call: ContextVar[str] = ContextVar("crisis_call")


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """What an action declares about itself."""

    name: str
    kind: GateKind
    needs: tuple[str, ...]
    undo: str
    measure: bool
    repeatable: bool
    run: Callable[..., Change]


ACTIONS: dict[str, ActionSpec] = {}
"""Every action by name: what a plan's step may name."""


def action(
    *, kind: GateKind, needs: tuple[str, ...], undo: str, measure: bool = False, repeatable: bool = True
) -> Callable[[Callable[P, Change]], Callable[P, Change]]:
    """
    Make a function an action. It must look first, change only the difference, look again, and return a Change.

    kind        contain, inform, restore or destroy: protocol.yaml says who decides on each kind.
    needs       the permissions it uses, as `vendor:permission`.
    undo        the action that takes it back, or `none`.
    measure     it stands until it is undone.
    repeatable  it converges; otherwise a crash in the middle is put before a human.
    """

    def make(function: Callable[P, Change]) -> Callable[P, Change]:
        name = function.__name__

        @wraps(function)
        def performed(*args: P.args, **kwargs: P.kwargs) -> Change:
            return _perform(spec, function, _bind(function, args, kwargs))

        as_task = retried(performed)

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> Change:
            digest = hashlib.sha256(canonical(_bind(function, args, kwargs)).encode()).hexdigest()
            # Named outside the task: a retry inside is the same call.
            token = _call.set(current_run().next_call(name, digest))
            try:
                return as_task(*args, **kwargs)
            finally:
                _call.reset(token)

        spec = ActionSpec(name, kind, needs, undo, measure, repeatable, called)
        ACTIONS[name] = spec
        return called

    return make


def past(act: Callable[..., Change], *arguments: Any) -> list[Entry]:
    """Return what the incident has of calls of an action with these arguments, by whatever run and try."""
    digest = hashlib.sha256(canonical(_bind(act, arguments, {})).encode()).hexdigest()[:16]
    mark = f":{act.__name__}:{digest}:"
    return [entry for entry in current_run().entries() if mark in str(entry.body.get("call", ""))]


def step(act: Callable[..., Change], *, now: str, wanted: str, **arguments: Any) -> Step:
    """Describe a call of an action for a plan; what is approved is exactly what will be called."""
    spec = ACTIONS[act.__name__]
    bound = _bind(act, (), arguments)
    return Step(action=spec.name, target=_target(bound), arguments=bound, now=now, wanted=wanted, undo=spec.undo)


def attempt(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """
    Try an action or a look whose failure must not stop the playbook, such as a message.

    The failure stands in the journal; None is returned. Without a journal, or fenced off, the run stops all the same.
    """
    try:
        return work(*args, **kwargs)
    except JournalError:
        raise  # fenced off, or nothing can be recorded: then nothing may be done either
    except CrisisError:
        return None


def retried(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function a Prefect task that is tried again after a TransientError, never cached, never stored."""

    @wraps(function)
    def masked(*args: P.args, **kwargs: P.kwargs) -> T:
        with MaskedErrors():
            return function(*args, **kwargs)

    return task(
        name=function.__name__,
        # No tags: Prefect asks its API for a concurrency slot before each tagged task, so the API being slow
        # or away would hold up a crisis.
        retries=len(RETRIES),
        retry_delay_seconds=list(RETRIES),
        retry_jitter_factor=0.3,
        retry_condition_fn=_is_transient,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(masked)


def _is_transient(_task: Any, _run: Any, state: Any) -> bool:
    return isinstance(state.result(raise_on_failure=False), TransientError)


def _bind(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    for name, value in bound.arguments.items():
        if isinstance(value, SecretStr | SecretBytes):
            raise UnauthorisedError(f"{function.__name__}({name})", wanted="no secret in an argument", saw="one")
    plain: dict[str, Any] = _ANY.dump_python(dict(bound.arguments), mode="json")
    # A secret that came in for a name is gone here: plan, decision, call and record then say the same.
    masked: dict[str, Any] = Mask().within(plain)
    return masked


def _target(arguments: dict[str, Any]) -> str:
    return str(next(iter(arguments.values()), ""))


def _perform(spec: ActionSpec, function: Callable[..., Change], arguments: dict[str, Any]) -> Change:
    run, call = current_run(), _call.get()
    about = {"action": spec.name, "target": _target(arguments), "call": call}
    recorded = run.journal.recorded(run.incident, f"outcome:{call}")
    if recorded is not None:
        body = recorded.body
        state = "done" if recorded.kind == "done" else "none"
        return Change(target=body["target"], state=state, note=body["note"], facts=body["facts"])
    with _failures_recorded(run, about):
        _check_authority(run, spec, about["target"])
        _check_decision(run, spec, arguments, about)
    _check_repeat(run, spec, call)
    run.record("intended", {**about, "seal": run.booth.mark_beginning(call)})
    began = time.monotonic()
    with _failures_recorded(run, about):
        change = function(**arguments)
    took = round(time.monotonic() - began, 3)
    facts = {"note": change.note, "facts": change.facts, "seconds": took, "measure": spec.measure, "undo": spec.undo}
    run.record(change.state, {**about, "target": change.target, **facts}, key=f"outcome:{call}")
    return change


@contextmanager
def _failures_recorded(run: Run, about: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except FencedError:
        raise
    except CrisisError as error:
        context = TaskRunContext.get()
        tries = context.task_run.run_count if context is not None else len(RETRIES) + 1
        again = isinstance(error, TransientError) and tries <= len(RETRIES)
        body = {**about, "error": str(error), "error_kind": type(error).__name__}
        run.record("retrying" if again else "failed", body)
        raise


def _check_authority(run: Run, spec: ActionSpec, target: str) -> None:
    level = run.state().level
    if spec.name in run.protocol.levels[level].authorised:
        return
    other = run.protocol.level_that_authorises(spec.name)
    then = f"{other.title} would authorise it" if other else "no level authorises it"
    raise UnauthorisedError(f"{spec.name} {target}", wanted="an authorised action", saw=level.title, then=then)


def strictest_rule(protocol: Protocol, plan: Plan) -> Rule:
    """Return the strictest of the gates that the plan's steps need, whatever their order."""
    kinds = {ACTIONS[step.action].kind for choice in plan.choices for step in choice.steps}
    rules = [protocol.gates[kind] for kind in kinds]
    return max(rules, key=lambda one: (one.needed, not one.proceed_on_silence, -one.wait))


def who_is_excluded(run: Run) -> set[str]:
    """Return who cannot decide on any plan of a run: who started it, or the incident, by the name of the human."""
    names = (run.requester, run.state().requester)
    return {run.protocol.person(name) or name for name in names if name}


def _check_decision(run: Run, spec: ActionSpec, arguments: dict[str, Any], about: dict[str, str]) -> None:
    """
    Refuse what no decision covers, and what is covered by one that does not hold.

    It counts nothing but the plan, the votes and protocol.yaml: Resume in Prefect, or an entry that says `decided`,
    proves nothing. DriftError where asking again is all that is needed.
    """
    if run.protocol.gates[spec.kind].needed == 0:
        return
    entries = run.entries()
    begun = any(
        entry.kind == "intended" and run.booth.has_begun(about["call"], str(entry.body.get("seal", "")))
        for entry in entries
    )
    target = f"{spec.name} {about['target']}"
    for gate in fold_gates(entries).values():
        steps = gate.decision.steps if gate.run == run.id and gate.decision is not None else ()
        if not any(planned.action == spec.name and planned.arguments == arguments for planned in steps):
            continue
        because = why_not_carried(run, gate, begun=begun)
        if because is None:
            return
        raise DriftError(target, wanted="a decision that holds", saw=because, then="the question is put again")
    wanted = "a decision that covers exactly this"
    raise UnauthorisedError(target, wanted=wanted, saw="none", then="ask for it at a gate")


def why_not_carried(run: Run, gate: Gate, *, begun: bool = False) -> str | None:
    """Say why the decision on record does not carry the plan of its question, or None when it does."""
    if gate.decision is None or not run.booth.is_ours(gate):
        return "the question was not asked like this"
    if gate.decision.outcome == "silence: proceed" and not run.booth.is_our_silence(gate):
        return "nobody of ours found that the time to answer was over"
    return why_void(
        run.protocol,
        strictest_rule(run.protocol, gate.plan),
        gate,
        gate.decision,
        level=run.state().level,
        excluded=who_is_excluded(run),
        votes=run.booth.votes(gate),
        now=utc_now(),
        begun=begun,
    )


def _check_repeat(run: Run, spec: ActionSpec, call: str) -> None:
    if spec.repeatable:
        return
    mine = [entry for entry in run.entries() if entry.body.get("call") == call]
    if mine and mine[-1].kind == "intended":
        then = "look at the target by hand, then decide"
        raise UnprovenError(spec.name, wanted="to know whether it ran", saw="a crash in the middle of it", then=then)
