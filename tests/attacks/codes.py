"""Codes: proofs of identity that are stolen, stale, guessed or somebody else's."""

from datetime import timedelta

from crisis.domain.decision import Gate
from crisis.domain.person import LOCK, PEOPLE, STRIKES
from crisis.engine.form import PrefectForm
from tests.attacks.case import Case, case
from tests.attacks.ground import INCIDENT, OTHER, Ground, two_ways

__all__ = ["CODES"]

CODES: list[Case] = []
USED = "this code was used already; wait for the next one"
WRONG = "wrong or outdated code"


@case(CODES, "a code that served at another incident", USED)
def _other_incident(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(ground.question(OTHER), "ada")
        ground.vote(gate, "ada", code=ground.code("ada") if bad else None)

    ground.play(at_first)


@case(CODES, "a code that served at another gate", USED)
def _other_gate(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(ground.question(INCIDENT, "elsewhere"), "ada")
        ground.vote(gate, "ada", code=ground.code("ada") if bad else None)

    ground.play(at_first)


@case(CODES, "a code that served here, to change the answer", USED)
def _this_gate(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada", "other")
        ground.vote(gate, "ada", "go", code=ground.code("ada") if bad else None)
        ground.vote(gate, "ben", "go")

    ground.play(at_first)


@case(CODES, "a code by a clock ten minutes late", "and your phone's clock is minutes off")
def _late(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", code=ground.code("ada", ago=600 if bad else 0)))


@case(CODES, "a code by a clock ten minutes early", "and your phone's clock is minutes off")
def _early(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", code=ground.code("ada", ago=-600 if bad else 0)))


@case(CODES, "a code a minute old", WRONG)
def _stale(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", code=ground.code("ada", ago=60 if bad else 30)))


@case(CODES, "somebody else's code", WRONG)
def _other_phone(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", owner="ben" if bad else "ada"))


@case(CODES, "no code at all", WRONG)
def _none(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "ada", code="" if bad else ground.code("ada")))


@case(CODES, "the right code in digits of another script", WRONG)
def _other_digits(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        code = ground.code("ada")
        ground.vote(gate, "ada", code="".join(chr(0xFF10 + int(digit)) for digit in code) if bad else code)

    ground.play(at_first)


@case(CODES, "every wrong code up to the right one", "locked after 5 wrong codes")
def _guessed(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        for _ in range(STRIKES if bad else STRIKES - 1):
            ground.vote(gate, "ada", code="000000x")
        ground.vote(gate, "ada")

    ground.play(at_first)


@case(CODES, "the right code a second before the lock ends", "locked after 5 wrong codes")
def _locked(ground: Ground, bad: bool) -> None:
    ground.data["gates"]["restore"]["wait"] = "40m"

    def at_first(gate: Gate) -> None:
        for _ in range(STRIKES):
            ground.vote(gate, "ada", code="000000x")
        last = [entry for entry in ground.journal.entries(PEOPLE) if entry.kind == "code refused"][-1]
        ground.clock.now = last.time + LOCK - timedelta(seconds=1 if bad else 0)
        ground.vote(gate, "ada", code=ground.code("ada"))

    ground.play(at_first)


@case(CODES, "guesses spread over two incidents", "locked after 5 wrong codes")
def _spread(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        there = ground.question(OTHER)
        for number in range(STRIKES if bad else STRIKES - 1):
            ground.vote(gate if number % 2 else there, "ada", code="000000x")
        ground.vote(gate, "ada")

    ground.play(at_first)


@case(CODES, "guesses under her other names", "locked after 5 wrong codes")
def _names(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        names = ("ada", "ADA", "ada-admin", "Ada Okafor", "+15005550101")
        for name in names if bad else names[1:]:
            ground.vote(gate, name, code="000000x")
        ground.vote(gate, "ada")

    ground.play(at_first)


@case(CODES, "a Prefect form with a wrong code", WRONG)
def _form_wrong(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        fields = {"who": "ada", "decision": "go", "code": "000000" if bad else ground.code("ada")}
        settled = PrefectForm(ground.run(), gate, "http://crisis.test").answer(fields)
        assert settled is not bad

    ground.play(at_first)


@case(CODES, "Resume in the Prefect UI without an answer", "'' is no answer to this")
def _form_empty(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        fields = {"who": "ada", "decision": "go", "code": ground.code("ada"), "reason": None}
        settled = PrefectForm(ground.run(), gate, "http://crisis.test").answer({} if bad else fields)
        assert settled is not bad

    ground.play(at_first)


@case(CODES, "a passkey's assertion that is none", "what the passkey sent cannot be read")
def _passkey(ground: Ground, bad: bool) -> None:
    ground.data["people"]["ada"]["proof"]["passkeys"] = True
    ground.play(lambda gate: ground.vote(gate, "ada", passkey='{"credential": {}}' if bad else ""))
