"""Forms: what a page of ours posts back, read in bounds."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request

from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context
from crisis.receiver.pages import PageError

__all__ = ["NO_CODE", "code_in", "fields_in", "is_code", "is_secure", "posted"]

NO_CODE = "type the code that your authenticator shows now: six digits"

_BODY_LIMIT = 64 * 1024
_MOST_FIELDS = 200
_CODE = re.compile(r"[0-9]{6,8}")


async def posted(request: Request) -> bytes:
    """Return what was posted; PageError when it cannot be taken."""
    try:
        return await read_body(request, _BODY_LIMIT)
    except BadBodyError as error:
        raise PageError(error.status, "That could not be read", f"{error.because}. Go back and try again.") from None


def fields_in(request: Request, body: bytes) -> dict[str, str]:
    """Return the fields of a form; nothing when it is none, or one that says something twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="replace")
    except ValueError:
        return {}
    found = {name: value.replace("\r\n", "\n").replace("\x00", "\N{REPLACEMENT CHARACTER}") for name, value in pairs}
    return found if len(found) == len(pairs) else {}


def code_in(fields: Mapping[str, str]) -> str:
    """Return the one-time code of a form; authenticators show "123 456", and phones paste it so."""
    return "".join(fields["code"].split())


def is_code(text: str) -> bool:
    """Say whether a text can be a one-time code at all."""
    return _CODE.fullmatch(text) is not None


def is_secure(context: Context, request: Request) -> bool:
    """Say whether a cookie may be kept from plain HTTP."""
    return request.url.scheme == "https" or context.settings.address.startswith("https://")
