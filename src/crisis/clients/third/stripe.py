"""Stripe: restricted keys, expired by their ids."""

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey, read, try_key
from crisis.clients.third.simple import SimpleVendor, Way
from crisis.domain.systems.third import StripeKeys
from crisis.settings import read_address

__all__ = ["connect"]

_VERSION = {"Stripe-Version": "2026-10-29.preview"}
"""The key endpoints belong to the API's version 2, which asks for a version in each request."""

_WAY = Way(
    "stripe", "/v2/iam/api_keys",
    lambda body: [
        ListedKey(str(one["id"]), alive=one.get("status", "active") == "active", note=str(one.get("name") or ""))
        for one in body["data"]
    ],
    may_list="a key with permission to read API keys", may_end="a key with permission to write API keys",
    next_page=lambda body, _: {"page": str(body["next_page_url"]).partition("page=")[2].partition("&")[0]}
    if body.get("next_page_url") else None,
    ending=("POST", "/expire"),
)  # fmt: skip


def connect(system: StripeKeys) -> SimpleVendor:
    """Open the account; its restricted keys alone can be ended by the API."""
    url = read_address(system.url)
    api = Api("stripe", url, bearer=read(system.token), headers=_VERSION)
    return SimpleVendor(api, (_WAY,), lambda secret: try_key("stripe", url, "/v1/balance", bearer=secret))
