"""By hand: a system without an API for it, whose credentials a person ends."""

from typing import Literal

from pydantic import Field

from crisis.domain.model import Name, Strict, Text

__all__ = ["ByHand"]


class ByHand(Strict):
    """A vendor that offers no way for a program: a checklist task with an owner, open until there is evidence."""

    kind: Literal["by hand"] = Field(description="by hand: no API ends it, so a person does")
    credentials: tuple[Text, ...] = Field(min_length=1, description="what is to be ended there, in public names")
    owner: Name = Field(description="who does it, a short name from people")
    how: Text = Field(description="where to click, in one or two sentences")
    evidence: Text = Field(description="what shows that the old credential is refused")
