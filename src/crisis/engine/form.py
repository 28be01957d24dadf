"""Form: a question as the Prefect UI's resume form. Its answer is a vote like any other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crisis.domain.decision import Decision, Gate
from crisis.domain.mandate import ladder
from crisis.domain.plan import Plan
from crisis.engine.booth import Answer
from crisis.engine.run import Run
from crisis.engine.votes import cast, known_answers

__all__ = ["PrefectForm", "form_key"]


def form_key(plan: Plan) -> str:
    """Name the form of a plan among those of a run."""
    return f"{plan.gate}-{plan.hash[:12]}"


@dataclass
class PrefectForm:
    """The fields of a question, and the way of its answer to the votes."""

    run: Run
    gate: Gate
    page: str

    @property
    def key(self) -> str:
        """Names this question among those of the run."""
        return form_key(self.gate.plan)

    @property
    def description(self) -> str:
        """The plan, and where else it can be decided."""
        return f"{self.gate.plan.as_markdown()}\n\nOr decide on [the decision page]({self.page})."

    @property
    def schema(self) -> dict[str, Any]:
        """The fields, as JSON Schema."""
        answers = known_answers(self.gate)
        fields = {
            "decision": {"title": "Decision", "type": "string", "enum": answers, "position": 0},
            "who": {"title": "Who are you?", "type": "string", "enum": self._people(), "position": 1},
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

    def _people(self) -> list[str]:
        """Return who is asked, and who may be later: the form cannot be changed once it is shown."""
        gate, protocol = self.gate, self.run.protocol
        later = ladder(protocol, gate.level, gate.needed, gate.asked_at, gate.excluded).everybody
        return [*gate.people, *sorted(later - set(gate.people))]

    def answer(self, fields: Mapping[str, Any]) -> bool:
        """Cast the vote; False when it was refused or more people are needed."""
        said = Answer(
            who=str(fields.get("who", "")),
            answer=str(fields.get("decision", "")),
            code=str(fields.get("code", "")),
            reason=str(fields.get("reason") or ""),
            how="Prefect form",
        )
        return isinstance(cast(self.run.booth, self.gate, said), Decision)
