"""Http: the one seam to web APIs; every vendor failure is translated here and nowhere else."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Required, Self, TypedDict, TypeVar, Unpack

import httpx
from pydantic import SecretStr

from crisis.errors import ProtocolError, RefusedError, TransientError

__all__ = ["Api", "Asking", "ThrottledError"]

T = TypeVar("T")

_TOO_LATE, _TOO_EARLY, _TOO_MANY, _FORBIDDEN, _BROKEN = 408, 425, 429, 403, 500
_LONGEST = 160
_NEXT = {
    401: "renew the token and look where its reference points",
    403: "give the token the permission it lacks",
    404: "check the name, and that the token may see it",
}


class ThrottledError(TransientError):
    """The vendor said when to come back."""

    retry_after: float = 0.0


class Asking(TypedDict, total=False):
    """What a call may say besides method and path."""

    operation: Required[str]
    target: Required[str]
    json: Any
    form: Mapping[str, str]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    ok: tuple[int, ...]


CERTIFICATES = httpx.create_ssl_context(trust_env=False)
"""Loaded once, with the module: it takes longer than a request, and a forked run inherits it."""


class Api:
    """
    One vendor's API, open as long as the `with` block.

    Time-outs, broken connections, 429 and 5xx raise TransientError; every other answer that is not in `ok`
    raises RefusedError. No text of either holds an address or a secret.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        *,
        bearer: SecretStr | None = None,
        basic: tuple[SecretStr, SecretStr] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.vendor = vendor
        self._base = SecretStr(base_url.rstrip("/"))
        self._secrets = tuple(secret for secret in (bearer, *(basic or ())) if secret is not None)
        token = {"Authorization": f"Bearer {bearer.get_secret_value()}"} if bearer else {}
        login = (basic[0].get_secret_value(), basic[1].get_secret_value()) if basic else None
        if not all(secret.get_secret_value().isascii() for secret in self._secrets):
            then = "store it again, without stray characters"
            raise ProtocolError(f"{vendor} token", wanted="plain ASCII", saw="other characters", then=then)
        self._client = httpx.Client(
            headers={"User-Agent": "crisis-protocols", **(headers or {}), **token},
            auth=login, timeout=timeout, trust_env=False, verify=CERTIFICATES,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Api({self.vendor!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def get(self, path: str, **asking: Unpack[Asking]) -> httpx.Response:
        """Read."""
        return self.request("GET", path, **asking)

    def post(self, path: str, **asking: Unpack[Asking]) -> httpx.Response:
        """Make something."""
        return self.request("POST", path, **asking)

    def put(self, path: str, **asking: Unpack[Asking]) -> httpx.Response:
        """Replace."""
        return self.request("PUT", path, **asking)

    def patch(self, path: str, **asking: Unpack[Asking]) -> httpx.Response:
        """Change a part."""
        return self.request("PATCH", path, **asking)

    def delete(self, path: str, **asking: Unpack[Asking]) -> httpx.Response:
        """Remove."""
        return self.request("DELETE", path, **asking)

    def ask(self, method: str, path: str, parse: Callable[[Any], T], **asking: Unpack[Asking]) -> T:
        """Send a request and read its JSON answer; an answer of another shape is refused, not half understood."""
        return self.read(self.request(method, path, **asking), parse, **asking)

    def read(self, response: httpx.Response, parse: Callable[[Any], T], **asking: Unpack[Asking]) -> T:
        """Read the JSON of an answer."""
        try:
            return parse(response.json())
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise RefusedError(
                asking["target"], vendor=self.vendor, operation=asking["operation"],
                wanted="the JSON its documentation promises", saw=f"{response.status_code} with another shape",
                then="look whether the address is this vendor's API",
            ) from None  # fmt: skip

    def request(self, method: str, path: str, **asking: Unpack[Asking]) -> httpx.Response:
        """Send one request; return only an answer whose status is in `ok`."""
        response = self._send(method, path, asking)
        if response.status_code not in asking.get("ok", (200,)):
            self._refuse(response, asking)
        return response

    def _send(self, method: str, path: str, asking: Asking) -> httpx.Response:
        try:
            return self._client.request(
                method, self._base.get_secret_value() + path,
                json=asking.get("json"), data=asking.get("form"),
                params=asking.get("params") or None, headers=asking.get("headers"),
            )  # fmt: skip
        except httpx.TimeoutException:
            saw, ours = "no answer in time", False
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            saw, ours = "ones HTTP cannot carry", True
        except httpx.RequestError as error:
            saw, ours = f"no connection ({type(error).__name__})", False
        # Raised out here, where nothing is chained: the cause carries the request, and so the token.
        if ours:
            wanted, then = f"a usable address and token for {self.vendor}", "mend them where their references point"
            raise ProtocolError(asking["target"], wanted=wanted, saw=saw, then=then)
        wanted = f"{self.vendor} to {asking['operation']}"
        raise TransientError(
            asking["target"],
            vendor=self.vendor,
            operation=asking["operation"],
            wanted=wanted,
            saw=saw,
            then="try again",
        )

    def _refuse(self, response: httpx.Response, asking: Asking) -> NoReturn:
        status = response.status_code
        saw = f"{status} {self._clean(_says(response))}".rstrip()
        wanted = f"{self.vendor} to {asking['operation']}"
        after = _seconds(response.headers.get("retry-after", ""))
        spent = status == _FORBIDDEN and (after is not None or response.headers.get("x-ratelimit-remaining") == "0")
        if not (spent or status in {_TOO_LATE, _TOO_EARLY, _TOO_MANY} or status >= _BROKEN):
            then = _NEXT.get(status, f"read what {self.vendor} says")
            raise RefusedError(
                asking["target"], vendor=self.vendor, operation=asking["operation"], wanted=wanted, saw=saw, then=then
            )
        kind = TransientError if after is None else ThrottledError
        error = kind(
            asking["target"], vendor=self.vendor, operation=asking["operation"], wanted=wanted, saw=saw,
            then="try again" if after is None else f"try again in {after:.0f} s",
        )  # fmt: skip
        if isinstance(error, ThrottledError):
            error.retry_after = after or 0.0
        raise error

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret.get_secret_value(), "***") if secret.get_secret_value() else text
        return re.sub(r"\w+://\S+", "(address)", text)[:_LONGEST]


def _says(response: httpx.Response) -> str:
    """Find the vendor's own words for what is wrong, one line."""
    try:
        body = response.json()
    except ValueError:
        return ""
    found = body
    for _ in range(2):
        if isinstance(found, dict):
            found = next((found[key] for key in ("message", "error", "detail", "title") if found.get(key)), "")
    return " ".join(found.split()) if isinstance(found, str) else ""


def _seconds(text: str) -> float | None:
    return float(text) if text.strip().isdecimal() else None
