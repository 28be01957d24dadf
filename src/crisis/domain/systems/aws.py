"""AWS: one account, in every region; its credentials, sessions and what they open."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from crisis.domain.model import Address, Reference, Span, Strict, Text

__all__ = ["Aws"]


class Aws(Strict):
    """
    One account. Without a key of its own, the default chain of credentials is used: an instance's role, a profile.

    The key that crisis uses is never rotated by crisis itself: give it a role, or rotate it last and by hand.
    """

    kind: Literal["aws"] = Field(description="aws: one account of Amazon Web Services")
    url: Address | None = Field(default=None, description="another endpoint for every API, such as the sandbox's")
    region: Text = Field(default="us-east-1", description="where IAM, STS and the secrets of access keys are asked")
    regions: tuple[Text, ...] = Field(default=(), description="which regions are looked at; by default all enabled")
    access_key_id: Reference | None = Field(default=None, description="the id of the key that crisis uses")
    secret_access_key: Reference | None = Field(default=None, description="its secret")
    session_token: Reference | None = Field(default=None, description="its session token, if it is a session's")
    keys_at: Text = Field(
        default="access-keys", description="in Secrets Manager, keys of a user are secrets named `<keys_at>/<user>/…`"
    )
    masters_at: Text = Field(
        default="database-masters",
        description="in Secrets Manager of its region, a database master's password is `<masters_at>/<name>`",
    )
    guardrail_on: Text | None = Field(
        default=None,
        description="the account or unit that a denying SCP is attached to; needs the management account",
    )
    known_accounts: tuple[Text, ...] = Field(default=(), description="numbers of accounts that roles may trust")
    calls_per_second: dict[Text, float] = Field(
        default={}, description="the pace by API where it differs, for example `iam: 20`; AWS throttles whole accounts"
    )
    patience: Span = Field(
        default=timedelta(seconds=60), description="how long a change may take until every part of AWS knows of it"
    )
    rotation_patience: Span = Field(
        default=timedelta(minutes=10),
        description="how long RDS, or a secret's rotation function, may take until a new password is in force",
    )
