"""Model: what every part of protocol.yaml is made of: strict records, names, references, spans."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from crisis.domain.clock import Duration

__all__ = [
    "ADDRESS",
    "NAME",
    "PLACE",
    "REFERENCE",
    "Address",
    "Name",
    "Place",
    "Reference",
    "Span",
    "Strict",
    "Text",
]

NAME = r"^[a-z][a-z0-9-]{0,39}$"
REFERENCE = r"^(env:[A-Z][A-Z0-9_]*|file:.+|vault:[^#]+#.+|block:[a-z0-9-]+(/.+)?)$"
PLACE = r"^(EU|[A-Z]{2}(-[A-Z0-9]{1,3})?)$"
ADDRESS = r"^(https?://.+|env:[A-Z][A-Z0-9_]*)$"

Text = Annotated[str, StringConstraints(min_length=1)]

Name = Annotated[str, StringConstraints(pattern=NAME)]
"""A short name people type: lower case, digits, hyphens."""

Place = Annotated[str, StringConstraints(pattern=PLACE)]
"""`EU`, a country (ISO 3166-1 alpha-2, so GB and not UK), or a part of one (ISO 3166-2)."""

Reference = Annotated[str, StringConstraints(pattern=REFERENCE)]
"""Where a secret is kept: `env:NAME`, `file:PATH`, `vault:PATH#KEY` or `block:NAME` (a Prefect Secret block)."""

Address = Annotated[str, StringConstraints(pattern=ADDRESS)]
"""A URL, or `env:NAME` where the environment says which."""

Span = Annotated[Duration, Field(gt=timedelta())]
"""A duration longer than nothing."""


class Strict(BaseModel):
    """A record that does not change, and knows no other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
