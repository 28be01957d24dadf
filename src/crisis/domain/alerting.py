"""Alerting: who may send alerts, what they start, and when many of them are one incident; from protocol.yaml."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self, get_args

from cronsim import CronSim, CronSimError
from pydantic import Field, StringConstraints, model_validator

from crisis.domain.level import Level
from crisis.domain.model import Address, Name, Reference, Span, Strict, Text

__all__ = [
    "ALERT_KINDS",
    "AlertFields",
    "AlertKind",
    "AlertRoute",
    "AlertSender",
    "AskBack",
    "Basic",
    "Cause",
    "CoolDown",
    "Flapping",
    "Intake",
    "Maintenance",
    "SecretHeader",
    "Storm",
]

HEADER = r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$"
HOST = r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$"
REPOSITORY = r"^[\w.-]+/[\w.-]+$"
_MOST_BEGINS = 100
TOPIC = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{6,12}:[A-Za-z0-9_.-]{1,256}$"


class Basic(Strict):
    """Name and password of HTTP basic authentication."""

    user: Text = Field(description="the user's name")
    password: Reference = Field(description="reference to the password")


class SecretHeader(Strict):
    """A header of the sender's own whose value is secret."""

    name: str = Field(pattern=HEADER, description="name of the header, for example X-Crisis-Token")
    value: Reference = Field(description="reference to what it must say")


class AlertFields(Strict):
    """Where the fields of an alert stand in a body, as dotted paths such as `data.check.name` or `alerts.0.id`."""

    state: Text = Field(description="path to the state")
    firing: tuple[Text, ...] = Field(min_length=1, description="states that mean trouble, however they are cased")
    resolved: tuple[Text, ...] = Field(default=(), description="states that mean it is over; by default all others")
    key: str = Field(default="", description="path to what names the alert, the same when it fires and resolves")
    severity: str = Field(default="", description="path to how bad it is")
    service: str = Field(default="", description="path to the service's name")
    started: str = Field(default="", description="path to when it began: RFC 3339, or seconds or milliseconds")
    summary: str = Field(default="", description="path to one line for people")
    labels: dict[str, str] = Field(default={}, description="more labels for routes, each with its path")


class AskBack(Strict):
    """Where to ask a sender for what we missed while we were away, or what it left out of a long list."""

    url: Address = Field(description="address of the sender's API, or `env:NAME`")
    token: Reference | None = Field(default=None, description="reference to a bearer token that may read there")
    basic: Basic | None = Field(default=None, description="name and password, for APIs without tokens")
    repository: str | None = Field(default=None, pattern=REPOSITORY, description="`owner/name`, for github")
    organization: str = Field(default="", description="short name of the organization, for sentry and github")
    receivers: tuple[Text, ...] = Field(
        default=(), description="names of the receivers (contact points) that mean us, for alertmanager and grafana"
    )


class AlertRoute(Strict):
    """Alerts with all these labels start this playbook on this service at this level."""

    when: dict[str, str] = Field(description="labels an alert must carry, all of them")
    start: Name = Field(description="playbook to start, in kebab-case")
    service: Name | None = Field(default=None, description="by default what the alert's label `service` says")
    level: Level = Field(default=Level.CRITICAL, description="level of the incident: 1, 2 or 3")


AlertKind = Literal[
    "alertmanager", "aws-eventbridge", "aws-sns", "azure-monitor", "cloudevents", "datadog", "gcp-monitoring",
    "generic", "github", "grafana", "jsm", "new-relic", "opsgenie", "pagerduty", "pingdom", "sentry",
    "standard-webhooks", "statuscake", "uptimerobot", "vercel",
]  # fmt: skip
"""Whose deliveries are understood: each is one file of receiver/senders, named here and nowhere else."""

ALERT_KINDS: tuple[str, ...] = get_args(AlertKind)


class AlertSender(Strict):
    """A sender of alerts, how it proves itself (any way given counts), and what its alerts mean."""

    kind: AlertKind | None = Field(
        default=None, description="whose deliveries these are; by default what its name says, else alertmanager"
    )
    secret: tuple[Reference, ...] = Field(
        default=(), description="references to what it signs with, for kinds that sign; two during a rotation"
    )
    bearer: tuple[Reference, ...] = Field(default=(), description="references to tokens; two during a rotation")
    basic: Basic | None = Field(default=None, description="name and password, for senders without tokens")
    header: SecretHeader | None = Field(default=None, description="a header of its own with a secret value")
    url_secret: Reference | None = Field(
        default=None, description="reference to the last part of its address; the weakest way, for want of another"
    )
    topics: tuple[Annotated[str, StringConstraints(pattern=TOPIC)], ...] = Field(
        default=(), description="ARNs of the SNS topics that may send, for aws-sns"
    )
    hosts: tuple[Annotated[str, StringConstraints(pattern=HOST)], ...] = Field(
        default=(), description="hosts of SNS in use, for aws-sns; by default AWS's own of the topic's region"
    )
    window: Span | None = Field(
        default=None, description="how old a signed time may be; by default 5m, and 65m for aws-sns, which retries"
    )
    fields: AlertFields | None = Field(default=None, description="where the fields stand, for kinds that leave it open")
    ask_back: AskBack | None = Field(default=None, description="where it is asked for what we missed")
    routes: tuple[AlertRoute, ...] = Field(default=(), description="what its alerts start; the first that fits")

    @property
    def shown(self) -> bool:
        """Whether it proves itself by showing a secret."""
        return bool(self.bearer or self.basic or self.header or self.url_secret)

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if not (self.shown or self.secret or self.topics):
            ways = "bearer, basic, header or url_secret; secret where it signs, topics for aws-sns"
            raise ValueError(f"a sender without a secret would let anybody start playbooks; give {ways}")
        return self

    def kind_as(self, name: str) -> str:
        """Return the kind of a sender of this name."""
        return self.kind or (name if name in ALERT_KINDS else "alertmanager")


class Cause(Strict):
    """Alerts with all these labels are one cause: they join one incident, whatever service and playbook they name."""

    name: Text = Field(description="what it is, for people: for example payment provider")
    when: Annotated[dict[str, str], Field(min_length=1)] = Field(description="labels an alert must carry, all of them")


class Flapping(Strict):
    """How often a playbook may start for a service before a human must look."""

    runs: int = Field(default=3, ge=1, description="starts of one playbook for one service")
    per: Span = Field(default="1h", validate_default=True, description="within this long; the next one tells people")


class CoolDown(Strict):
    """After which actions a service is left alone: a new alert tells people, and starts no remedy."""

    after: tuple[str, ...] = Field(
        default=("revert_release", "roll_back_release"), description="actions after which it cools down"
    )
    lasts: Span = Field(default="15m", validate_default=True, description="how long")


class Storm(Strict):
    """When so many alerts come that no remedy starts any more: one incident opens, and people are told."""

    groups: int = Field(default=30, ge=2, description="distinct groups of alerts, more of which are a storm")
    per: Span = Field(default="1m", validate_default=True, description="within this long")
    calm: Span = Field(default="5m", validate_default=True, description="how long it must be calm for it to be over")


class Intake(Strict):
    """When alerts are one incident, and when none of them may start a remedy."""

    window: Span = Field(
        default="30m", validate_default=True, description="an alert this soon after the last one of its service joins"
    )
    apart: tuple[Name, ...] = Field(
        default=("security-breach",), description="playbooks whose alerts never join an incident of another playbook"
    )
    causes: tuple[Cause, ...] = Field(default=(), description="rules that find one cause behind several services")
    flapping: Flapping = Field(default=Flapping(), description="how often a playbook may start before a human looks")
    cool_down: CoolDown = Field(default=CoolDown(), description="after which actions a service is left alone")
    storm: Storm = Field(default=Storm(), description="when alerts are a storm")
    otherwise: Name | None = Field(
        default=None, description="playbook for alerts of known services that no route fits; by default they are noted"
    )


class Maintenance(Strict):
    """Planned work on a service: its alerts are held, and judged when it is over if they still fire."""

    service: Name = Field(description="the service that is worked on")
    because: Text = Field(default="planned work", description="what is done, for people")
    since: datetime | None = Field(default=None, alias="from", description="when it begins; UTC unless it says")
    to: datetime | None = Field(default=None, description="when it is over")
    cron: str | None = Field(default=None, description="or when it begins each time, as five cron fields, UTC")
    lasts: Span | None = Field(default=None, description="and how long it lasts each time")

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        once, often = (self.since, self.to), (self.cron, self.lasts)
        if (None in once) == (None in often) or any(part is not None for part in (once if None in once else often)):
            raise ValueError("a window that does not say when; give from and to, or cron and lasts")
        if self.since is not None and self.to is not None and _aware(self.to) <= _aware(self.since):
            raise ValueError("a window that ends before it begins; write from before to")
        if self.cron is not None:
            _crons(self.cron)
        return self

    def until(self, moment: datetime) -> datetime | None:
        """Return when the window that this moment falls into is over, or None when it falls into none."""
        if self.since is not None and self.to is not None:
            return _aware(self.to) if _aware(self.since) <= moment < _aware(self.to) else None
        if self.cron is None or self.lasts is None:
            return None
        # The newest begin before the moment: the first one after (moment - lasts), as far as it is not later.
        ends = [begin + self.lasts for begin in _begins(self.cron, moment - self.lasts, moment)]
        return max(ends, default=None)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _crons(cron: str) -> None:
    try:
        CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        msg = f"no cron schedule: {error}; write five fields, for example 0 2 * * 0"
        raise ValueError(msg) from None


def _begins(cron: str, after: datetime, until: datetime) -> list[datetime]:
    """Return when a schedule begins in (after, until]; the last hundred would do, and a window has few."""
    found = list[datetime]()
    for begin in CronSim(cron, after):
        if begin > until:
            break
        found.append(begin)
        if len(found) > _MOST_BEGINS:
            found.pop(0)
    return found
