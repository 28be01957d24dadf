"""People: votes by those who may not decide, or not alone, or not now."""

from datetime import timedelta

from crisis.domain.decision import Gate
from tests.attacks.case import Case, Play, case
from tests.attacks.ground import Ground, Killed, two_ways

__all__ = ["PEOPLE"]

PEOPLE: list[Case] = []
OWN = "who started the run cannot approve it"
SILENCE = "silence: stop (silence)"
ACCOUNTS = {
    "short name": "ada",
    "name": "Ada Okafor",
    "name in capitals and without its space": "ADAOKAFOR",
    "name in full-width letters": "\uff21\uff44\uff41 \uff2f\uff4b\uff41\uff46\uff4f\uff52",
    "name with invisible signs": "a\u200bd\u00ada",
    "second account": "ada-admin",
    "e-mail": "Ada@Shop.example",
    "telephone number": "+15005550101",
    "Slack account": "U0SANDADA",
}


def _by_requester(account: str) -> Play:
    def plays(ground: Ground, bad: bool) -> None:
        ground.requester = "ada"
        ground.play(lambda gate: ground.vote(gate, account if bad else "ben", owner="ada" if bad else "ben"))

    return plays


def _started_as(account: str) -> Play:
    def plays(ground: Ground, bad: bool) -> None:
        ground.requester = account if bad else "cleo"
        ground.play(lambda gate: ground.vote(gate, "ada"))

    return plays


for _name, _account in ACCOUNTS.items():
    case(PEOPLE, f"the requester approves by her {_name}", OWN)(_by_requester(_account))
    case(PEOPLE, f"who started the run by her {_name} approves it", OWN)(_started_as(_account))


@case(PEOPLE, "who started the incident approves a later run", OWN)
def _started_incident(ground: Ground, bad: bool) -> None:
    ground.incident_requester = "ada"
    ground.play(lambda gate: ground.vote(gate, "ada" if bad else "ben"))


@case(PEOPLE, "one person by page and then by command line under an alias", SILENCE)
def _two_ways_in(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada", how="page")
        ground.vote(gate, "ada-admin" if bad else "ben", owner="ada" if bad else "ben", how="command line")

    ground.play(at_first)


@case(PEOPLE, "somebody who is away", "protocol.yaml says that ada is away until")
def _away(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        since = ground.clock.now + (timedelta() if bad else timedelta(hours=1))
        ground.data["people"]["ada"]["away"] = [{"from": since, "to": since + timedelta(days=1)}]
        ground.vote(gate, "ada")

    ground.play(at_first)


@case(PEOPLE, "somebody of another level", "'cleo' is not asked; asked are: ada, ben")
def _other_level(ground: Ground, bad: bool) -> None:
    ground.level = 1 if bad else 2
    ground.play(lambda gate: ground.vote(gate, "cleo"))


@case(PEOPLE, "somebody nobody knows", "'mallory' is not asked")
def _unknown(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.vote(gate, "mallory" if bad else "ada", owner="ada"))


@case(PEOPLE, "a deputy before it is their turn", "'ben' is not asked; asked are: cleo")
def _deputy(ground: Ground, bad: bool) -> None:
    ground.level = 2
    ground.data["levels"][2]["above"] = ["ada"]

    if bad:
        ground.play(lambda gate: ground.vote(gate, "ben"))
    else:
        ground.later.append((lambda gate: "ben" in gate.people, lambda gate: ground.vote(gate, "ben")))
        ground.play()


def _author(account: str) -> Play:
    def plays(ground: Ground, bad: bool) -> None:
        ground.plan = two_ways(authors=(account if bad else "cleo@shop.example", "somebody@elsewhere.example"))
        ground.play(lambda gate: ground.vote(gate, "ada"))

    return plays


for _name in ("name", "e-mail", "second account"):
    case(PEOPLE, f"the author of a fix, known by {_name}, approves it", "who wrote what go carries out cannot approve")(
        _author(ACCOUNTS[_name])
    )


def _glass(bad: dict[str, object], says: str, name: str) -> None:
    """Add a case in which two break glass, with something wrong about the second of them or the time."""

    def plays(ground: Ground, attack: bool) -> None:
        wrong = bad if attack else {}
        ground.requester = str(wrong.get("requester", ""))
        ground.data["people"]["dan"]["aliases"] = ["danny"]

        def at_first(gate: Gate) -> None:
            ground.clock.advance(float(str(wrong.get("after", 601))))
            ground.vote(gate, "cleo", glass=True)
            who = str(wrong.get("who", "dan"))
            if who:
                owner = str(wrong.get("owner", who))
                ground.vote(gate, who, owner=owner, glass=bool(wrong.get("glass", True)))

        ground.play(at_first)

    case(PEOPLE, name, says)(plays)


_glass({"who": ""}, SILENCE, "one person breaks glass")
_glass({"who": "Cleo Marchetti", "owner": "cleo"}, SILENCE, "one person breaks glass twice")
_glass({"after": 500}, "glass may be broken from", "two break glass too early")
_glass({"requester": "dan"}, OWN, "the requester breaks glass")
_glass({"who": "ben"}, "'ben' may not break glass; those who may: cleo, dan", "somebody else breaks glass")
_glass({"glass": False}, "'dan' is not asked", "one breaks glass and another decides")


@case(PEOPLE, "glass is broken where protocol.yaml lets nobody", "protocol.yaml lets nobody break glass")
def _no_rule(ground: Ground, bad: bool) -> None:
    if bad:
        del ground.data["break_glass"]

    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        for who in ("cleo", "dan"):
            ground.vote(gate, who, glass=True)

    ground.play(at_first)


@case(PEOPLE, "glass and a decision maker make one quorum", SILENCE)
def _mixed(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        ground.vote(gate, "ada")
        ground.vote(gate, "cleo" if bad else "ben", glass=bad)

    ground.play(at_first)


@case(PEOPLE, "broken glass after its quarter of an hour", "has run out; the question is put again")
def _old_glass(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        for who in ("cleo", "dan"):
            ground.vote(gate, who, glass=True)
        raise Killed

    ground.play(at_first)
    ground.clock.advance(16 * 60 if bad else 14 * 60)
    ground.play()
