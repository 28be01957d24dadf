"""SendGrid: API keys, deleted by their ids."""

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey, read, try_key
from crisis.clients.third.simple import SimpleVendor, Way
from crisis.domain.systems.third import SendGridKeys
from crisis.settings import read_address

__all__ = ["connect"]

_WAY = Way(
    "sendgrid", "/v3/api_keys",
    lambda body: [ListedKey(str(one["api_key_id"]), note=str(one.get("name") or "")) for one in body["result"]],
    may_list="the scope api_keys.read", may_end="the scope api_keys.delete",
)  # fmt: skip


def connect(system: SendGridKeys) -> SimpleVendor:
    """Open the account; every key may read its own scopes, so that is how one is tried."""
    url = read_address(system.url)
    api = Api("sendgrid", url, bearer=read(system.token))
    return SimpleVendor(api, (_WAY,), lambda secret: try_key("sendgrid", url, "/v3/scopes", bearer=secret))
