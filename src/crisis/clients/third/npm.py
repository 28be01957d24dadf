"""npm: access tokens of the registry, revoked by their keys."""

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey, read, try_key
from crisis.clients.third.simple import SimpleVendor, Way
from crisis.domain.systems.third import NpmTokens
from crisis.settings import read_address

__all__ = ["connect"]

_ROOT = "/-/npm/v1/tokens"

_LIST = Way(
    "npm", _ROOT,
    lambda body: [ListedKey(str(one["key"]), note=str(one.get("name") or "")) for one in body["objects"]],
    may_list="the right to read tokens", may_end="the right to write tokens",
    first_page=(("perPage", "100"), ("page", "0")),
    next_page=lambda body, _: {"page": str(body["urls"]["next"]).partition("page=")[2].partition("&")[0]}
    if (body.get("urls") or {}).get("next") else None,
    ending=("DELETE", ""),
)  # fmt: skip


def connect(system: NpmTokens) -> SimpleVendor:
    """Open the registry, with a one-time code where one is given."""
    url = read_address(system.url)
    code = {"npm-otp": read(system.one_time_code).get_secret_value()} if system.one_time_code else {}
    api = Api("npm", url, bearer=read(system.token), headers=code)
    return SimpleVendor(
        api, (_LIST,), lambda secret: try_key("npm", url, "/-/whoami", bearer=secret), ending_at=f"{_ROOT}/token"
    )
