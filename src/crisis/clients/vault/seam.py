"""Seam: the one place where a Vault is talked to; every failure is translated here, and no answer's text leaves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

from pydantic import SecretStr

from crisis.errors import ProtocolError, RefusedError, TransientError

__all__ = ["VENDOR", "Heard", "Seam"]

VENDOR = "vault"

_SECONDS = 10.0
_CAPABILITY = {"GET": "read", "LIST": "list", "POST": "update", "PUT": "update", "DELETE": "delete"}
_FORBIDDEN, _SEALED = 403, 503
_TRANSIENT = {412, 429, 500, 502, 503, 504}
_STANDBY = {472, 473}
_NEXT = {
    400: "look at what was asked for, and at the server's log",
    404: "check the name, and that the engine is mounted there",
    405: "this server does not know the operation; check its version",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer: its status, and its `data`, `auth` and `warnings` where there are any."""

    status: int
    data: dict[str, Any]
    auth: dict[str, Any]

    def list(self) -> list[str]:
        """Return the keys of a LIST; an empty one is a 404 without keys."""
        return [str(one) for one in self.data.get("keys") or []]


@dataclass(frozen=True)
class Seam:
    """One server as one token sees it. `hvac` is an `hvac.Client`, of which the adapter alone is used."""

    hvac: Any

    def __repr__(self) -> str:
        return "Seam('vault')"

    @classmethod
    def open(cls, url: str, token: SecretStr, namespace: str | None) -> "Seam":
        """Make a connection; nothing is sent yet. CA files are hvac's: VAULT_CACERT and VAULT_CAPATH."""
        import hvac  # noqa: PLC0415 - half a second that only users of Vault should pay

        value = token.get_secret_value()
        if not value.isascii() or not value.isprintable():
            then = "store it again, without stray characters"
            raise ProtocolError("vault token", wanted="plain ASCII", saw="other characters", then=then)
        # LIST is a verb of Vault's own that proxies refuse; strict_http spells it as a GET.
        client = hvac.Client(
            url=url, token=value, namespace=namespace, timeout=_SECONDS,
            adapter=hvac.adapters.RawAdapter, strict_http=True,
        )  # fmt: skip
        client.adapter.session.trust_env = False
        return cls(client)

    def with_token(self, token: SecretStr) -> "Seam":
        """Return the same server as another token sees it."""
        adapter = self.hvac.adapter
        return Seam.open(adapter.base_uri, token, adapter.namespace)

    def close(self) -> None:
        """Let go of all connections."""
        self.hvac.adapter.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        target: str = "",
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        ok: Iterable[int] = (200, 202, 204),
        sudo: bool = False,
        capability: str = "",
        seconds: float = _SECONDS,
    ) -> Heard:
        """
        Send one request; return only an answer whose status is in `ok`.

        A 403 raises RefusedError that names the path and the capabilities that the token lacks on it. Time-outs,
        broken connections, 429 and 5xx raise TransientError, but a sealed server raises RefusedError.
        """
        about = target or path
        response = self._send(method, path, body, params, operation=operation, about=about, seconds=seconds)
        status = int(response.status_code)
        if status not in ok:
            needed = {capability or _CAPABILITY[method], *(("sudo",) if sudo else ())}
            self._refuse(status, path, needed, operation=operation, about=about)
        parsed = _json(response)
        return Heard(status, _mapping(parsed.get("data")) or parsed, _mapping(parsed.get("auth")))

    def lacks(self, path: str, needed: Iterable[str]) -> list[str] | None:
        """List the capabilities that the token lacks on a path; None when it is refused altogether."""
        asked = {"paths": [path]}
        operation = "say what the token may do"
        response = self._send("POST", "sys/capabilities-self", asked, None, operation=operation, about=path)
        if int(response.status_code) != 200:  # noqa: PLR2004
            return None
        parsed = _json(response)
        has = _mapping(parsed.get("data")).get(path, parsed.get(path)) or []
        return [] if "root" in has else sorted(set(needed) - set(has))

    def refused(self, target: str, operation: str, *, saw: str, then: str) -> RefusedError:
        """Make the error of a server that said no."""
        wanted = f"{VENDOR} to {operation}"
        return RefusedError(target, vendor=VENDOR, operation=operation, wanted=wanted, saw=saw, then=then)

    def _send(
        self, method: str, path: str, body: Any, params: Any, *, operation: str, about: str, seconds: float = _SECONDS
    ) -> Any:
        more = {"json": body} if body is not None else {}
        more |= {"params": dict(params)} if params else {}
        if {".", ".."} & set(path.split("/")):
            raise self.refused(about, operation, saw="a name that leads elsewhere", then="look at who made it")
        try:
            return self.hvac.adapter.request(
                method, f"/v1/{quote(path)}", raise_exception=False, timeout=seconds, **more
            )  # fmt: skip
        except ValueError:
            saw, ours = "ones HTTP cannot carry", True
        except OSError as error:  # what requests raises is one
            saw, ours = f"no answer ({type(error).__name__})", False
        # Raised out here, where nothing is chained: the cause carries the request, and so the token.
        if ours:
            then = "mend them where their references point"
            raise ProtocolError(about, wanted="a usable address and token for vault", saw=saw, then=then)
        wanted = f"{VENDOR} to {operation}"
        raise TransientError(about, vendor=VENDOR, operation=operation, wanted=wanted, saw=saw, then="try again")

    def _refuse(self, status: int, path: str, needed: set[str], *, operation: str, about: str) -> NoReturn:
        if status == _FORBIDDEN:
            self._forbid(path, needed, operation=operation, about=about)
        if status == _SEALED and self._is_sealed():
            then = "unseal it: that needs the holders of its keys; nothing can be revoked or read before"
            raise self.refused(about, operation, saw="a sealed server", then=then)
        if status in _STANDBY:
            then = "give the address of the active node"
            raise self.refused(about, operation, saw=f"{status}, a standby", then=then)
        if status in _TRANSIENT:
            wanted = f"{VENDOR} to {operation}"
            raise TransientError(
                about, vendor=VENDOR, operation=operation, wanted=wanted, saw=f"{status}", then="try again"
            )
        raise self.refused(about, operation, saw=f"{status}", then=_NEXT.get(status, "look at the server's log"))

    def _forbid(self, path: str, needed: set[str], *, operation: str, about: str) -> NoReturn:
        lacking = self.lacks(path, needed)
        if lacking is None:
            then = "renew the token where its reference points"
            raise self.refused(about, operation, saw="403, the token itself is refused", then=then)
        if not lacking:
            then = "look at namespaces, parameters and control groups of its policy"
            raise self.refused(about, operation, saw=f"403 on {path}, which its policy allows", then=then)
        names = ", ".join(lacking)
        then = f'give its policy: path "{path}" with {", ".join(sorted(needed))}'
        raise self.refused(about, operation, saw=f"403, no {names} on {path}", then=then)

    def _is_sealed(self) -> bool:
        try:
            path, operation = "sys/seal-status", "say whether it is sealed"
            return bool(_json(self._send("GET", path, None, None, operation=operation, about=path)).get("sealed"))
        except TransientError:
            return False


def _json(response: Any) -> dict[str, Any]:
    try:
        return _mapping(response.json())
    except ValueError:
        return {}


def _mapping(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
