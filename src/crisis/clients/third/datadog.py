"""Datadog: API keys and application keys, deleted by their ids."""

from typing import Any

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey, read, try_key
from crisis.clients.third.simple import SimpleVendor, Way
from crisis.domain.systems.third import DatadogKeys
from crisis.settings import read_address

__all__ = ["connect"]

_PAGE = 100
_API_KEY = 32
"""An API key is 32 hex digits long, an application key longer."""


def connect(system: DatadogKeys) -> SimpleVendor:
    """Open the organisation. Names are `api-key:ID` and `application-key:ID`."""
    url, key = read_address(system.url), read(system.token)
    headers = {
        "DD-API-KEY": key.get_secret_value(),
        "DD-APPLICATION-KEY": read(system.application_key).get_secret_value(),
    }

    def trial(secret: SecretStr) -> bool:
        value = secret.get_secret_value()
        if len(value) == _API_KEY:
            return try_key("datadog", url, "/api/v1/validate", headers={"DD-API-KEY": value}, unknown=(401, 403))
        tried = {**headers, "DD-APPLICATION-KEY": value}
        return try_key("datadog", url, "/api/v2/validate_keys", headers=tried, unknown=(401, 403))

    return SimpleVendor(Api("datadog", url, headers=headers), (_way("api"), _way("application")), trial)


def _way(kind: str) -> Way:
    return Way(
        "datadog", f"/api/v2/{kind}_keys", _keys, below=f"{kind}-key:", next_page=_next,
        first_page=(("page[size]", str(_PAGE)), ("page[number]", "0")),
        may_list=f"the permission {'api_keys_read' if kind == 'api' else 'org_app_keys_read'}",
        may_end=f"the permission {'api_keys_delete' if kind == 'api' else 'org_app_keys_write'}",
    )  # fmt: skip


def _keys(body: Any) -> list[ListedKey]:
    return [
        ListedKey(str(one["id"]), note=str((one.get("attributes") or {}).get("name") or "")) for one in body["data"]
    ]


def _next(body: Any, params: dict[str, str]) -> dict[str, str] | None:
    return {"page[number]": str(int(params["page[number]"]) + 1)} if len(body["data"]) == _PAGE else None
