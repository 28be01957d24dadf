"""Protocol: services, people, levels, gates and alerts of one company, as protocol.yaml says them."""

import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from crisis.domain.alerting import AlertSender, Intake, Maintenance
from crisis.domain.level import Level
from crisis.domain.model import Address, Name, Place, Reference, Span, Strict, Text
from crisis.domain.systems import System

__all__ = [
    "Answer",
    "Away",
    "BreakGlass",
    "Build",
    "Contact",
    "Gate",
    "GateKind",
    "Journey",
    "LevelRule",
    "Messages",
    "Person",
    "Protocol",
    "Releases",
    "Repository",
    "Request",
    "Service",
    "Slack",
    "Switchboard",
    "Tickets",
    "Verify",
    "person_accounts",
    "spelling",
]

REQUEST = r"^(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*$"
REPOSITORY = r"^[\w.-]+/[\w.-]+$"
PATH = r"^/\S*$"
PHONE = r"^\+[1-9][0-9]{6,14}$"
SLACK = r"^[UW][A-Z0-9]{2,20}$"
WORKSPACE = r"^T[A-Z0-9]{2,20}$"

Phone = Annotated[str, StringConstraints(pattern=PHONE)]
"""A telephone number as E.164 writes it: `+`, country, number."""

GateKind = Literal["contain", "inform", "restore", "destroy"]
"""What an action does: contain (reversible, at once), inform, restore, destroy (cannot be undone)."""


def spelling(text: str) -> str:
    """
    Return a name without what tells spellings of it apart: case, width, accents' encoding, and separators.

    Compatibility caseless matching: Unicode 16, section 3.13, D146.
    """
    # Signs that show nothing go first: one between a letter and its accent would keep them apart. Again until nothing
    # changes, because what is taken out may have stood between two that belong together.
    while True:
        seen = "".join(sign for sign in text if sign not in " ._-" and unicodedata.category(sign) not in ("Cf", "Zs"))
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
        if folded == text:
            return folded
        text = folded


def person_accounts(who: str, person: dict[str, Any]) -> list[str]:
    """Return everything one human is known by, spelt alike; not the number to call, which a team may share."""
    known = [who, person.get("name"), person.get("sms"), person.get("slack")]
    known += person.get("aliases") or ()
    return list(dict.fromkeys(spelling(one) for one in known if isinstance(one, str) and spelling(one)))


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Answer(Strict):
    """What a healthy service answers: a status, and parts of its JSON or text."""

    status: int = Field(default=200, ge=100, le=599, description="HTTP status of a good answer")
    json_has: dict[str, Any] = Field(default={}, alias="json", description="what the JSON must hold, at least")
    text: str = Field(default="", description="what the text must contain")


class Request(Strict):
    """One request of a journey, and what it must answer."""

    request: str = Field(pattern=REQUEST, description="method and path, for example `POST /api/checkout`")
    json_body: dict[str, Any] | list[Any] | None = Field(default=None, alias="json", description="body, sent as JSON")
    headers: dict[str, str] = Field(default={}, description="headers to send; a secret in them is a reference")
    answers: Answer = Field(default=Answer(), description="what a good answer looks like; by default status 200")

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


class Verify(Strict):
    """When a service counts as healthy again: this many rounds in a row, this far apart, p95 under the bound."""

    passes: int = Field(default=20, ge=1, description="rounds of all journeys in a row that must pass")
    every: Span = Field(default="15s", validate_default=True, description="time from one round to the next")
    p95: Span = Field(default="3s", validate_default=True, description="95 of 100 requests must be quicker")
    give_up_after: Span = Field(default="10m", validate_default=True, description="then the proof has failed")


class Repository(Strict):
    """Where the code lives."""

    url: Text = Field(description="anything git can clone, or `env:NAME`")
    branch: Text = Field(default="main", description="the branch that is released")


class GitHubReleases(Strict):
    """Releases that a pipeline makes of what is pushed, recorded as GitHub deployments."""

    by: Literal["github"] = Field(description="who releases: `github` or `vercel`")
    url: Address = Field(default="https://api.github.com", description="address of the API, or `env:NAME`")
    repository: str = Field(pattern=REPOSITORY, description="`owner/name`")
    environment: Text = Field(default="production", description="the GitHub environment that users see")
    token: Reference = Field(description="reference to a token that may read and write deployments")


class VercelReleases(Strict):
    """Releases on Vercel: rolled back by deployment id."""

    by: Literal["vercel"] = Field(description="who releases: `github` or `vercel`")
    url: Address = Field(default="https://api.vercel.com", description="address of the API, or `env:NAME`")
    project: Text = Field(description="id or name of the project")
    team: str = Field(default="", description="id of the team; empty for a personal account")
    token: Reference = Field(description="reference to a token that may promote and roll back")


Releases = Annotated[GitHubReleases | VercelReleases, Field(discriminator="by")]


class Switchboard(Strict):
    """The small document outside the service that says normal or maintenance."""

    url: Address = Field(description="address of the document, or `env:NAME`")
    token: Reference = Field(description="reference to a token that may read and replace the document")


class Tickets(Strict):
    """Where tickets are filed."""

    by: Literal["github"] = Field(description="who keeps the tickets: `github`")
    url: Address = Field(default="https://api.github.com", description="address of the API, or `env:NAME`")
    repository: str = Field(pattern=REPOSITORY, description="`owner/name`")
    token: Reference = Field(description="reference to a token that may read and write issues")
    labels: tuple[str, ...] = Field(default=("incident",), description="labels put on every ticket")


class Build(Strict):
    """How to start and test the service from a checkout; `{python}`, `{port}` and `{release}` are filled in."""

    serve: tuple[str, ...] = Field(min_length=1, description="command that starts the service, word by word")
    test: tuple[str, ...] = Field(
        default=("{python}", "-m", "pytest", "-q"), min_length=1, description="runs the tests"
    )
    source: Text = Field(default=".", description="folder of the checkout that counts as covered")
    environment: dict[str, str] = Field(default={}, description="variables for both commands")


class Service(Strict):
    """One service: what users do with it, and where its levers are."""

    url: Address = Field(description="what a customer opens, or `env:NAME`; probes go here, from outside")
    health: str = Field(default="/healthz", pattern=PATH, description="path that says which release answers")
    journeys: dict[Name, Journey] = Field(min_length=1, description="primary journeys: one that fails is Defcon 1")
    features: dict[Name, Journey] = Field(default={}, description="secondary: one that fails is Defcon 2")
    verify: Verify = Field(default=Verify(), description="when the service counts as healthy again")
    maintenance_bypass: Reference | None = Field(default=None, description="token that passes the maintenance page")
    repository: Repository = Field(description="where the code lives")
    releases: Releases = Field(description="how it is released and rolled back")
    switchboard: Switchboard = Field(description="the document that says normal or maintenance")
    tickets: Tickets = Field(description="where tickets are filed")
    build: Build | None = Field(default=None, description="how to start and test a checkout, for the analysis")


class Proof(Strict):
    """How a person proves who they are."""

    totp: Reference | None = Field(default=None, description="reference to the base32 secret of their one-time codes")
    passkeys: bool = Field(default=True, description="whether a passkey that they enrolled counts too")

    @model_validator(mode="after")
    def _proves_something(self) -> Self:
        by_passkey = self.passkeys and "passkeys" in self.model_fields_set
        if self.totp is None and not by_passkey:
            raise ValueError("a proof that proves nothing; give totp, or passkeys: true")
        return self


class Away(Strict):
    """When somebody cannot be asked. A date without a time is midnight UTC, and `to` is the first day back."""

    since: datetime = Field(alias="from", description="first moment away, for example 2026-12-20")
    to: datetime = Field(description="first moment back")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if _utc(self.to) <= _utc(self.since):
            raise ValueError("an absence that ends before it begins; write from before to")
        return self

    def covers(self, moment: datetime) -> bool:
        """Whether this moment falls into the absence."""
        return _utc(self.since) <= moment < _utc(self.to)


class Person(Strict):
    """Somebody who is told, asked, or both."""

    name: Text = Field(description="as it stands in the record")
    role: Text = Field(description="for example CTO or senior developer")
    sms: Phone | None = Field(default=None, description="mobile number, E.164, in quotes")
    call: Phone | None = Field(default=None, description="number to call, E.164, in quotes")
    slack: str | None = Field(default=None, pattern=SLACK, description="Slack member id, for example U024BE7LH")
    aliases: tuple[Text, ...] = Field(default=(), description="their other names and accounts: e-mail, login, nickname")
    proof: Proof | None = Field(default=None, description="how they prove who they are; whoever decides needs one")
    deputy: Name | None = Field(default=None, description="who is asked when they stay silent")
    away: tuple[Away, ...] = Field(default=(), description="when they cannot be asked; their deputy is, at once")

    def is_away(self, moment: datetime) -> bool:
        """Whether they are away at this moment."""
        return any(one.covers(moment) for one in self.away)


class LevelRule(Strict):
    """What a level authorises, and who decides."""

    means: Text = Field(description="what has to be true for this level")
    decision_makers: tuple[Name, ...] = Field(min_length=1, description="people who decide, in the order of asking")
    above: tuple[Name, ...] = Field(
        default=(), description="people asked last; by default who decides at the level above"
    )
    authorised: tuple[str, ...] = Field(min_length=1, description="actions that may run at this level")


class Gate(Strict):
    """Who is asked before an action of this kind, how long, and what silence means."""

    ask: Literal["nobody", "decision maker", "two people", "three people"] = Field(description="who must agree")
    deputy_after: Span = Field(default="3m", validate_default=True, description="silence after which deputies join")
    above_after: Span | None = Field(
        default=None, description="silence after which the level above joins; by default halfway to the end"
    )
    remind_every: Span = Field(default="2m", validate_default=True, description="time from one reminder to the next")
    wait: Span = Field(default="15m", validate_default=True, description="silence after which the gate closes")
    hold: Span = Field(
        default="30m", validate_default=True, description="how long a process waits; then the run is put aside"
    )
    good_for: Span = Field(
        default="1h", validate_default=True, description="how long after a decision its steps may begin"
    )
    proceed_on_silence: dict[str, tuple[Level, ...]] = Field(
        default={}, description="actions that silence lets go ahead, each with the levels where it does"
    )

    @property
    def needed(self) -> int:
        """How many distinct people must agree."""
        return {"nobody": 0, "decision maker": 1, "two people": 2, "three people": 3}[self.ask]

    @property
    def above_joins(self) -> timedelta:
        """The silence after which the level above is asked."""
        return self.above_after or (self.deputy_after + self.wait) / 2

    def proceeds(self, actions: frozenset[str], level: Level) -> bool:
        """Whether silence lets all of these actions go ahead at this level."""
        return bool(actions) and all(level in self.proceed_on_silence.get(action, ()) for action in actions)


class BreakGlass(Strict):
    """Who may decide together, any two of them, when nobody on the ladder can be reached."""

    people: tuple[Name, ...] = Field(min_length=2, description="any two of these, with their proofs")
    after: Span = Field(default="10m", validate_default=True, description="silence of the ladder before they may")
    good_for: Span = Field(default="15m", validate_default=True, description="how long their decision lasts")


class Messages(Strict):
    """How messages and calls go out."""

    by: Literal["twilio"] = Field(description="who carries them: `twilio`")
    url: Address = Field(default="https://api.twilio.com", description="address of the API, or `env:NAME`")
    account: Reference = Field(description="reference to the account's SID")
    token: Reference = Field(description="reference to the account's token")
    token_before: Reference | None = Field(
        default=None, description="reference to the token before, while it is being rotated: what comes in may bear it"
    )
    sender: Phone = Field(description="number they come from, E.164, in quotes")


class Slack(Strict):
    """The Slack app that asks people and takes their answers."""

    url: Address = Field(default="https://slack.com/api", description="address of the API, or `env:NAME`")
    token: Reference = Field(description="reference to the app's bot token")
    signing_secret: Reference = Field(description="reference to the secret that Slack signs its requests with")
    signing_secret_before: Reference | None = Field(
        default=None, description="reference to the signing secret before, while it is being rotated"
    )
    team: str | None = Field(
        default=None, pattern=WORKSPACE, description="id of the workspace, for example T0123ABCD; others are refused"
    )


class Contact(Strict):
    """Whom a notice names for questions: a data protection officer, or another person."""

    name: Text = Field(description="as it stands in the notice")
    role: str = Field(default="", description="for example Data Protection Officer")
    email: str = Field(default="", description="address for questions")
    phone: str = Field(default="", description="telephone number for questions")


class Law(Strict):
    """Where the company is bound, and as what. A role that stands in neither list leaves its duties unclear."""

    jurisdictions: tuple[Place, ...] = Field(default=(), description="for example EU, GB or US-CA, as ISO 3166 writes")
    roles: tuple[Name, ...] = Field(default=(), description="what it is under law, for example controller")
    not_roles: tuple[Name, ...] = Field(default=(), description="what it is not, so that no duty is left unclear")
    more: tuple[Text, ...] = Field(
        default=(), description="files with duties of your own: contracts, insurers; from the protocol's folder"
    )
    address: str = Field(default="", description="postal address of the company, as it stands in notices")
    contact: Contact | None = Field(default=None, description="whom notices name for questions")
    counsel: tuple[Name, ...] = Field(default=(), description="people of whom one approves every notice")
    alarms: tuple[Name, ...] = Field(default=(), description="who is called when a clock runs out; counsel if nobody")


class Drill(Strict):
    """A rehearsal: which playbook, when (cron), against what."""

    playbook: Name = Field(description="playbook to rehearse, in kebab-case")
    service: Name = Field(description="service to rehearse it on")
    cron: Text = Field(description="when, as five cron fields, UTC: `0 10 * * 2` is Tuesdays at ten")
    against: Literal["sandbox"] = Field(default="sandbox", description="where: `sandbox`")


class Protocol(Strict):
    """Everything that protocol.yaml says."""

    version: Literal[1] = Field(description="version of this format: 1")
    company: Text = Field(description="as it stands in messages")
    services: dict[Name, Service] = Field(min_length=1, description="what is run, by name")
    people: dict[Name, Person] = Field(min_length=1, description="who is told or asked, by short name")
    stakeholders: tuple[Name, ...] = Field(default=(), description="people told by SMS, and by call")
    messages: Messages = Field(description="how messages and calls go out")
    slack: Slack | None = Field(default=None, description="the Slack app that people may decide by")
    levels: dict[Level, LevelRule] = Field(
        description="the Defcon matrix: who decides and what may be done, for 1, 2 and 3",
        json_schema_extra={"propertyNames": {"enum": ["1", "2", "3"]}, "required": ["1", "2", "3"]},
    )
    gates: dict[GateKind, Gate] = Field(
        description="who is asked before each kind of action: contain, inform, restore, destroy",
        json_schema_extra={"required": ["contain", "inform", "restore", "destroy"]},
    )
    break_glass: BreakGlass | None = Field(
        default=None, description="two people who may override an unreachable ladder"
    )
    alerts: dict[Name, AlertSender] = Field(default={}, description="who may send alerts, by name of the sender")
    intake: Intake = Field(default=Intake(), description="when alerts are one incident, and when they start nothing")
    maintenance: tuple[Maintenance, ...] = Field(default=(), description="planned work: alerts are held meanwhile")
    systems: dict[Name, System] = Field(default={}, description="what holds credentials or sessions, by name")
    law: Law = Field(default=Law(), description="where the company is bound")
    drills: tuple[Drill, ...] = Field(default=(), description="rehearsals, and when")

    @cached_property
    def _accounts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for who, person in self.people.items():
            for account in person_accounts(who, person.model_dump()):
                found.setdefault(account, who)
        return found

    def person(self, account: str) -> str | None:
        """Return the short name of the human behind a name, alias, number or account, however it is spelt; or None."""
        return self._accounts.get(spelling(account))

    def level_that_authorises(self, action: str) -> Level | None:
        """Return the mildest level at which an action may run, or None."""
        fitting = [level for level, rule in self.levels.items() if action in rule.authorised]
        return max(fitting, default=None)
