"""Kill: the plan of every credential that ends, in the order in which they end, and once more after the hole."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from crisis.domain.change import Change
from crisis.domain.credential import Credential, Inventory, Scope
from crisis.domain.entry import Entry
from crisis.domain.plan import Choice, Plan
from crisis.engine.gate import carry_out
from crisis.engine.run import current_run
from crisis.errors import ProtocolError
from tasks.contain import matching
from tasks.hunt import Findings, successors
from tasks.inventory import not_listed, take_inventory
from tasks.kill_steps import Work, steps_of
from tasks.notify import ask_decision_maker

_EACH = timedelta(seconds=2)
_SHOWN = 8
_UNKNOWN = "it is in no list: find out whose it is and end it there"
_SESSION = "a session at AWS: CloudTrail says by this id whose; revoke the sessions of that role or user"
_OURS = {"fate": "by hand", "note": "crisis itself works with it: replace it by hand, last"}
_ON_NO = "what leaked stays contained, all else stays valid, and people are called to take over"


def plan_kill(found: Inventory, leaked: Iterable[str], scope: Scope) -> Plan:
    """
    Plan the end of every credential that the breach covers, and of all sessions of users.

    What leaked and stands in no list becomes a task: nobody here can end it, and it must not be forgotten. Raises
    ProtocolError where the scope starts from what leaked, and nothing is said to have leaked.
    """
    names = tuple(leaked)
    if not current_run().protocol.systems:
        then = "describe in protocol.yaml where credentials and sessions are"
        raise ProtocolError("systems", wanted="systems to end credentials in", saw="none", then=then)
    if scope != "everything" and not names:
        then = "say what leaked, or start it with the scope everything"
        raise ProtocolError(f"scope {scope}", wanted="a leaked credential to start from", saw="none", then=then)
    keys = matching(found, names)
    lost = [_unlisted(name) for name in names if not matching(found, [name])]
    lost += not_listed(found) if scope in ("reach", "everything") else []
    ours = [one.model_copy(update=_OURS) for one in found.credentials if one.ours and one.key in keys]
    return _plan("kill", "End what the intruder may hold", (*found.within(scope, keys), *lost, *ours), found)


def _unlisted(name: str) -> Credential:
    note = _SESSION if name.startswith("ASIA") else _UNKNOWN
    return Credential(system="unlisted", kind="leaked", name=name, fate="by hand", note=note)


def kill_again(
    found: Inventory, leaked: Iterable[str], scope: Scope, ended: list[Change], left: Findings
) -> list[Change]:
    """
    End what passed through the hole while it was open: successors, sessions, and what nobody knew before.

    Asks again, for it is another plan. Strangers are ended where the scope is everything; else they became tasks. Does
    nothing where nothing passed, and where an earlier try of this run has done and proved it.
    """
    made = successors(ended) | (set(left.strangers) if scope == "everything" else set())
    sessions = [one for one in found.within(scope, matching(found, leaked)) if one.kind == "role sessions"]
    # Asked already, it may have been killed once all that was new had died, with sessions still to end.
    if not (made or sessions or _is_asked_again()) or _is_proved_again():
        return []
    return carry_out("kill-again", lambda: _plan_again(found, made, sessions), ask_decision_maker, go_on=True)


def _is_asked_again() -> bool:
    run = current_run()
    return any(
        (entry.run, entry.kind, entry.body.get("gate")) == (run.id, "asked", "kill-again") for entry in run.entries()
    )


def _is_proved_again() -> bool:
    """Whether an earlier try of this run has carried the second plan out, and proved the end after it."""
    run = current_run()
    mine = [entry for entry in run.entries() if entry.run == run.id]
    over = max((entry.seq for entry in mine if entry.kind == "ended"), default=0)
    decided = [entry.seq for entry in mine if entry.kind == "decided" and entry.body["gate"] == "kill-again"]
    return any(_is_proof(entry) and decided and decided[-1] < entry.seq < over for entry in mine)


def _is_proof(entry: Entry) -> bool:
    return (entry.kind, entry.body.get("look"), entry.body.get("ok")) == ("seen", "verify_dead", True)


def _plan_again(found: Inventory, made: set[str], sessions: list[Credential]) -> Plan:
    now = take_inventory()
    covered = [one for one in now.credentials if one.alive and not one.ours and one.key in made]
    known = Inventory(taken_at=now.taken_at, credentials=(*found.credentials, *covered), unseen=now.unseen)
    title = "End what passed through the hole while it was open"
    return _plan("kill-again", title, [*covered, *sessions], known, turn=2)


def _plan(gate: str, title: str, covered: Sequence[Credential], known: Inventory, turn: int = 1) -> Plan:
    covered = _with_held(covered, known)
    steps = tuple(steps_of(Work(covered, known, turn)))
    users = sorted({user for one in covered for user in one.used_by})
    number, ours = len(covered), [one for one in known.credentials if one.ours]
    notes = [f"not seen, so not ended: {line}" for line in known.unseen]
    notes += [f"ours, to be replaced last by a person: {one.key}" for one in ours]
    return Plan(
        gate=gate,
        title=f"{title}: {number} credentials and every session",
        choices=(
            Choice(
                name="end them",
                summary="each is proved dead or becomes a task; what needs one gets another",
                steps=steps,
            ),
        ),
        blast_radius=(
            "every user is logged out",
            f"known to need one of them: {', '.join(users[:_SHOWN]) or 'nobody'}{' …' if len(users) > _SHOWN else ''}",
        ),
        notes=tuple(notes),
        takes=_EACH * max(number, 1),
        on_no=_ON_NO,
    )


def _with_held(covered: Sequence[Credential], known: Inventory) -> list[Credential]:
    """Add what the secrets among them keep: whoever may read one holds the key or the password that is in it."""
    kept = {key for one in covered if one.kind == "secret" for key in one.reach}
    there = {one.key for one in covered}
    held = [one for one in known.credentials if one.key in kept - there and one.alive and not one.ours]
    return [*covered, *held]
