"""OpenAI: API keys of a project, deleted by their ids."""

from typing import Any

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey, part, read, try_key
from crisis.clients.third.simple import SimpleVendor, Way
from crisis.domain.systems.third import OpenAIKeys
from crisis.settings import read_address

__all__ = ["connect"]


def connect(system: OpenAIKeys) -> SimpleVendor:
    """Open the project."""
    url = read_address(system.url)
    way = Way(
        "openai", f"/v1/organization/projects/{part(system.project)}/api_keys",
        lambda body: [
            ListedKey(str(one["id"]), holder=_owner(one), note=str(one.get("name") or "")) for one in body["data"]
        ],
        may_list="permission to read project API keys", may_end="permission to write project API keys",
        first_page=(("limit", "100"),), next_page=lambda body, _: {"after": str(body["last_id"])}
        if body.get("has_more") else None,
    )  # fmt: skip
    api = Api("openai", url, bearer=read(system.token))
    return SimpleVendor(api, (way,), lambda secret: try_key("openai", url, "/v1/models", bearer=secret))


def _owner(one: Any) -> str:
    owner = one.get("owner") or {}
    who = owner.get("user") or owner.get("service_account") or {}
    return str(who.get("id") or "")
