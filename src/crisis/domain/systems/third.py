"""Third: vendors whose keys a program can end, what is needed for it, and in which order it is done."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal, get_args

from pydantic import Field

from crisis.domain.model import Address, Reference, Span, Strict, Text

__all__ = [
    "KINDS",
    "CloudflareTokens",
    "DatadogKeys",
    "GitHubKeys",
    "NpmTokens",
    "OpenAIKeys",
    "SendGridKeys",
    "SlackTokens",
    "StripeKeys",
    "ThirdKey",
    "ThirdParty",
    "TwilioKeys",
    "order_of_ending",
]


class ThirdKey(Strict):
    """One key that is known to be in use at a vendor."""

    name: Text = Field(description="its public name there: an id, never the secret")
    secret: Reference | None = Field(
        default=None, description="reference to its value, so that it can be tried and proved refused"
    )
    used_by: tuple[Text, ...] = Field(default=(), description="who needs it")


class _Keys(Strict):
    keys: tuple[ThirdKey, ...] = Field(default=(), description="keys in use there, by public name")
    patience: Span = Field(
        default=timedelta(seconds=20), description="how long the vendor may take until it refuses an ended key"
    )


class GitHubKeys(_Keys):
    """GitHub: leaked tokens of anybody, deploy keys, and an organisation's fine-grained tokens."""

    kind: Literal["github keys"] = Field(description="github keys: leaked tokens, deploy keys, fine-grained tokens")
    url: Address = Field(default="https://api.github.com", description="address of the API, or `env:NAME`")
    token: Reference | None = Field(
        default=None, description="reference to an App's token with Administration on repositories and the organisation"
    )
    organization: str = Field(default="", description="whose fine-grained tokens are listed; empty for none")
    repositories: tuple[Text, ...] = Field(default=(), description="whose deploy keys are listed, as `owner/name`")
    leaked: Reference | None = Field(
        default=None, description="reference to a text; every GitHub token that stands in it is revoked"
    )


class StripeKeys(_Keys):
    """Stripe: restricted keys, ended by their ids; original secret keys are rolled on the dashboard, by hand."""

    kind: Literal["stripe keys"] = Field(description="stripe keys: restricted keys of an account")
    url: Address = Field(default="https://api.stripe.com", description="address of the API, or `env:NAME`")
    token: Reference = Field(description="reference to a key that may manage API keys")


class TwilioKeys(_Keys):
    """Twilio: API keys of an account."""

    kind: Literal["twilio keys"] = Field(description="twilio keys: API keys of an account")
    url: Address = Field(default="https://api.twilio.com", description="address of the API, or `env:NAME`")
    account: Reference = Field(description="reference to the account's SID")
    token: Reference = Field(description="reference to the account's auth token")


class SendGridKeys(_Keys):
    """SendGrid: API keys."""

    kind: Literal["sendgrid keys"] = Field(description="sendgrid keys: API keys of an account")
    url: Address = Field(default="https://api.sendgrid.com", description="address of the API, or `env:NAME`")
    token: Reference = Field(description="reference to a key with the scopes api_keys.read and api_keys.delete")


class SlackTokens(_Keys):
    """Slack: a token ends itself, so each key needs its secret; Slack lists none."""

    kind: Literal["slack tokens"] = Field(description="slack tokens: each ends itself")
    url: Address = Field(default="https://slack.com/api", description="address of the API, or `env:NAME`")


class DatadogKeys(_Keys):
    """Datadog: API keys and application keys. Agents go dark with them: they end last."""

    kind: Literal["datadog keys"] = Field(description="datadog keys: API keys and application keys")
    url: Address = Field(default="https://api.datadoghq.com", description="address of your site's API, or `env:NAME`")
    token: Reference = Field(description="reference to an API key that stays")
    application_key: Reference = Field(description="reference to an application key that may manage keys")


class CloudflareTokens(_Keys):
    """Cloudflare: API tokens of a user, or of an account. The Global API Key is changed by hand."""

    kind: Literal["cloudflare tokens"] = Field(description="cloudflare tokens: API tokens of a user or an account")
    url: Address = Field(
        default="https://api.cloudflare.com/client/v4", description="address of the API, or `env:NAME`"
    )
    token: Reference = Field(description="reference to a token that may edit API tokens")
    account: str = Field(default="", description="id of the account that owns the tokens; empty for the user's own")


class NpmTokens(_Keys):
    """npm: access tokens of the registry. It may take up to an hour until a token is refused."""

    kind: Literal["npm tokens"] = Field(description="npm tokens: access tokens of the registry")
    url: Address = Field(description="address of the registry's API, or `env:NAME`")
    token: Reference = Field(description="reference to a token that may manage tokens")
    one_time_code: Reference | None = Field(
        default=None, description="reference to a one-time code, where npm asks one"
    )


class OpenAIKeys(_Keys):
    """OpenAI: API keys of a project."""

    kind: Literal["openai keys"] = Field(description="openai keys: API keys of a project")
    url: Address = Field(default="https://api.openai.com", description="address of the API, or `env:NAME`")
    token: Reference = Field(description="reference to an admin key that may write project API keys")
    project: Text = Field(description="id of the project")


ThirdParty = (
    GitHubKeys
    | StripeKeys
    | TwilioKeys
    | SendGridKeys
    | SlackTokens
    | DatadogKeys
    | CloudflareTokens
    | NpmTokens
    | OpenAIKeys
)
"""Any of them."""

KINDS: tuple[str, ...] = tuple(str(get_args(one.model_fields["kind"].annotation)[0]) for one in get_args(ThirdParty))
"""What `kind` says of each, which is what their credentials are called too."""

_RANKS = (
    ("github", "gitlab", "npm", "pypi"),  # source control and CI: who holds them puts whatever they like into the rest
    ("aws", "google", "azure", "cloudflare", "vault"),
    ("stripe",),
    ("twilio", "sendgrid", "slack"),
    ("openai", "anthropic"),
    ("datadog",),  # monitoring last: until then it shows what the attacker does
)
_UNKNOWN = 4


def order_of_ending(kinds: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """
    Return the names of systems in the order in which their keys end, given each one's kind.

    Source control and CI, cloud, payment, messaging, whatever else, monitoring last; equals by name.
    """
    return tuple(name for name, _ in sorted(dict(kinds).items(), key=lambda pair: (_rank(pair[1]), pair[0])))


def _rank(kind: str) -> int:
    vendor = kind.partition(" ")[0]
    return next((rank for rank, vendors in enumerate(_RANKS) if vendor in vendors), _UNKNOWN)
