"""Plans: what was decided is stretched, outlived, or carried out in another world."""

from crisis.domain.decision import Gate
from tests.attacks.case import Case, case
from tests.attacks.ground import INCIDENT, Ground, Killed, two_ways

__all__ = ["PLANS"]

PLANS: list[Case] = []
NONE = "wanted a decision that covers exactly this, saw none; ask for it at a gate"


@case(PLANS, "an answer to the plan before", "the plan has changed since you opened it; read it again")
def _old_plan(ground: Ground, bad: bool) -> None:
    shown: list[Gate] = []

    def at_first(gate: Gate) -> None:
        shown.append(gate)
        ground.plan = two_ways(title="Touch it, after all?")
        ground.vote(gate, "ben", "change", reason="say it nicer")

    ground.play(at_first, lambda gate: ground.vote(shown[0] if bad else gate, "ada"))


@case(PLANS, "an answer a second too late", "the time to answer is over")
def _late(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.clock.now = gate.deadline
        ground.clock.advance(1 if bad else 0)
        ground.vote(gate, "ada", code=ground.code("ada"))

    ground.play(at_first)


@case(PLANS, "a decision that ran out before its steps began", "has run out; the question is put again")
def _outlived(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada")
        raise Killed

    ground.play(at_first)
    ground.clock.advance(61 * 60 if bad else 59 * 60)
    ground.play()


@case(
    PLANS, "a level raised between decision and action", "it was taken at Defcon 2 (degraded), and now it is Defcon 1"
)
def _raised(ground: Ground, bad: bool) -> None:
    ground.level = 2

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "cleo")
        if bad:
            ground.journal.append(INCIDENT, "level", "responder", {"level": 1, "because": "it spreads"})

    ground.play(at_first)


@case(PLANS, "an action the level does not authorise", "Defcon 2 (degraded) would authorise it")
def _unauthorised(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada")
        raise Killed

    ground.play(at_first)
    if bad:
        ground.data["levels"][1]["authorised"].remove("touch_release")
    ground.play()


@case(PLANS, "an argument that the plan does not have", NONE)
def _argument(ground: Ground, bad: bool) -> None:
    ground.approve(lambda gate: ground.vote(gate, "ada"), then=lambda _: None)
    ground.act(*(["everything"] if bad else ["a", "b"]))


@case(PLANS, "the same argument to another action", NONE)
def _other_action(ground: Ground, bad: bool) -> None:
    ground.approve(lambda gate: ground.vote(gate, "ada"), then=lambda _: None)
    ground.act("a", "b", action="burn_release" if bad else "touch_release")


@case(PLANS, "a step of the way that was not chosen", NONE, touches="a")
def _other_way(ground: Ground, bad: bool) -> None:
    ground.approve(lambda gate: ground.vote(gate, "ada"), then=lambda _: None)
    ground.act("c" if bad else "a")


@case(PLANS, "a step that was left out of the approval", NONE, touches="a")
def _left_out(ground: Ground, bad: bool) -> None:
    ground.approve(lambda gate: ground.vote(gate, "ada", steps=(0,)), then=lambda _: None)
    ground.act("b" if bad else "a")


@case(PLANS, "a step that just one of two approved", NONE, touches="a")
def _one_of_two(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada")
        ground.vote(gate, "ben", steps=(0,))

    ground.approve(at_first, then=lambda _: None)
    ground.act("b" if bad else "a", action="burn_release")


@case(PLANS, "a part of what belongs together", "the steps of go belong together", touches="a")
def _part(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways(severable=not bad)
    ground.play(lambda gate: ground.vote(gate, "ada", steps=(0,)))


@case(PLANS, "a step beyond the plan", "go has 2 steps, and you named another")
def _beyond(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", steps=(0, 2 if bad else 1)))


@case(PLANS, "a step before the plan", "go has 2 steps, and you named another")
def _before(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", steps=(0, -1 if bad else 1)))


@case(PLANS, "a yes to nothing", "choose at least one step, or say no")
def _nothing(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", steps=() if bad else None))


@case(PLANS, "no decision at all", NONE)
def _forgotten(ground: Ground, bad: bool) -> None:
    if not bad:
        ground.approve(lambda gate: ground.vote(gate, "ada"), then=lambda _: None)
    ground.act("a", "b")


@case(PLANS, "a decision that says no", NONE)
def _declined(ground: Ground, bad: bool) -> None:
    ground.approve(lambda gate: ground.vote(gate, "ada", "no" if bad else "go"), then=lambda _: None)
    ground.act("a", "b")


@case(PLANS, "an answer after the run has ended", "nothing waits for this answer")
def _ended(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        if bad:
            body = {"run": gate.run, "playbook": "attack", "outcome": "cancelled", "says": ""}
            ground.journal.append(INCIDENT, "ended", "responder", body)
        ground.vote(gate, "ada")

    ground.play(at_first)
