"""Cloudflare: API tokens of a user or an account, deleted by their ids."""

from typing import Any

from crisis.clients.http import Api
from crisis.clients.third.keys import ListedKey, read, try_key
from crisis.clients.third.simple import SimpleVendor, Way
from crisis.domain.systems.third import CloudflareTokens
from crisis.settings import read_address

__all__ = ["connect"]


def connect(system: CloudflareTokens) -> SimpleVendor:
    """Open the tokens of the user, or of the account where one is named."""
    url = read_address(system.url)
    root = f"/accounts/{system.account}/tokens" if system.account else "/user/tokens"
    may = "Account API Tokens" if system.account else "API Tokens"
    way = Way(
        "cloudflare", root, _tokens, may_list=f"the permission {may} Read", may_end=f"the permission {may} Write",
        next_page=_next, first_page=(("per_page", "50"),),
    )  # fmt: skip
    api = Api("cloudflare", url, bearer=read(system.token))
    return SimpleVendor(api, (way,), lambda secret: try_key("cloudflare", url, f"{root}/verify", bearer=secret))


def _tokens(body: Any) -> list[ListedKey]:
    return [
        ListedKey(str(one["id"]), alive=one.get("status") == "active", note=str(one.get("name") or ""))
        for one in body["result"]
    ]


def _next(body: Any, _: dict[str, str]) -> dict[str, str] | None:
    about = body.get("result_info") or {}
    page, pages = int(about.get("page") or 1), int(about.get("total_pages") or 1)
    return {"page": str(page + 1)} if page < pages else None
