"""A story: the entries of one incident, chained as the journal would chain them, without a store."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from crisis.domain.clock import write_time
from crisis.domain.entry import Entry, entry_hash, first_link
from crisis.domain.plan import Choice, Plan, Step

__all__ = ["INCIDENT", "RUN", "START", "Story", "a_bad_deploy", "a_plan"]

INCIDENT = "INC-20261124-3f9a2c"
RUN = "0f2b9c1e-7a40-4f7e-9a57-3f0d1c9b2e11"
START = datetime(2026, 11, 24, 3, 12, 7, 250_000, tzinfo=UTC)


class Story:
    """Entries told one after the other, each so many seconds after the first."""

    def __init__(self, incident: str = INCIDENT, start: datetime = START) -> None:
        self.incident, self.start = incident, start
        self.entries: list[Entry] = []

    def tell(self, after: float, kind: str, actor: str = "responder", **body: Any) -> None:
        """Add an entry."""
        prev = self.entries[-1].hash if self.entries else first_link(self.incident)
        fields: dict[str, Any] = {
            "incident": self.incident,
            "seq": len(self.entries) + 1,
            "at": write_time(self.start + timedelta(seconds=after)),
            "kind": kind,
            "actor": actor,
            "body": body,
            "key": None,
            "prev": prev,
        }
        self.entries.append(Entry(**fields, hash=entry_hash(fields)))

    def act(self, begin: float, end: float, action: str, note: str, target: str = "shop", **more: Any) -> None:
        """Add both ends of a call that worked."""
        call = f"{action}-{len(self.entries)}"
        self.tell(begin, "intended", run=RUN, action=action, target=target, call=call)
        more = {"measure": False, "undo": "none", "facts": {}, **more}
        self.tell(end, "done", run=RUN, action=action, target=target, call=call, note=note, seconds=end - begin, **more)

    def ask(self, after: float, plan: Plan, wait: float = 900, **more: Any) -> None:
        """Ask ada and ben for a plan."""
        body: dict[str, Any] = {"people": ["ada", "ben"], "needed": 1, "silence": "stop", "requester": "", **more}
        deadline = write_time(self.start + timedelta(seconds=after + wait))
        told: Mapping[str, Any] = plan.model_dump(mode="json")
        self.tell(after, "asked", run=RUN, gate=plan.gate, plan=told, hash=plan.hash, deadline=deadline, **body)

    def decide(self, after: float, plan: Plan, who: str, answer: str, reason: str = "") -> None:
        """Add the answer of one person and the decision it makes."""
        where = {"run": RUN, "gate": plan.gate, "hash": plan.hash}
        outcome = "declined" if answer == "no" else "approved"
        self.tell(after, "voted", who, **where, answer=answer, reason=reason, how="page")
        chosen = "" if answer == "no" else answer
        self.tell(after, "decided", who, **where, outcome=outcome, choice=chosen, by=[who], reason=reason)


def a_plan(title: str = "Take release 4f2c back?") -> Plan:
    """Return a plan with two ways to go."""
    undo = "merge the release again once it is mended"
    revert = Step(
        action="revert_release",
        target="shop",
        arguments={"commit": "4f2c81d"},
        now="4f2c81d “Bundle hint” serves, checkout answers 500",
        wanted="a new commit on main that takes 4f2c81d back, released",
        undo=undo,
    )
    roll = revert.model_copy(
        update={
            "action": "roll_back_release",
            "wanted": "the build of 91be02a serves; main stays as it is",
            "undo": "release main again",
        }
    )
    return Plan(
        gate="revert",
        title=title,
        choices=(
            Choice(name="revert", summary="Revert the commit and let the pipeline release it.", steps=(revert,)),
            Choice(name="roll-back", summary="Switch to the build before; main keeps the bad commit.", steps=(roll,)),
        ),
        blast_radius=("All customers of shop: bundle hints disappear", "No data is changed", "5 commits stay"),
        notes=("Fix forward was refused: more than one line would change", "The last healthy release is 91be02a"),
        takes=timedelta(seconds=40),
        on_no="The shop stays on the maintenance page and the run ends; people go on by hand.",
    )


def a_bad_deploy(*, until: str = "ended", start: datetime = START) -> Story:
    """Tell a whole bad deploy; `until` is the kind after which the story stops."""
    story = Story(start=start)
    opened = {"service": "shop", "playbook": "bad-deploy", "source": "alert:alertmanager", "requester": ""}
    summary = "checkout answers 500 to every customer"
    labels = {"alertname": "JourneyFailing", "severity": "critical", "journey": "checkout"}
    story.tell(0, "opened", "alertmanager", **opened, summary=summary, drill=False)
    story.tell(0.01, "level", level=1, because="a primary journey fails: checkout")
    story.tell(0.02, "alert", "alertmanager", sender="alertmanager", status="firing", labels=labels, summary=summary)
    story.tell(0.4, "started", run=RUN, playbook="bad-deploy", start=1)
    story.act(0.5, 0.9, "start_maintenance", "the maintenance page is up", measure=True, undo="end_maintenance")
    story.act(1.0, 1.6, "freeze_deployments", "no release gets through", measure=True, undo="lift_freeze")
    story.tell(3.4, "seen", run=RUN, look="probe_journeys", target="shop", says="checkout fails: 500", seconds=1.5)
    story.act(3.6, 5.1, "notify_stakeholders", "2 told by SMS", target="ada, dan")
    story.tell(6.2, "seen", run=RUN, look="find_suspect", target="shop", says="4f2c81d is suspect", seconds=1.0)
    story.ask(7.0, a_plan())
    story.act(7.1, 7.8, "ask_decision_maker", "link sent", target="ada")
    if until == "ended":
        _go_on(story, labels, summary)
    return story


def _go_on(story: Story, labels: dict[str, str], summary: str) -> None:
    story.tell(127, "escalated", run=RUN, gate="revert", hash=a_plan().hash, people=["ben"], because="no answer yet")
    story.tell(150, "vote refused", "page", run=RUN, gate="revert", who="ada", because="wrong or outdated code")
    story.decide(171, a_plan(), "ada", "revert", "the safe way, main must be clean")
    story.tell(171.4, "intended", run=RUN, action="revert_release", target="shop", call="r1")
    story.tell(176, "retrying", run=RUN, action="revert_release", target="shop", call="r1", error="github: 502")
    story.tell(183, "started", run=RUN, playbook="bad-deploy", start=2)
    story.tell(183.2, "intended", run=RUN, action="revert_release", target="shop", call="r1")
    done: dict[str, Any] = {"measure": False, "undo": "none", "facts": {}, "seconds": 29.6}
    story.tell(201, "done", run=RUN, action="revert_release", target="shop", call="r1", note="8ab1 is live", **done)
    told = "20 rounds in a row, p95 84 ms"
    story.tell(232, "seen", run=RUN, look="verify_recovery", target="shop", says=told, seconds=24.0)
    story.act(233, 233.6, "end_maintenance", "customers are back")
    story.act(234, 234.5, "lift_freeze", "releases go out again")
    analysis = "### Why the tests passed\n\nNo test buys a bundle with one item."
    story.act(235, 251, "file_ticket", "ticket 17 filed", facts={"report": analysis})
    story.tell(240, "alert", "alertmanager", sender="alertmanager", status="resolved", labels=labels, summary=summary)
    story.tell(252, "ended", run=RUN, playbook="bad-deploy", outcome="recovered", says="every proof held")
