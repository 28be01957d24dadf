"""Keys: the secrets of one world, new for each."""

import secrets
from dataclasses import dataclass, field
from functools import partial

import pyotp

PEOPLE = ("ada", "ben", "cleo", "dan")
_token = partial(secrets.token_urlsafe, 24)


@dataclass(frozen=True)
class Keys:
    """Every secret; they travel through a pipe and a file that only its owner can read."""

    github: str = field(default_factory=_token, repr=False)
    switchboard: str = field(default_factory=_token, repr=False)
    twilio_sid: str = field(default_factory=lambda: f"AC{secrets.token_hex(16)}")
    twilio: str = field(default_factory=_token, repr=False)
    slack: str = field(default_factory=_token, repr=False)
    slack_signing: str = field(default_factory=_token, repr=False)
    vercel: str = field(default_factory=_token, repr=False)
    bypass: str = field(default_factory=_token, repr=False)
    probe_password: str = field(default_factory=_token, repr=False)
    alert: str = field(default_factory=_token, repr=False)
    session: str = field(default_factory=_token, repr=False)
    totp: dict[str, str] = field(default_factory=lambda: {who: pyotp.random_base32() for who in PEOPLE}, repr=False)

    def env(self, *, shop: str, vendors: str, origin: str) -> dict[str, str]:
        """Name everything a protocol refers to."""
        values = {
            "SHOP_URL": shop,
            "GITHUB_URL": f"{vendors}/github",
            "GITHUB_TOKEN": self.github,
            "ORIGIN": origin,
            "SWITCHBOARD_URL": f"{vendors}/switches/shop",
            "SWITCHBOARD_TOKEN": self.switchboard,
            "TWILIO_URL": f"{vendors}/twilio",
            "TWILIO_SID": self.twilio_sid,
            "TWILIO_TOKEN": self.twilio,
            "SLACK_URL": f"{vendors}/slack",
            "SLACK_TOKEN": self.slack,
            "SLACK_SIGNING_SECRET": self.slack_signing,
            "VERCEL_URL": f"{vendors}/vercel",
            "VERCEL_TOKEN": self.vercel,
            "BYPASS_TOKEN": self.bypass,
            "SHOPPER_PASSWORD": self.probe_password,
            "ALERT_TOKEN": self.alert,
            **{f"TOTP_{who.upper()}": secret for who, secret in self.totp.items()},
        }
        return {f"CRISIS_SANDBOX_{name}": value for name, value in values.items()}
