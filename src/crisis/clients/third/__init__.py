"""Third: the keys of other companies' services, ended by their own APIs and tried afterwards."""

from crisis.clients.third import cloudflare, datadog, github, npm, openai, sendgrid, slack, stripe, twilio
from crisis.clients.third.keys import KeyVendor
from crisis.domain.systems.third import (
    CloudflareTokens,
    DatadogKeys,
    GitHubKeys,
    NpmTokens,
    OpenAIKeys,
    SendGridKeys,
    SlackTokens,
    StripeKeys,
    ThirdParty,
)

__all__ = ["KeyVendor", "connect"]


def connect(system: ThirdParty) -> KeyVendor:  # noqa: PLR0911 - one line for each vendor
    """Open the vendor that a system of protocol.yaml names."""
    match system:
        case GitHubKeys():
            return github.connect(system)
        case StripeKeys():
            return stripe.connect(system)
        case SendGridKeys():
            return sendgrid.connect(system)
        case SlackTokens():
            return slack.connect(system)
        case DatadogKeys():
            return datadog.connect(system)
        case CloudflareTokens():
            return cloudflare.connect(system)
        case NpmTokens():
            return npm.connect(system)
        case OpenAIKeys():
            return openai.connect(system)
    return twilio.connect(system)
