"""Sessions: where users' sessions are kept or signed by the company itself, one kind each."""

from typing import Literal, Self

from pydantic import Field, model_validator

from crisis.domain.model import Address, Reference, Span, Strict, Text
from crisis.domain.systems.canary import Canary, Visit

__all__ = ["JwtSessions", "RedisSessions", "SessionSecret", "SqlSessions"]

_CANARY = "a session of ours that is taken before and must be refused afterwards"


class RedisSessions(Strict):
    """Sessions that an application keeps in Redis or Valkey, found by the beginning of their keys."""

    kind: Literal["redis sessions"] = Field(description="redis sessions: sessions kept in Redis, Valkey or a cluster")
    url: Reference = Field(description="reference to the address: redis://, rediss:// or unix://, with its password")
    prefixes: tuple[Text, ...] = Field(min_length=1, description="how the keys begin, literally: `sess:`")
    epoch: Text | None = Field(
        default=None, description="key the application compares: sessions issued before its unix time are refused"
    )
    cluster: bool = Field(default=False, description="whether it is a Redis Cluster")
    canary: Canary = Field(description=_CANARY)

    @model_validator(mode="after")
    def _epoch_survives(self) -> Self:
        if self.epoch is not None and self.epoch.startswith(self.prefixes):
            raise ValueError("the epoch's key begins like a session's and would be removed with them")
        return self


class SqlSessions(Strict):
    """Sessions that an application keeps as rows of a table."""

    kind: Literal["sql sessions"] = Field(description="sql sessions: sessions kept in a table")
    url: Reference = Field(description="reference to the SQLAlchemy URL, postgresql+psycopg:// or sqlite://")
    shape: Literal["django", "rails", "laravel", "express"] | None = Field(
        default=None, description="whose table it is: django, rails, laravel or express (connect-pg-simple)"
    )
    table: Text | None = Field(default=None, description="the table's name, where the shape's own is not used")
    key: Text | None = Field(default=None, description="its primary key column, where the shape's own is not used")
    canary: Canary = Field(description=_CANARY)

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.shape is None and (self.table is None or self.key is None):
            raise ValueError("say the shape, or both table and key")
        return self


class SessionSecret(Strict):
    """The secret that an application signs or encrypts its cookies with."""

    kind: Literal["session secret"] = Field(description="session secret: what cookies are signed with")
    framework: Literal["django", "flask", "rails", "laravel", "express"] = Field(
        description="who reads it: django, flask, rails, laravel or express"
    )
    store: Reference = Field(
        description="where it is kept and changed: `file:PATH` to JSON (.json) or NAME=value lines"
    )
    name: Text | None = Field(default=None, description="the secret's name in there, where not the framework's own")
    fallbacks: Text | None = Field(default=None, description="the name of the list of older secrets, likewise")
    encrypts_data: bool | None = Field(
        default=None,
        description="whether stored data is encrypted with it too, as Laravel's APP_KEY may; then it stays",
    )
    restart: Visit | None = Field(default=None, description="what makes the service read it again; else it must itself")
    patience: Span = Field(default="60s", validate_default=True, description="how long the service may take to read it")
    canary: Canary = Field(description=_CANARY)

    @model_validator(mode="after")
    def _says_what_is_lost(self) -> Self:
        if self.framework == "laravel" and self.encrypts_data is None:
            raise ValueError("say whether APP_KEY encrypts stored data (encrypts_data): that data would be lost")
        return self


class JwtSessions(Strict):
    """Sessions that are signed tokens: nothing is stored, so they end by epoch and by key."""

    kind: Literal["jwt sessions"] = Field(description="jwt sessions: tokens signed by a key that is published")
    store: Reference = Field(description="where the private keys are kept: `file:PATH` to a JSON Web Key Set")
    jwks: Address = Field(description="where the public keys are published, or `env:NAME`")
    epoch_store: Reference | None = Field(default=None, description="reference to the Redis that holds the epoch")
    epoch: Text = Field(default="auth:epoch", description="key that verifiers compare with `iat`, a unix time")
    restart: Visit | None = Field(default=None, description="what makes the service read it again; else it must itself")
    patience: Span = Field(default="60s", validate_default=True, description="how long verifiers may keep the old keys")
    canary: Canary = Field(description=_CANARY)
