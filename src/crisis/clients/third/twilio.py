"""Twilio: API keys of an account, deleted by their SIDs."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey, read, try_key
from crisis.clients.third.simple import SimpleVendor, Way
from crisis.domain.systems.third import TwilioKeys
from crisis.settings import read_address

__all__ = ["connect"]


def connect(system: TwilioKeys) -> SimpleVendor:
    """Open the account. A key's secret is kept as `SK…:SECRET`: Twilio asks for both."""
    url, account = read_address(system.url), read(system.account)
    root = f"/2010-04-01/Accounts/{account.get_secret_value()}"
    way = Way(
        "twilio", f"{root}/Keys.json",
        lambda body: [ListedKey(str(one["sid"]), note=str(one.get("friendly_name") or "")) for one in body["keys"]],
        may_list="a main API key, or the auth token", may_end="a main API key, or the auth token",
        next_page=_next, suffix=".json",
    )  # fmt: skip

    def trial(secret: SecretStr) -> bool:
        sid, _, value = secret.get_secret_value().partition(":")
        # Messages are what a standard key may list; the account itself it may not even see.
        path = f"{root}/Messages.json"
        return try_key("twilio", url, path, basic=(SecretStr(sid), SecretStr(value)))

    return SimpleVendor(Api("twilio", url, basic=(account, read(system.token))), (way,), trial)


def _next(body: Any, _: dict[str, str]) -> dict[str, str] | None:
    following = body.get("next_page_uri")
    return dict(parse_qsl(urlsplit(following).query)) if following else None
