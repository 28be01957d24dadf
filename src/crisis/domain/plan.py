"""Plan: exactly what will happen if the decision makers say yes, and its hash."""

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from crisis.domain.clock import Duration, say_duration
from crisis.domain.entry import canonical

__all__ = ["CHANGE", "NO", "Choice", "Plan", "Step"]

NO = "no"
"""The answer that stops a plan."""

CHANGE = "change"
"""The answer that asks for another plan; its reason says what should be different."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """One action on one target, with the very arguments it will be called with."""

    action: str
    target: str
    arguments: dict[str, Any]
    now: str
    wanted: str
    undo: str


class Choice(_Frozen):
    """
    One way to go: a name to answer with, what it means, and its steps.

    `severable` says that each step makes sense without the others, so that a part may be approved. `authors` wrote
    what would be carried out, by whatever name is known of them: they cannot approve it.
    """

    name: str
    summary: str
    steps: tuple[Step, ...]
    severable: bool = False
    authors: tuple[str, ...] = ()

    @field_validator("name")
    @classmethod
    def _is_no_other_answer(cls, name: str) -> str:
        if name in (NO, CHANGE):
            raise ValueError(f"{name!r} means something else at every gate; name the choice otherwise")
        return name


class Plan(_Frozen):
    """
    What is asked at a gate.

    `choices` has the recommended way first. `notes` says what was weighed and refused, and why.
    """

    gate: str
    title: str
    choices: tuple[Choice, ...]
    blast_radius: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    takes: Duration
    on_no: str

    @property
    def hash(self) -> str:
        """SHA-256 of the plan's canonical JSON: a decision counts for this plan and no other."""
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()

    @property
    def says(self) -> str:
        """The plan in one line."""
        return f"{self.title}: {' or '.join(choice.name for choice in self.choices)}"

    def choice(self, name: str) -> Choice | None:
        """Return the choice of that name, or None."""
        return next((choice for choice in self.choices if choice.name == name), None)

    def as_markdown(self) -> str:
        """Write the plan for the Prefect UI and for messages; without a table, which a narrow form cuts off."""
        lines = [f"# {self.title}", ""]
        for number, choice in enumerate(self.choices):
            mark = " (recommended)" if number == 0 and len(self.choices) > 1 else ""
            lines += [f"## `{choice.name}`{mark}", "", choice.summary, ""]
            lines += [
                f"- `{one.action}` on **{one.target}**: now {one.now}; then {one.wanted}; undo: {one.undo}"
                for one in choice.steps
            ]
            lines.append("")
        lines += ["**Who and what it touches**", "", *(f"- {line}" for line in self.blast_radius), ""]
        if self.notes:
            lines += ["**Weighed**", "", *(f"- {note}" for note in self.notes), ""]
        lines += [f"**Takes** about {say_duration(self.takes)}. **If you say no:** {self.on_no}", ""]
        lines.append(f"Plan `{self.hash[:12]}`")
        return "\n".join(lines)
