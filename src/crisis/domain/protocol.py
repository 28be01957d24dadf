"""Protocol: services, people, levels, gates and alerts of one company, as protocol.yaml says them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from crisis.domain.clock import Duration
from crisis.domain.level import Level

__all__ = [
    "Address",
    "AlertRoute",
    "AlertSender",
    "Answer",
    "Build",
    "Gate",
    "GateKind",
    "Journey",
    "LevelRule",
    "Messages",
    "Person",
    "Protocol",
    "Reference",
    "Releases",
    "Repository",
    "Request",
    "Service",
    "Switchboard",
    "Tickets",
    "Verify",
]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""A short name people type: lower case, digits, hyphens."""

Reference = Annotated[
    str, StringConstraints(pattern=r"^(env:[A-Z][A-Z0-9_]*|file:.+|vault:[^#]+#.+|block:[a-z0-9-]+(/.+)?)$")
]
"""Where a secret is kept: `env:NAME`, `file:PATH`, `vault:PATH#KEY` or `block:NAME` (a Prefect Secret block)."""

Address = Annotated[str, StringConstraints(pattern=r"^(https?://.+|env:[A-Z][A-Z0-9_]*)$")]
"""A URL, or `env:NAME` where the environment says which."""

GateKind = Literal["contain", "inform", "restore", "destroy"]
"""What an action does: contain (reversible, at once), inform, restore, destroy (cannot be undone)."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(_Strict):
    """What a healthy service answers: a status, and parts of its JSON or text."""

    status: int = Field(default=200, ge=100, le=599)
    json_has: dict[str, Any] = Field(default={}, alias="json")
    text: str = ""


class Request(_Strict):
    """One request of a journey, and what it must answer."""

    request: Annotated[str, StringConstraints(pattern=r"^(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*$")]
    json_body: dict[str, Any] | list[Any] | None = Field(default=None, alias="json")
    headers: dict[str, str] = {}
    answers: Answer = Answer()

    @property
    def method(self) -> str:
        """Return for example `POST`."""
        return self.request.split(" ", 1)[0]

    @property
    def path(self) -> str:
        """Return for example `/api/checkout`."""
        return self.request.split(" ", 1)[1]


Journey = Annotated[tuple[Request, ...], Field(min_length=1)]
"""What a user does, request by request, with one cookie jar."""


class Verify(_Strict):
    """When a service counts as healthy again: this many rounds in a row, this far apart, p95 under the bound."""

    passes: int = Field(default=20, ge=1)
    every: Duration = Field(default="15s", validate_default=True)
    p95: Duration = Field(default="3s", validate_default=True)
    give_up_after: Duration = Field(default="10m", validate_default=True)


class Repository(_Strict):
    """Where the code lives. `url` is anything git can clone, or `env:NAME`."""

    url: str
    branch: str = "main"


class GitHubReleases(_Strict):
    """Releases that a pipeline makes of what is pushed, recorded as GitHub deployments."""

    by: Literal["github"]
    url: Address = "https://api.github.com"
    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    environment: str = "production"
    token: Reference


class VercelReleases(_Strict):
    """Releases on Vercel: rolled back by deployment id."""

    by: Literal["vercel"]
    url: Address = "https://api.vercel.com"
    project: str
    team: str = ""
    token: Reference


Releases = Annotated[GitHubReleases | VercelReleases, Field(discriminator="by")]


class Switchboard(_Strict):
    """The small document outside the service that says normal or maintenance."""

    url: Address
    token: Reference


class Tickets(_Strict):
    """Where tickets are filed."""

    by: Literal["github"]
    url: Address = "https://api.github.com"
    repository: str
    token: Reference
    labels: tuple[str, ...] = ("incident",)


class Build(_Strict):
    """How to start and test the service from a checkout; `{python}`, `{port}` and `{release}` are filled in."""

    serve: Annotated[tuple[str, ...], Field(min_length=1)]
    test: Annotated[tuple[str, ...], Field(min_length=1)] = ("{python}", "-m", "pytest", "-q")
    source: str = "."
    environment: dict[str, str] = {}


class Service(_Strict):
    """One service: what users do with it, and where its levers are."""

    url: Address
    health: str = "/healthz"
    journeys: Annotated[dict[Name, Journey], Field(min_length=1)]
    features: dict[Name, Journey] = {}
    verify: Verify = Verify()
    maintenance_bypass: Reference | None = None
    repository: Repository
    releases: Releases
    switchboard: Switchboard
    tickets: Tickets
    build: Build | None = None


class Proof(_Strict):
    """How a person proves who they are."""

    totp: Reference


class Person(_Strict):
    """Somebody who is told, asked, or both."""

    name: str
    role: str
    sms: str | None = None
    call: str | None = None
    proof: Proof | None = None
    deputy: Name | None = None


class LevelRule(_Strict):
    """What a level authorises, and who decides."""

    means: str
    decision_makers: Annotated[tuple[Name, ...], Field(min_length=1)]
    authorised: Annotated[tuple[str, ...], Field(min_length=1)]


class Gate(_Strict):
    """Who is asked before an action of this kind, how long, and what silence means."""

    ask: Literal["nobody", "decision maker", "two people"]
    deputy_after: Duration = Field(default="3m", validate_default=True)
    wait: Duration = Field(default="15m", validate_default=True)
    silence: Literal["stop", "proceed"] = "stop"

    @property
    def needed(self) -> int:
        """How many distinct people must agree."""
        return {"nobody": 0, "decision maker": 1, "two people": 2}[self.ask]


class Messages(_Strict):
    """How messages and calls go out."""

    by: Literal["twilio"]
    url: Address = "https://api.twilio.com"
    account: Reference
    token: Reference
    sender: str


class Basic(_Strict):
    """Name and password of HTTP basic authentication."""

    user: str
    password: Reference


class AlertRoute(_Strict):
    """Alerts with all these labels start this playbook on this service at this level."""

    when: dict[str, str]
    start: Name
    service: Name | None = None
    level: Level = Level.CRITICAL


class AlertSender(_Strict):
    """A sender of alerts, how it proves itself (either way counts), and what its alerts mean."""

    bearer: tuple[Reference, ...] = ()
    basic: Basic | None = None
    routes: tuple[AlertRoute, ...] = ()

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if not self.bearer and self.basic is None:
            msg = "a sender without a secret would let anybody start playbooks; give bearer or basic"
            raise ValueError(msg)
        return self


class Law(_Strict):
    """Where the company is bound, and as what."""

    jurisdictions: tuple[str, ...] = ()
    roles: tuple[Literal["controller", "processor"], ...] = ()


class Drill(_Strict):
    """A rehearsal: which playbook, when (cron), against what."""

    playbook: Name
    service: Name
    cron: str
    against: Literal["sandbox"] = "sandbox"


class Protocol(_Strict):
    """Everything that protocol.yaml says."""

    version: Literal[1]
    company: str
    services: Annotated[dict[Name, Service], Field(min_length=1)]
    people: Annotated[dict[Name, Person], Field(min_length=1)]
    stakeholders: tuple[Name, ...] = ()
    messages: Messages
    levels: dict[Level, LevelRule]
    gates: dict[GateKind, Gate]
    alerts: dict[Name, AlertSender] = {}
    law: Law = Law()
    drills: tuple[Drill, ...] = ()

    def level_that_authorises(self, action: str) -> Level | None:
        """Return the mildest level at which an action may run, or None."""
        fitting = [level for level, rule in self.levels.items() if action in rule.authorised]
        return max(fitting, default=None)
