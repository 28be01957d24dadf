"""Session: asks AWS within its limits; every failure of boto is translated here and nowhere else."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.parsers import ResponseParserError
from pydantic import SecretStr

from crisis.clients.aws.pace import Pace
from crisis.clients.aws.wire import Http, Wire
from crisis.domain.systems.aws import Aws
from crisis.errors import CrisisError, ProtocolError, RefusedError, TransientError
from crisis.settings import read_address, read_reference

__all__ = ["VENDOR", "Session", "is_throttle"]

VENDOR = "aws"
_THROTTLES = {
    "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "SlowDown", "PriorRequestNotComplete", "LimitExceededForRate",
}  # fmt: skip
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "403"}
_STRANGERS = {
    "InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch", "ExpiredToken",
    "InvalidSignatureException", "ExpiredTokenException", "InvalidAccessKeyId", "IncompleteSignature",
}  # fmt: skip
_TRIES, _TRIES_WHEN_THROTTLED = 3, 6
_BROKEN = 500
_FIRST_WAIT = 0.15


def is_throttle(code: str) -> bool:
    """Whether AWS's word for an error means that it was asked too often, in which case nothing happened."""
    return code in _THROTTLES


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong with one try."""

    code: str
    again: bool
    throttled: bool = False


class Session:
    """
    One set of credentials at one account; clients of every API and region, made once, used by all threads.

    boto's own retries are off: whether a call may be repeated is ours to know.
    """

    def __init__(self, to: Aws, wire: Wire | None = None) -> None:
        self.system = to
        self.wire: Wire = wire or Http()
        self.pace = Pace(to.calls_per_second)
        self._boto = boto3.Session(**_credentials(to), region_name=to.region)
        self._boto.events.register("before-send", self._send)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._url = read_address(to.url) if to.url else None

    def __repr__(self) -> str:
        return f"Session({self.system.region!r})"

    def close(self) -> None:
        """Let go of all connections."""
        self.wire.close()

    @property
    def own_key(self) -> str:
        """The public id of the key in use; empty where there is none."""
        found = self._boto.get_credentials()
        return str(found.access_key) if found is not None else ""

    def client(self, api: str, region: str = "") -> Any:
        """Return boto's client of an API; making one is not safe in two threads at once."""
        where = region or self.system.region
        with self._lock:
            if (api, where) not in self._clients:
                config = Config(retries={"total_max_attempts": 1}, parameter_validation=True)
                made = self._boto.client(api, region_name=where, endpoint_url=self._url, config=config)
                self._clients[api, where] = made
            return self._clients[api, where]

    def ask(
        self, api: str, operation: str, target: str, *, region: str = "", once: bool = False, **asked: Any
    ) -> dict[str, Any]:
        """
        Call an operation by boto's name of it. `once`: a second try could do the thing twice, so there is none.

        Time-outs, throttles and 5xx raise TransientError after bounded tries, everything else RefusedError.
        """
        found, failure = self._try(api, operation, region, frozenset(), asked, once=once)
        if failure is not None or found is None:
            raise self._error(api, operation, target, failure)
        return found

    def seek(
        self, api: str, operation: str, target: str, *, absent: tuple[str, ...], region: str = "", **asked: Any
    ) -> dict[str, Any] | None:
        """Call an operation that answers with one of `absent`, AWS's words, when there is nothing there: then None."""
        found, failure = self._try(api, operation, region, frozenset(absent), asked)
        if failure is not None:
            raise self._error(api, operation, target, failure)
        return found

    def pages(
        self, api: str, operation: str, key: str, target: str, *, region: str = "", **asked: Any
    ) -> Iterator[Any]:
        """Yield what all pages of a listing hold under a key; each page is asked for as any call is."""
        pager = self.client(api, region).get_paginator(operation)
        # Read from boto's own description, so that no page is fetched behind the back of `ask`.
        inputs = _list(pager._pagination_cfg["input_token"])  # noqa: SLF001
        outputs = _list(pager._pagination_cfg["output_token"])  # noqa: SLF001
        following: dict[str, Any] = {}
        while True:
            page = self.ask(api, operation, target, region=region, **asked, **following)
            yield from page.get(key, ())
            names = [one.partition(" ")[0] for one in outputs]
            following = {name: page[out] for name, out in zip(inputs, names, strict=True) if page.get(out)}
            if not following:
                return

    def _try(
        self,
        api: str,
        operation: str,
        region: str,
        absent: frozenset[str],
        asked: dict[str, Any],
        *,
        once: bool = False,
    ) -> tuple[dict[str, Any] | None, _Failure | None]:
        """Call within bounds; return the answer, or None for what is absent, or the last failure."""
        call, tries, failure = getattr(self.client(api, region), operation), 0, _Failure("no try", again=True)
        while failure.again and tries < (_TRIES_WHEN_THROTTLED if failure.throttled else 1 if once else _TRIES):
            if tries and not failure.throttled:
                time.sleep(_FIRST_WAIT * 2**tries)
            tries += 1
            found, failed = _call(call, asked)
            if failed is None:
                return found, None
            if failed.code in absent:
                return None, None
            failure = failed
            if failure.throttled:
                self.pace.slow(_api_id(api))
        return None, failure

    def _error(self, api: str, operation: str, target: str, failure: _Failure | None) -> CrisisError:
        permission = f"{api}:{self.client(api).meta.method_to_api_mapping[operation]}"
        code, again = (failure.code, failure.again) if failure is not None else ("no answer", True)
        if code == "no credentials":
            then = "give the system an access key by reference, or run crisis with a role"
            return ProtocolError(target, wanted="credentials for AWS", saw="none", then=then)
        kind = TransientError if again else RefusedError
        then = "try again"
        if not again:
            then = "look at what was asked"
            then = f"allow {permission} in the policy of our credentials" if code in _DENIED else then
            then = "renew the credentials that crisis uses" if code in _STRANGERS else then
        return kind(target, vendor=VENDOR, operation=permission, wanted=f"AWS to do {permission}", saw=code, then=then)

    def _send(self, request: Any, event_name: str, **_: Any) -> Any:
        api = event_name.split(".")[1]
        self.pace.wait(api)
        answer = self.wire.send(request)
        self.pace.recover(api)
        return answer


def _call(call: Callable[..., dict[str, Any]], asked: dict[str, Any]) -> tuple[dict[str, Any], _Failure | None]:
    """Call once. What boto raises ends here, where nothing is chained to it: it carries whole answers."""
    try:
        return call(**asked), None
    except ClientError as error:
        return {}, _judge(error)
    except NoCredentialsError:
        return {}, _Failure("no credentials", again=False)
    except (HTTPClientError, ResponseParserError) as error:
        return {}, _Failure(f"no answer ({type(error).__name__})", again=True)
    except BotoCoreError as error:
        return {}, _Failure(type(error).__name__, again=False)


def _judge(error: ClientError) -> _Failure:
    code = str(error.response.get("Error", {}).get("Code", "no code"))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    throttled = is_throttle(code)
    return _Failure(code, again=throttled or status >= _BROKEN, throttled=throttled)


def _credentials(to: Aws) -> dict[str, str]:
    named = {
        "aws_access_key_id": to.access_key_id, "aws_secret_access_key": to.secret_access_key,
        "aws_session_token": to.session_token,
    }  # fmt: skip
    found: dict[str, SecretStr] = {name: read_reference(where) for name, where in named.items() if where}
    return {name: value.get_secret_value() for name, value in found.items()}


def _api_id(api: str) -> str:
    return {"secretsmanager": "secrets-manager", "cognito-idp": "cognito-identity-provider"}.get(api, api)


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
