"""Firebase: the refresh tokens of every user of a project, by the time since which tokens are valid."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import quote, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import SecretStr

from crisis.clients.http import Api
from crisis.clients.sessions.patience import paced
from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.identity import Firebase
from crisis.errors import ProtocolError
from crisis.settings import read_address, read_reference

__all__ = ["FirebaseProject", "connect"]

_SCOPE = "https://www.googleapis.com/auth/identitytoolkit"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PAGE = "1000"
_LIFETIME = 600


def connect(system: Firebase) -> "FirebaseProject":
    """Log in as the service account; raises ProtocolError when its key is none, RefusedError when Google says no."""
    account = _account(read_reference(system.account), system.account)
    where = urlsplit(account["token_uri"])
    with Api("google", f"{where.scheme}://{where.netloc}") as door:
        token = door.ask(
            "POST", where.path, lambda body: SecretStr(body["access_token"]),
            form={"grant_type": _GRANT, "assertion": _assertion(account, system.account)},
            operation="log in", target=account["client_email"],
        )  # fmt: skip
    return FirebaseProject(Api("firebase", read_address(system.url), bearer=token), system.project)


class FirebaseProject:
    """The sessions of one project."""

    vendor = "firebase"
    has_epoch = False

    def __init__(self, api: Api, project: str) -> None:
        self._api, self._root = api, f"/v1/projects/{quote(project, safe='')}/accounts"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def look(self) -> str:
        """List one user."""
        self._page({"maxResults": "1"})
        return "users can be listed"

    def mark(self) -> str:
        """Return nothing: Google rotates its own keys."""
        return ""

    def epoch(self) -> int:
        """Return 0: it is set for each user."""
        return 0

    def set_epoch(self, at: int) -> None:
        """Do nothing: it is set for each user."""

    def end(self, mark: str, told: Progress) -> Ended:
        """Let no token count that was issued before now, user by user."""
        del mark
        count = 0
        for user in self._users():
            self._revoke(user)
            count += 1
            told(count, "users logged out")
        note = "ID tokens live for up to an hour where they are verified without check_revoked"
        return Ended(count, f"refresh tokens of {count} users revoked; {note}")

    def _revoke(self, user: str) -> None:
        # The second that has begun counts as before: tokens issued in it are refused too.
        body = {"localId": user, "validSince": str(int(time.time()) + 1)}
        paced(lambda: self._api.post(f"{self._root}:update", json=body, operation="revoke tokens", target=user))

    def _users(self) -> Iterator[str]:
        params = {"maxResults": _PAGE}
        while True:
            found, following = self._page(params)
            yield from found
            if not following:
                return
            params = {"maxResults": _PAGE, "nextPageToken": following}

    def _page(self, params: dict[str, str]) -> tuple[list[str], str]:
        path = f"{self._root}:batchGet"
        return paced(
            lambda: self._api.ask("GET", path, _listed, params=params, operation="list users", target="project")
        )


def _listed(body: Any) -> tuple[list[str], str]:
    return [str(one["localId"]) for one in body.get("users") or []], str(body.get("nextPageToken") or "")


def _account(text: SecretStr, reference: str) -> dict[str, str]:
    try:
        body = json.loads(text.get_secret_value())
        return {name: str(body[name]) for name in ("client_email", "private_key", "token_uri")}
    except (ValueError, KeyError, TypeError):
        then = "store the JSON file that Google made for the account"
        raise ProtocolError(reference, wanted="a service account's key", saw="another text", then=then) from None


def _assertion(account: dict[str, str], reference: str) -> str:
    """Sign who we are, as Google's server-to-server OAuth asks for."""
    try:
        key = serialization.load_pem_private_key(account["private_key"].encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ProtocolError(reference, wanted="an RSA private key", saw="another text", then="store it again")
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "scope": _SCOPE,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + _LIFETIME,
    }
    said = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    return f"{said}.{_base64(key.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(body: dict[str, Any]) -> str:
    return _base64(json.dumps(body).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
