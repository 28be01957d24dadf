"""Keys: what every vendor of keys can do, and how an old key is tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import quote

from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.domain.redaction import TOUCHED
from crisis.errors import RefusedError
from crisis.settings import read_reference

__all__ = ["GONE", "KeyVendor", "ListedKey", "forbidden_as", "part", "read", "try_key"]

GONE = (200, 202, 204, 404)
"""What deleting may answer: a key that is not there is ended."""

_FORBIDDEN, _UNAUTHENTICATED = 403, 401


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as its vendor lists it: its public name, whose it is, whether it works, what it is called."""

    name: str
    holder: str = ""
    alive: bool = True
    note: str = ""


class KeyVendor(Protocol):
    """One account at a vendor; use it in a `with` block."""

    def __enter__(self) -> Self:
        """Open it."""
        ...

    def __exit__(self, *_: object) -> None:
        """Let go of all connections."""
        ...

    def look(self) -> str:
        """Try our own credential by a read that changes nothing, and say what was seen."""
        ...

    def listed(self) -> list[ListedKey] | None:
        """List the keys there are; None where the vendor lists none."""
        ...

    def end(self, name: str, secret: SecretStr | None) -> None:
        """End a key by its public name; one that is ended already is left. `secret` where the vendor needs it."""
        ...

    def accepts(self, secret: SecretStr) -> bool:
        """Try a key at the vendor, changing nothing; False when it is not known there, true when it may do little."""
        ...


def read(reference: str) -> SecretStr:
    """Read a secret where a reference points, and mask it everywhere from now on."""
    secret = read_reference(reference)
    TOUCHED.add(secret)
    return secret


def part(name: str) -> str:
    """Write a name as one part of a path."""
    return quote(name, safe="")


def try_key(
    vendor: str,
    url: str,
    path: str,
    *,
    bearer: SecretStr | None = None,
    basic: tuple[SecretStr, SecretStr] | None = None,
    headers: Mapping[str, str] | None = None,
    unknown: tuple[int, ...] = (_UNAUTHENTICATED,),
) -> bool:
    """
    Ask something harmless with an old key alone; True when the vendor knows it.

    A key that lacks a permission is a key that lives: only `unknown` statuses mean that it is dead.
    """
    with Api(vendor, url, bearer=bearer, basic=basic, headers=headers) as api:
        ok = (200, _UNAUTHENTICATED, _FORBIDDEN)
        answer = api.get(path, ok=ok, operation="try the old key", target=f"{vendor} key")
        return answer.status_code not in unknown


def forbidden_as(error: RefusedError, permission: str) -> RefusedError:
    """Name the permission that is missing, where a refusal is about one."""
    if not error.saw.startswith(str(_FORBIDDEN)):
        return error
    then = f"give the token {permission}"
    return RefusedError(
        error.target, vendor=error.vendor, operation=error.operation, wanted=error.wanted, saw=error.saw, then=then
    )
