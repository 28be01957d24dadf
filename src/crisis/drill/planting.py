"""Planting: made-up secrets of every kind that is recognised, spelt as their vendors spell them."""

import base64
import json
import secrets
import string
from collections.abc import Callable

from crisis.domain.secret_format import checksum

__all__ = ["MAKERS", "github", "letters", "mixed", "planted", "private_key", "web_token"]

ALPHANUMERIC = string.ascii_letters + string.digits


def letters(count: int, alphabet: str = ALPHANUMERIC) -> str:
    """Draw so many characters."""
    return "".join(secrets.choice(alphabet) for _ in range(count))


def mixed(count: int, alphabet: str = ALPHANUMERIC) -> str:
    """Draw so many characters, small and large letters and digits among them."""
    return f"{letters(count - 3, alphabet)}aZ7"


def github(prefix: str = "ghp_") -> str:
    """Make a token of GitHub's or npm's with the checksum that they put there."""
    body = letters(30)
    return f"{prefix}{body}{checksum(body)}"


def web_token() -> str:
    """Make a JSON web token with a signature of nobody's."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": letters(8), "exp": 1_900_000_000})]
    head, body = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{body}.{letters(43)}"


def private_key() -> str:
    """Make what looks like a private key and opens nothing."""
    lines = "\n".join(letters(64) for _ in range(4))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"


URL_SAFE = f"{ALPHANUMERIC}-_"
HEX = "0123456789abcdef"

MAKERS: dict[str, Callable[[], str]] = {
    "aws secret key": lambda: mixed(40, f"{ALPHANUMERIC}/+"),
    "github token": github,
    "github fine-grained": lambda: f"github_pat_{mixed(22)}_{mixed(59)}",
    "github oauth": lambda: github("gho_"),
    "github user": lambda: github("ghu_"),
    "github server": lambda: github("ghs_"),
    "github refresh": lambda: github("ghr_"),
    "slack token": lambda: f"xoxb-{letters(12, string.digits)}-{letters(12, string.digits)}-{mixed(24)}",
    "slack webhook": lambda: f"hooks.slack.com/services/T{mixed(8)}/B{mixed(8)}/{mixed(24)}",
    "stripe key": lambda: f"sk_live_{mixed(24)}",
    "stripe restricted": lambda: f"rk_live_{mixed(24)}",
    "sendgrid key": lambda: f"SG.{mixed(22, URL_SAFE)}.{mixed(43, URL_SAFE)}",
    "stripe webhook secret": lambda: f"whsec_{mixed(32)}",
    "gitlab token": lambda: f"glpat-{mixed(20)}",
    "google key": lambda: f"AIza{mixed(35, URL_SAFE)}",
    "npm token": lambda: github("npm_"),
    "pypi token": lambda: f"pypi-AgEIcHlwaS5vcmc{mixed(80, URL_SAFE)}",
    "openai key": lambda: f"sk-proj-{mixed(80, URL_SAFE)}",
    "anthropic key": lambda: f"sk-ant-api03-{mixed(80, URL_SAFE)}",
    "vault token": lambda: f"hvs.{mixed(24)}",
    "vault batch token": lambda: f"hvb.{mixed(120, URL_SAFE)}",
    "openbao token": lambda: f"s.7{mixed(23)}",
    "web token": web_token,
    "private key": private_key,
    "named secret": lambda: mixed(32, HEX),
    "password": lambda: f"{mixed(9)}!$x",
    "password in an address": lambda: mixed(20),
    "twilio secret": lambda: mixed(32),
    "signature of an address": lambda: mixed(64, HEX),
    "cookie": lambda: mixed(43, URL_SAFE),
}
"""How to make one of each kind, by name."""

_NEEDS_A_NAME = {
    "aws secret key": "aws_secret_access_key={}",
    "named secret": "DD_API_KEY={}",
    "password": "DB_PASSWORD={}",
    "password in an address": "postgres://shop:{}@db.internal:5432/shop",
    "twilio secret": "SK0a1b2c3d4e5f60718293a4b5c6d7e8f9 {}",
    "signature of an address": "https://bucket.s3.amazonaws.com/a?X-Amz-Signature={}",
    "cookie": "Cookie: sid={}",
}


def planted(kind: str, secret: str) -> str:
    """Write a secret as it stands in a file: with the name that gives it away, where nothing else does."""
    return _NEEDS_A_NAME.get(kind, "{}").format(secret)
