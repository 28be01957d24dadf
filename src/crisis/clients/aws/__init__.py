"""AWS: one account through boto3; one noun of it in each file."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Self

from crisis.clients.aws.guardrails import Guardrails
from crisis.clients.aws.keys import Keys
from crisis.clients.aws.principals import Principals
from crisis.clients.aws.session import Session
from crisis.clients.aws.store import Store
from crisis.clients.aws.wire import Wire
from crisis.domain.systems.aws import Aws

__all__ = ["Account", "connect"]


def connect(to: Aws, wire: Wire | None = None) -> "Account":
    """Open an account. `wire` sends the calls, where not over plain HTTP."""
    return Account(Session(to, wire))


@dataclass(frozen=True)
class Account:
    """One account; use it in a `with` block."""

    session: Session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    @property
    def patience(self) -> timedelta:
        """How long a change may take until every part of AWS knows of it."""
        return self.session.system.patience

    @cached_property
    def keys(self) -> Keys:
        """The access keys of users."""
        return Keys(self.session)

    @cached_property
    def store(self) -> Store:
        """Where those are kept."""
        return Store(self.session)

    @cached_property
    def principals(self) -> Principals:
        """Users and roles, and what stops them."""
        return Principals(self.session)

    @cached_property
    def guardrails(self) -> Guardrails:
        """The denies of the organisation."""
        return Guardrails(self.session)

    def number(self) -> str:
        """Return the account's number, as AWS tells it to the credentials in use."""
        return str(self.session.ask("sts", "get_caller_identity", "our own credentials")["Account"])
