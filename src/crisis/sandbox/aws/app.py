"""App: moto's server with the weather before it, and a door for the drill under `/_sandbox/`."""

import io
import json
import socket
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from moto import settings as moto_settings
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from crisis.sandbox.aws.engines import Engines
from crisis.sandbox.aws.faults import Faults
from crisis.sandbox.aws.truth import Lag, enforce

__all__ = ["ADMIN", "Account"]

ADMIN = "crisis-admin"
_HANG_SECONDS = 3.0
_ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'

Environ = dict[str, Any]
Start = Callable[..., Any]


class Account:
    """One account, as a WSGI application; `admin` is the public id of a key that may do everything."""

    def __init__(self) -> None:
        self.faults, self.lag, self.engines = Faults(), Lag(), Engines()
        enforce(self.lag)
        self.engines.enforce()
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0  # every call is checked, from the first
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._key = self._make_admin()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Answer one call."""
        if environ["PATH_INFO"].startswith("/_sandbox/"):
            return self._control(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        service, key, operation = *_signed(environ), _operation(environ, body)
        time.sleep(self.faults.latency)
        fault = self.faults.meet(service, operation, key)
        if fault in ("throttle", "error"):
            throttled = fault == "throttle"
            code = "ThrottlingException" if throttled else "InternalFailure"
            refused = HTTPStatus.BAD_REQUEST if throttled else HTTPStatus.INTERNAL_SERVER_ERROR
            return _fail(environ, start, code, refused)
        try:
            status, headers, answer = self._ask_moto(environ)
        except NotImplementedError:
            return _fail(environ, start, "UnknownOperationException", HTTPStatus.BAD_REQUEST)
        if fault == "hang":
            time.sleep(_HANG_SECONDS)
        if fault == "lost":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        if status.startswith(("403", "401")) or b"InvalidClientTokenId" in answer:
            self.faults.refuse(key)
            headers, answer = _as_json(environ, headers, answer)
        start(status, headers)
        return [answer]

    def _ask_moto(self, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        began: list[Any] = []
        answer = b"".join(self._moto(environ, lambda *said: began.extend(said)))
        return began[0], began[1], answer

    def _make_admin(self) -> dict[str, str]:
        backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
        backend.create_user(region_name="us-east-1", user_name=ADMIN)
        backend.put_user_policy(ADMIN, "everything", _ALLOW_ALL)
        key = backend.create_access_key(ADMIN)
        return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}

    def _control(self, environ: Environ, start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        asked: Any = json.loads(body) if body else None
        where = environ["PATH_INFO"].removeprefix("/_sandbox/")
        if where == "faults":
            self.faults.plan(asked or [])
        elif where == "weather":
            self._set_weather(asked or {})
        elif where == "clear":
            self.faults.clear()
            self.lag.clear()
            self.engines.clear()
        elif where == "database":
            self.engines.tie(**asked)
        elif where == "rotation":
            self.engines.turn(**asked)
        counted = {name: dict(getattr(self.faults, name)) for name in ("calls", "refused", "by_key")}
        answer = json.dumps(self._key if where == "admin" else counted).encode()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]

    def _set_weather(self, asked: dict[str, Any]) -> None:
        self.faults.change(asked)
        self.lag.dead_key = float(asked.get("dead_key", self.lag.dead_key))
        self.lag.new_key = float(asked.get("new_key", self.lag.new_key))
        self.lag.zombies = set(asked.get("zombies", self.lag.zombies))


def _signed(environ: Environ) -> tuple[str, str]:
    """Return the API that a call is signed for and the id of its key."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
    return (scope[3], scope[0]) if len(scope) > 3 else ("", "")  # noqa: PLR2004


def _operation(environ: Environ, body: bytes) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rpartition(".")[2]
    named = parse_qs(body.decode("utf-8", "replace")).get("Action")
    return named[0] if named else f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def _fail(environ: Environ, start: Start, code: str, status: HTTPStatus) -> Iterable[bytes]:
    says = "Rate exceeded" if code.startswith("Throttling") else "not done"
    if "HTTP_X_AMZ_TARGET" in environ:
        kind, answer = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": says})
    else:
        code = code.removesuffix("Exception")
        inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{says}</Message></Error>"
        kind, answer = "text/xml", f"<ErrorResponse>{inner}<RequestId>drill</RequestId></ErrorResponse>"
    start(f"{status.value} {status.phrase}", [("Content-Type", kind), ("Content-Length", str(len(answer)))])
    return [answer.encode()]


def _as_json(environ: Environ, headers: list[tuple[str, str]], answer: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Say a refusal in the protocol that it was asked in: moto answers in XML whatever that was."""
    text = answer.decode("utf-8", "replace")
    if "HTTP_X_AMZ_TARGET" not in environ or "<Code>" not in text:
        return headers, answer
    code, says = (text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("Code", "Message"))
    kinds = {"AccessDenied": "AccessDeniedException", "InvalidClientTokenId": "UnrecognizedClientException"}
    told = json.dumps({"__type": kinds.get(code, code), "message": says}).encode()
    kept = [one for one in headers if one[0].lower() not in ("content-type", "content-length", "x-amzn-errortype")]
    return [*kept, ("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(told)))], told
