"""Memory: everything the vendors remember, in plain dataclasses."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crisis.sandbox.keyring import Keyring

SERVICE = "shop"
ENVIRONMENT = "production"


def now() -> str:
    """Tell the time as GitHub writes it, with fractions so that a drill can be timed."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment() -> dict[str, Any]:
    """Stamp a moment for people and for subtraction."""
    when = datetime.now(UTC)
    return {"at": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "unix": when.timestamp()}


@dataclass
class Deployment:
    """One wish to release a commit, and what became of it."""

    id: int
    sha: str
    ref: str
    description: str
    payload: Any
    rerelease: bool
    created_at: str = field(default_factory=now)
    statuses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Name the newest state."""
        return str(self.statuses[-1]["state"]) if self.statuses else "pending"

    @property
    def updated_at(self) -> str:
        """Say when the state last changed."""
        return str(self.statuses[-1]["created_at"]) if self.statuses else self.created_at


@dataclass
class GitHub:
    """What the GitHub of this world remembers."""

    deployments: list[Deployment] = field(default_factory=list)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    check_runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    last_id: int = 1000

    def next_id(self) -> int:
        """Count up."""
        self.last_id += 1
        return self.last_id

    def add_status(self, sha: str, *, state: str, context: str, description: str) -> dict[str, Any]:
        """Remember a commit status."""
        status = {
            "id": self.next_id(),
            "state": state,
            "context": context,
            "description": description,
            "created_at": now(),
        }
        self.statuses.setdefault(sha, []).append(status)
        return status

    def latest_statuses(self, sha: str) -> list[dict[str, Any]]:
        """Keep the newest status of each context."""
        return list({status["context"]: status for status in self.statuses.get(sha, [])}.values())


@dataclass
class Twilio:
    """What was sent to whom."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Slack:
    """What the app has posted, what is open on whose screen, and whose click may open something."""

    channels: dict[str, str] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    whispers: list[dict[str, Any]] = field(default_factory=list)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    triggers: dict[str, dict[str, Any]] = field(default_factory=dict)


def _normal() -> dict[str, Any]:
    return {
        "v": 1, "service": SERVICE, "seq": 1, "mode": "normal", "features": {},
        "message_id": None, "until": None, "incident": None,
    }  # fmt: skip


@dataclass
class Switchboard:
    """The document that says how the shop runs."""

    document: dict[str, Any] = field(default_factory=_normal)

    def closed(self, method: str, path: str) -> str:
        """Name the switch that closes a path to shoppers; empty when it is open."""
        mode = str(self.document["mode"])
        api, writes = path.startswith("/api/"), method not in {"GET", "HEAD"} and path != "/api/login"
        if {"maintenance": True, "offline": api, "read_only": api and writes}.get(mode):
            return mode
        feature = path.removeprefix("/api/").partition("/")[0] if api else ""
        return feature if (self.document.get("features") or {}).get(feature) is False else ""


@dataclass
class Shoppers:
    """How the synthetic shoppers fared."""

    per_second: float = 3.0
    started: int = 0
    ok: int = 0
    failed: int = 0
    turned_away: int = 0


@dataclass
class Memory:
    """Everything one world remembers."""

    github: GitHub = field(default_factory=GitHub)
    twilio: Twilio = field(default_factory=Twilio)
    slack: Slack = field(default_factory=Slack)
    third: Keyring = field(default_factory=Keyring)
    hooks: dict[str, str] = field(default_factory=dict)
    switchboard: Switchboard = field(default_factory=Switchboard)
    shoppers: Shoppers = field(default_factory=Shoppers)
    faults: dict[str, Any] = field(default_factory=dict)
    writes: list[dict[str, Any]] = field(default_factory=list)
    rollback: dict[str, Any] | None = None
    serving: str = ""

    def spend(self, fault: str, vendor: str) -> int | None:
        """Use up one of the failures a fault still holds for a vendor; give the status to answer with."""
        left = self.faults.get(fault, {}).get(vendor)
        if not left or left["times"] < 1:
            return None
        left["times"] -= 1
        return int(left.get("status", 500))
