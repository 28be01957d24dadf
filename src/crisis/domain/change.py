"""Change: what an action did to the world, or why it did nothing."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

__all__ = ["Change"]


class Change(BaseModel):
    """
    *done* with what was there before and is there now, or *none* with the reason.

    `facts` carries what later steps need (a commit, a ticket's number): JSON only, never a secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    state: Literal["done", "none"]
    note: str
    facts: dict[str, Any] = {}

    @classmethod
    def done(cls, target: str, note: str, **facts: Any) -> Self:
        """Report that the world was changed and proved to be as wanted."""
        return cls(target=target, state="done", note=note, facts=facts)

    @classmethod
    def none(cls, target: str, because: str, **facts: Any) -> Self:
        """Report that nothing had to be done, and why."""
        return cls(target=target, state="none", note=because, facts=facts)
