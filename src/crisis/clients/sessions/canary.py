"""Canary: a session of ours, taken by the service's own login, and tried again afterwards."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from crisis.clients.http import CERTIFICATES
from crisis.domain.systems.canary import Canary, Opening, Seen, Visit
from crisis.errors import ProtocolError, RefusedError, TransientError
from crisis.settings import read_address, read_reference

__all__ = ["Jar", "Verdict", "judge", "restart", "take"]

_PLACE = re.compile(r"\{(kept|cookie):([A-Za-z0-9_.-]+)\}")
_REFERENCE = re.compile(r"^(env|file|vault|block):")
_BROKEN, _TOO_MANY = 500, 429


@dataclass(frozen=True)
class Jar:
    """What a browser would hold for the session: cookies as (name, value, domain, path), and what was kept."""

    cookies: tuple[tuple[str, str, str, str], ...] = field(default=(), repr=False)
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the session lives; `unclear` proves neither. `saw` is for people and holds no secret."""

    says: Literal["accepted", "refused", "unclear"]
    saw: str


def take(canary: Canary, target: str) -> Jar:
    """
    Log in and see that everything opens.

    Raises RefusedError when the login or what it should open is refused, TransientError when nothing answers.
    """
    with _client() as client:
        kept: dict[str, str] = {}
        for one in canary.login:
            response = _send(client, canary, one, kept, target)
            kept.update(_kept(one, response, target))
        jar = Jar(tuple((one.name, one.value or "", one.domain, one.path) for one in client.cookies.jar), kept)
    verdict = judge(canary, jar, target)
    if verdict.says != "accepted":
        raise RefusedError(
            f"{target} canary", vendor=target, operation="log in", wanted="a session that opens everything",
            saw=verdict.saw, then="look at the canary's login in protocol.yaml and at its user",
        )  # fmt: skip
    return jar


def judge(canary: Canary, jar: Jar, target: str) -> Verdict:
    """
    Try a session: refused when all that it opened is refused, accepted when anything still opens.

    Raises TransientError when the service does not answer or is broken: that proves nothing.
    """
    found = []
    for opening in canary.opens:
        # A jar of its own each time: what one answer sets must not change what the next one proves.
        with _client(jar) as client:
            response = _send(client, canary, opening, jar.kept, target)
        found.append(_verdict(opening, response))
    for says in ("accepted", "unclear"):
        if (one := next((one for one in found if one.says == says), None)) is not None:
            return one
    return found[-1]


def restart(one: Visit, canary: Canary, target: str) -> None:
    """Make a service read its secret again; RefusedError when it says no. Repeated, it is asked once more."""
    with _client() as client:
        response = _send(client, canary, one, {}, target)
    if not response.is_success:
        saw = f"{one.request} answered {response.status_code}"
        raise RefusedError(
            f"{target} restart", vendor=target, operation=one.request, wanted="success", saw=saw,
            then="restart the service by hand, then run this again",
        )  # fmt: skip


def _client(jar: Jar | None = None) -> httpx.Client:
    cookies = httpx.Cookies()
    for name, value, domain, path in jar.cookies if jar else ():
        cookies.set(name, value, domain, path)
    headers = {"User-Agent": "crisis-protocols canary", "Cache-Control": "no-cache"}
    return httpx.Client(headers=headers, cookies=cookies, timeout=10.0, trust_env=False, verify=CERTIFICATES)


def _send(client: httpx.Client, canary: Canary, one: Visit, kept: Mapping[str, str], target: str) -> httpx.Response:
    url = read_address(one.url or canary.url)
    filled = _fill([one.path, one.headers, one.form, one.json_body], client.cookies, kept, target)
    path, headers, form, body = filled
    response, saw = None, ""
    try:
        response = client.request(one.method, url + path, headers=headers, data=form or None, json=body)
    except httpx.TimeoutException:
        saw = "no answer in time"
    except (httpx.RequestError, httpx.InvalidURL, UnicodeEncodeError) as error:
        saw = f"no connection ({type(error).__name__})"
    if response is not None and (response.status_code >= _BROKEN or response.status_code == _TOO_MANY):
        saw = f"status {response.status_code}"
    if response is None or saw:
        # Raised out here: the cause would carry the request, and so the session.
        raise TransientError(
            f"{target} canary", vendor=target, operation=one.request, wanted="an answer", saw=f"{one.request}: {saw}",
            then="try again",
        )  # fmt: skip
    return response


def _fill(value: Any, cookies: httpx.Cookies, kept: Mapping[str, str], target: str) -> Any:
    """Put secrets, kept texts and cookies in their places."""
    if isinstance(value, dict):
        return {key: _fill(part, cookies, kept, target) for key, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, cookies, kept, target) for part in value]
    if not isinstance(value, str):
        return value
    if _REFERENCE.match(value):
        return read_reference(value).get_secret_value()

    def found(place: re.Match[str]) -> str:
        held = cookies.jar if place[1] == "cookie" else ()
        text = next((one.value for one in held if one.name == place[2]), None)
        text = kept.get(place[2]) if place[1] == "kept" else text
        if text is None:
            then = "look at the canary's steps in protocol.yaml"
            raise ProtocolError(f"{target} canary", wanted=place[0], saw="nothing of that name", then=then)
        return text

    return _PLACE.sub(found, value)


def _kept(one: Visit, response: httpx.Response, target: str) -> dict[str, str]:
    found = {}
    for name, pattern in one.keep.items():
        match = re.search(pattern, response.text) or re.search(pattern, response.headers.get("location", ""))
        if match is None:
            raise RefusedError(
                f"{target} canary", vendor=target, operation=one.request, wanted=f"{name} in the answer",
                saw=f"{one.request} answered {response.status_code} without it",
                then="look at the canary's login in protocol.yaml and at its user",
            )  # fmt: skip
        found[name] = match[match.lastindex or 0]
    return found


def _verdict(opening: Opening, response: httpx.Response) -> Verdict:
    saw = f"{opening.request} answered {response.status_code}"
    if _fits(opening.refused, response):
        return Verdict("refused", saw)
    return Verdict("accepted" if _fits(opening.accepted, response) else "unclear", saw)


def _fits(seen: Seen, response: httpx.Response) -> bool:
    text = response.headers.get("location", "") if response.is_redirect else response.text
    return response.status_code in seen.status and re.search(seen.text, text) is not None
