"""Who is asked at the gate, one rung after the other, and what happens where nobody is."""

from typing import Any

from tests.playbooks.conftest import Ground


def _nobody(protocol: dict[str, Any]) -> None:
    protocol["gates"]["restore"] = {"ask": "nobody"}


def _ladder(protocol: dict[str, Any]) -> None:
    protocol["levels"][1]["decision_makers"] = ["ada"]
    protocol["people"]["ada"]["deputy"] = "ben"
    protocol["people"]["ben"]["deputy"] = "cleo"
    del protocol["people"]["cleo"]["deputy"]
    protocol["gates"]["restore"] = {"ask": "decision maker", "deputy_after": "1s", "wait": "4s"}


def test_a_gate_that_asks_nobody_goes_ahead_on_record(broken: Ground) -> None:
    """Where protocol.yaml asks nobody about a kind, the plan is still made, recorded, and carried out."""
    broken.change(_nobody)

    error = broken.run()

    assert error is None
    assert [(one.actor, one.body["outcome"]) for one in broken.entries("decided")] == [("protocol", "approved")]


def test_each_rung_of_the_ladder_has_its_time(broken: Ground) -> None:
    """The deputy's deputy is asked only after the deputy had as long as the first."""
    broken.change(_ladder)

    broken.run()

    asked, *escalated = broken.entries("asked", "escalated")
    assert [one.body["people"] for one in escalated] == [["ben"], ["cleo"]]
    assert (escalated[0].time - asked.time).total_seconds() >= 1
    assert (escalated[1].time - asked.time).total_seconds() >= 2
