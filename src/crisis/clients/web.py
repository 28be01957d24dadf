"""Web: the probe that does with a service what its users do, from outside."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from crisis.clients.http import CERTIFICATES
from crisis.domain.protocol import Answer, Journey, Request
from crisis.settings import read_reference

__all__ = ["Health", "Probe", "Walk", "difference", "is_reference", "p95"]

BYPASS_HEADER = "X-Maintenance-Bypass"
_WELL = {"pass": "pass", "ok": "pass", "up": "pass", "warn": "warn"}
_ILL = {"fail": "fail", "error": "fail", "down": "fail"}
_LONGEST = 80
_KINDS = ("env:", "file:", "vault:", "block:")
_Said = dict[str, str]


@dataclass(frozen=True, slots=True)
class Walk:
    """One journey, done once: whether every answer was as wanted, how long it took, what was seen."""

    name: str
    ok: bool
    seconds: float
    saw: str


@dataclass(frozen=True, slots=True)
class Health:
    """What a service says of itself, and which release says so."""

    ok: bool
    release: str
    seconds: float
    saw: str


@dataclass(frozen=True)
class Probe:
    """A user of the service at `base_url`; `bypass` lets it through the maintenance page."""

    base_url: str = field(repr=False)
    bypass: SecretStr | None = None
    timeout: float = 10.0

    def walk(self, name: str, journey: Journey) -> Walk:
        """Do a journey with one cookie jar; a network error is a failed walk."""
        secrets: list[str] = [self.bypass.get_secret_value()] if self.bypass else []
        started, saw = time.monotonic(), ""
        with self._client(inside=True) as client:
            for request in journey:
                wrong = self._step(client, request, secrets)
                if wrong:
                    return Walk(name, ok=False, seconds=time.monotonic() - started, saw=_hide(wrong, secrets))
                saw = f"{request.request} answered {request.answers.status}"
        return Walk(name, ok=True, seconds=time.monotonic() - started, saw=saw)

    def health(self, path: str) -> Health:
        """Ask the service how it is; no answer, or one that is no health document, is not healthy."""
        started = time.monotonic()
        with self._client(inside=True) as client:
            response = self._send(client, "GET", path)
        seconds = time.monotonic() - started
        if isinstance(response, str):
            return Health(ok=False, release="", seconds=seconds, saw=f"{path} {response}")
        said = _read_json(response)
        body = said if isinstance(said, dict) else {}
        word = str(body.get("status", "")).lower()
        status = {**_WELL, **_ILL}.get(word, "no known status")
        ok = word in _WELL and response.status_code < httpx.codes.BAD_REQUEST
        release = str(body.get("releaseId") or "")
        saw = f"{path} answered {response.status_code}, {status}, release {release[:12] or 'unnamed'}"
        return Health(ok, release, seconds, saw)

    def page(self, path: str = "/") -> tuple[int, str]:
        """Open a page as a stranger does, without the bypass; status 0 and the reason when nothing answers."""
        with self._client(inside=False) as client:
            response = self._send(client, "GET", path)
        return (0, response) if isinstance(response, str) else (response.status_code, response.text)

    def _client(self, *, inside: bool) -> httpx.Client:
        headers = {"User-Agent": "crisis-protocols probe", "Cache-Control": "no-cache"}
        if inside and self.bypass:
            headers[BYPASS_HEADER] = self.bypass.get_secret_value()
        return httpx.Client(headers=headers, timeout=self.timeout, trust_env=False, verify=CERTIFICATES)

    def _step(self, client: httpx.Client, request: Request, secrets: list[str]) -> str:
        """Send one request; return what is wrong with the answer, or nothing."""
        body = _resolve(request.json_body, secrets)
        headers = {name: str(_resolve(value, secrets)) for name, value in request.headers.items()}
        response = self._send(client, request.method, request.path, body, headers)
        wrong = response if isinstance(response, str) else _wrong(response, request.answers)
        return f"{request.request} {wrong}" if wrong else ""

    def _send(
        self, client: httpx.Client, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response | str:
        try:
            return client.request(method, self.base_url.rstrip("/") + path, json=body, headers=headers)
        except httpx.TimeoutException:
            return f"did not answer in {self.timeout:g} s"
        except (httpx.RequestError, httpx.InvalidURL) as error:
            return f"could not be reached ({type(error).__name__})"


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile by nearest rank; nothing measured is not fast, it is infinitely slow."""
    if not values:
        return math.inf
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def is_reference(text: str) -> bool:
    """Tell whether a string of a journey names a secret instead of being one."""
    return text.startswith(_KINDS)


def difference(wanted: Any, seen: Any, where: str = "") -> str:
    """
    Say the first place where `seen` lacks what is wanted, or nothing.

    An object may have more keys than wanted; a list must have exactly as many items.
    """
    if isinstance(wanted, dict):
        if not isinstance(seen, dict):
            return f"{where or 'the body'} is no object"
        found = (
            difference(part, seen[key], f"{where}.{key}".lstrip(".")) if key in seen else f"{where}.{key} is missing"
            for key, part in wanted.items()
        )
        return next((text.lstrip(".") for text in found if text), "")
    if isinstance(wanted, list):
        if not isinstance(seen, list) or len(seen) != len(wanted):
            return f"{where or 'the body'} is no list of {len(wanted)}"
        return next((text for i, part in enumerate(wanted) if (text := difference(part, seen[i], f"{where}[{i}]"))), "")
    if wanted == seen and isinstance(wanted, bool) == isinstance(seen, bool):
        return ""
    return f"{where or 'the body'} is {_short(seen)}, wanted {_short(wanted)}"


def _wrong(response: httpx.Response, answer: Answer) -> str:
    if response.status_code != answer.status:
        return f"answered {response.status_code}, wanted {answer.status}"
    if answer.json_has:
        wrong = difference(answer.json_has, _read_json(response))
        if wrong:
            return f"answered {response.status_code}, but {wrong}"
    if answer.text not in response.text:
        return f"answered {response.status_code} without the text {_short(answer.text)}"
    return ""


def _resolve(value: Any, secrets: list[str]) -> Any:
    """Put secrets in the place of their references, and remember them so that no text shows them."""
    if isinstance(value, dict):
        return {key: _resolve(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolve(part, secrets) for part in value]
    if isinstance(value, str) and is_reference(value):
        secrets.append(read_reference(value).get_secret_value())
        return secrets[-1]
    return value


def _read_json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _hide(text: str, secrets: list[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
