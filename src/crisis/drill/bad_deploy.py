"""Bad deploy: a developer pushes a release that passes its tests and breaks the checkout; the prober sees it."""

from rich.table import Table

from crisis.domain.decision import Gate
from crisis.domain.entry import Entry
from crisis.domain.incident import RECOVERED
from crisis.domain.scorecard import fold_scorecard
from crisis.drill.people import Authenticator
from crisis.drill.rehearsal import Outcome
from crisis.drill.show import scorecard_table
from crisis.drill.stack import Stack
from crisis.sandbox.world import World

__all__ = ["BadDeploy"]

_SHOPPERS_PER_SECOND = 4


class BadDeploy:
    """The shop breaks while shoppers come."""

    says = "a developer pushes a release that passes its tests and breaks the checkout"
    waits = "the release goes out; the prober watches"

    gives_up_after = 180

    def __init__(self, world: World) -> None:
        self.world = world

    def begin(self, stack: Stack, phones: Authenticator) -> None:  # noqa: ARG002 - nobody needs one but to decide
        """Push the bad release."""
        self.world.alert(f"{stack.receiver}/alerts/alertmanager")
        self.world.shoppers(_SHOPPERS_PER_SECOND)
        self.world.push_bad_release()

    def choose(self, gate: Gate) -> tuple[str, str]:
        """Choose what the playbook recommends."""
        return gate.plan.choices[0].name, "The plan is clear, the good release is known."

    def hear(self, entry: Entry) -> None:
        """Do nothing: there is no work for people in it but deciding."""

    def finish(self) -> None:
        """Wait until shoppers buy again, so that the count of those who could not is final."""
        before = self.world.state()["shoppers"]["ok"]
        self.world.wait_until(lambda state: state["shoppers"]["ok"] > before, seconds=15)

    def sum_up(self, outcome: Outcome) -> Table:
        """Lay out the scorecard."""
        shoppers = outcome.world["shoppers"]
        score = fold_scorecard(outcome.entries)
        return scorecard_table(score, shoppers["failed"], shoppers["turned_away"], shoppers["ok"])

    def is_good(self, outcome: Outcome) -> bool:
        """Whether the shop recovered."""
        return fold_scorecard(outcome.entries).outcome == RECOVERED
