"""State: everything the stand-in remembers, and how tokens and leases die."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from crisis.sandbox.vault.policy import DEFAULT, Rules, parse

__all__ = ["ATTEMPTS", "Database", "Entity", "Faults", "Flavour", "Lease", "Mount", "State", "Token"]

Flavour = Literal["vault", "openbao"]

ATTEMPTS = 6
"""After so many failed tries a lease is irrevocable: nobody tries again."""

_PREFIX = {"vault": {"service": "hvs.", "batch": "hvb."}, "openbao": {"service": "s.", "batch": "b."}}
_VERSIONS = {"vault": "1.20.4", "openbao": "2.6.2"}
_BUILTIN = {"vault": "v1.20.4+builtin.vault", "openbao": "v2.6.2+builtin.bao"}


@dataclass
class Token:
    """A token; one without an accessor is a batch token, which nobody can revoke."""

    id: str
    accessor: str
    policies: list[str]
    path: str
    parent: str = ""
    kind: str = "service"
    ttl: int = 0
    display_name: str = "token"
    meta: dict[str, str] = field(default_factory=dict)
    entity_id: str = ""
    created: float = field(default_factory=time.time)
    uses: int = 0

    @property
    def orphan(self) -> bool:
        """Whether no other token's end is its end."""
        return not self.parent

    @property
    def left(self) -> int:
        """How many seconds it still lives; 0 where it does not expire."""
        return max(int(self.created + self.ttl - time.time()), 0) if self.ttl else 0

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return bool(self.ttl) and time.time() >= self.created + self.ttl


@dataclass
class Lease:
    """Something that was lent: a token, or a user of a database."""

    id: str
    token: str
    ttl: int
    what: tuple[str, ...]
    issued: float = field(default_factory=time.time)
    due: float | None = None
    attempts: int = 0
    irrevocable: str = ""


@dataclass
class Entity:
    """Whom several logins are the same one for."""

    id: str
    name: str
    disabled: bool = False
    aliases: list[str] = field(default_factory=list)


@dataclass
class Mount:
    """An engine at a path, with whatever it remembers."""

    kind: str
    options: dict[str, str] = field(default_factory=dict)
    accessor: str = field(default_factory=lambda: f"mount_{secrets.token_hex(4)}")
    store: dict[str, Any] = field(default_factory=dict)


@dataclass
class Database:
    """A database server behind the stand-in: who may log in, with which password."""

    accounts: dict[str, str] = field(default_factory=dict)
    broken: bool = False

    def login(self, user: str, password: str) -> bool:
        """Say whether this user gets in."""
        return not self.broken and self.accounts.get(user) == password


@dataclass
class Faults:
    """What is broken; nothing at first. Statuses are spent one by one."""

    sealed: bool = False
    standby: int = 0
    statuses: list[int] = field(default_factory=list)
    lost_replies: int = 0
    queue_stuck: bool = False
    queue_delay: float = 0.0
    backend_broken: bool = False
    missing: list[str] = field(default_factory=list)
    only_on: str = ""
    lying: list[str] = field(default_factory=list)


@dataclass
class State:
    """One server."""

    flavour: Flavour = "vault"
    tokens: dict[str, Token] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=lambda: {"default": DEFAULT})
    mounts: dict[str, Mount] = field(default_factory=dict)
    auth: dict[str, Mount] = field(default_factory=dict)
    audit: dict[str, dict[str, Any]] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)
    databases: dict[str, Database] = field(default_factory=dict)
    unseal_key: str = field(default_factory=lambda: secrets.token_hex(32))
    faults: Faults = field(default_factory=Faults)
    writes: list[str] = field(default_factory=list)

    @property
    def version(self) -> str:
        """The version that it answers with."""
        return _VERSIONS[self.flavour]

    @property
    def builtin(self) -> str:
        """How it marks the engines that it ships with."""
        return _BUILTIN[self.flavour]

    def rules_of(self, token: Token) -> Iterator[Rules]:
        """Yield the policies of a token, as they are now."""
        for name in token.policies:
            if name in self.policies:
                yield parse(self.policies[name])

    def find(self, token: str) -> Token | None:
        """Return a token that lives, or None."""
        found = self.tokens.get(token)
        if found is None or found.expired or (found.parent and self.find(found.parent) is None):
            return None
        return found

    def by_accessor(self, accessor: str) -> Token | None:
        """Return the living token of an accessor, or None."""
        mine = (one.id for one in list(self.tokens.values()) if accessor and one.accessor == accessor)
        return next((found for found in map(self.find, mine) if found is not None), None)

    def make_token(self, *, batch: bool = False, **parts: Any) -> Token:
        """Issue a token; all but a root token without an end are leased, so that a prefix can end them."""
        kind = "batch" if batch else "service"
        name = _PREFIX[self.flavour][kind] + secrets.token_urlsafe(24)
        accessor = "" if batch else secrets.token_urlsafe(18).replace("-", "x").replace("_", "y")
        made = Token(name, accessor, kind=kind, **parts)
        self.tokens[made.id] = made
        if not batch and not (made.policies == ["root"] and not made.ttl):
            self.lend(made.path, made.id, made.ttl, ("token", made.id), prefix="h")
        return made

    def lend(self, path: str, token: str, ttl: int, what: tuple[str, ...], prefix: str = "") -> Lease:
        """Record a lease below the path that issued it."""
        made = Lease(f"{path}/{prefix}{secrets.token_hex(16)}", token, ttl, what)
        self.leases[made.id] = made
        return made

    def end_token(self, token: Token) -> None:
        """Kill a token and all below it at once; what they had leased goes into the queue."""
        for child in [one for one in self.tokens.values() if one.parent == token.id]:
            self.end_token(child)
        self.tokens.pop(token.id, None)
        for lease in list(self.leases.values()):
            if lease.what == ("token", token.id):
                del self.leases[lease.id]
            elif lease.token == token.id:
                self.queue(lease)

    def queue(self, lease: Lease) -> None:
        """Have a lease revoked soon."""
        if lease.due is None and not lease.irrevocable:
            lease.due = time.time() + self.faults.queue_delay

    def settle(self) -> None:
        """Do what is due: the queue of revokes, and the end of what has expired."""
        if self.faults.queue_stuck:
            return
        now = time.time()
        for lease in list(self.leases.values()):
            if lease.id not in self.leases or lease.irrevocable:
                continue
            if lease.due is None and lease.ttl and now >= lease.issued + lease.ttl:
                lease.due = now
            if lease.due is not None and now >= lease.due and not self.give_back(lease):
                lease.due = now + self.faults.queue_delay

    def give_back(self, lease: Lease) -> bool:
        """Try to revoke one lease; False when what it stands for could not be ended."""
        if lease.what[0] == "token":
            self.leases.pop(lease.id, None)
            if (token := self.tokens.get(lease.what[1])) is not None:
                self.end_token(token)
            return True
        database = self.databases[lease.what[1]]
        if self.faults.backend_broken or database.broken:
            lease.attempts += 1
            if lease.attempts >= ATTEMPTS:
                lease.irrevocable = "failed to revoke entry: the database does not answer"
            return False
        database.accounts.pop(lease.what[2], None)
        self.leases.pop(lease.id, None)
        return True

    def below(self, prefix: str) -> list[Lease]:
        """List the leases under a prefix; a prefix is whole path segments, or one lease's id."""
        whole = prefix.strip("/") + "/"
        return [one for one in self.leases.values() if one.id.startswith(whole) or one.id == prefix.strip("/")]
