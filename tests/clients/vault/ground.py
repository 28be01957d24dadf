"""A Vault to test against: the stand-in, or a real server, set up over HTTP by other means than our client."""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette

from crisis.clients import vault
from crisis.clients.http import CERTIFICATES
from crisis.clients.vault import Seam, Vault
from crisis.sandbox.vault.app import build
from crisis.sandbox.vault.serve import make_root
from crisis.sandbox.vault.state import Flavour, State
from tests.clients.servers import Served

__all__ = ["Ground", "opened", "real", "stand_in"]

_WEB = httpx.Client(trust_env=False, verify=CERTIFICATES, timeout=20)
"""One for all: making one costs more than a request."""


@dataclass
class Ground:
    """One server: its root token, and names that are this test's alone. `state` is None where the server is real."""

    product: str
    url: str
    root: str
    state: State | None = None
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    mounted: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, token: str = "", ok: tuple[int, ...] = (200, 204)) -> Any:
        """Send a request as root, or as another token; return the JSON of its answer."""
        answer = self.send(method, path, body, token)
        assert answer.status_code in ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def send(self, method: str, path: str, body: Any = None, token: str = "") -> httpx.Response:
        """Send a request and return the answer, whatever it is."""
        headers = {"X-Vault-Token": token or self.root}
        return _WEB.request(method, f"{self.url}/v1/{path}", json=body, headers=headers)

    def mount(self, kind: str, **options: str) -> str:
        """Mount an engine for this test; return where."""
        name = f"{kind}-{self.tag}"
        self.ask("POST", f"sys/mounts/{name}", {"type": kind, "options": options})
        self.mounted.append(f"sys/mounts/{name}")
        return name

    def approle(self, role: str = "shop", **more: Any) -> str:
        """Enable AppRole for this test, with one role; return where."""
        name = f"approle-{self.tag}"
        self.ask("POST", f"sys/auth/{name}", {"type": "approle"})
        self.mounted.append(f"sys/auth/{name}")
        self.ask("POST", f"auth/{name}/role/{role}", {"token_policies": "default", "token_ttl": "1h", **more})
        return name

    def login(self, mount: str, role: str = "shop") -> dict[str, Any]:
        """Log in as the role would; return its token and accessor, and the secret id's."""
        role_id = self.ask("GET", f"auth/{mount}/role/{role}/role-id")["data"]["role_id"]
        made = self.ask("POST", f"auth/{mount}/role/{role}/secret-id", {})["data"]
        body = {"role_id": role_id, "secret_id": made["secret_id"]}
        auth: dict[str, Any] = self.ask("POST", f"auth/{mount}/login", body)["auth"]
        return {**auth, **made}

    def token(self, **body: Any) -> dict[str, Any]:
        """Make a token; an orphan one unless a parent's token is given."""
        parent = body.pop("parent", "")
        made = {"ttl": "1h", **({} if parent else {"no_parent": True}), **body}
        auth: dict[str, Any] = self.ask("POST", "auth/token/create", made, token=parent)["auth"]
        return auth

    def policy(self, text: str) -> str:
        """Write a policy for this test; return its name."""
        name = f"policy-{self.tag}-{secrets.token_hex(3)}"
        self.ask("POST", f"sys/policies/acl/{name}", {"policy": text})
        self.mounted.append(f"sys/policies/acl/{name}")
        return name

    def lives(self, token: str) -> bool:
        """Say whether the server takes a token."""
        return self.send("GET", "auth/token/lookup-self", token=token).status_code == 200

    def database(self, root: str = "first password") -> str:
        """Set up a database with a root user, connected to an engine; return the engine's mount. Stand-in only."""
        name = f"database-{self.tag}"
        self.lever(f"databases/{name}", username="root", password=root)
        mount = self.mount("database")
        url = f"postgresql://127.0.0.1/{name}"
        body = {"plugin_name": "postgresql-database-plugin", "connection_url": url, "allowed_roles": ["shop"]}
        self.ask("POST", f"{mount}/config/shop", {**body, "username": "root", "password": root})
        self.ask("POST", f"{mount}/roles/shop", {"db_name": "shop", "default_ttl": "1h"})
        return mount

    def gets_in(self, user: str, password: str) -> bool:
        """Say whether the database takes a password."""
        asked = {"username": user, "password": password}
        url = f"{self.url}/_sandbox/databases/database-{self.tag}/login"
        return _WEB.post(url, json=asked).status_code == 200

    def lever(self, lever: str, **asked: Any) -> None:
        """Pull a lever of the stand-in."""
        _WEB.post(f"{self.url}/_sandbox/{lever}", json=asked).raise_for_status()

    def breaks(self, **faults: Any) -> None:
        """Switch faults of the stand-in."""
        self.lever("faults", **faults)

    @contextmanager
    def client(self, token: str = "") -> Iterator[Vault]:
        """Open our client as root, or as another token."""
        with vault.Vault(Seam.open(self.url, SecretStr(token or self.root), None)) as client:
            yield client

    def tidy(self) -> None:
        """Take away what this test has made."""
        if self.state is not None:
            self.breaks()
        for path in reversed(self.mounted):
            self.send("DELETE", path)


class _Served(Served):
    """A server that knows verbs beside HTTP's own, such as LIST; httptools turns them down."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(app)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off", http="h11"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})


@contextmanager
def stand_in(flavour: Flavour) -> Iterator[Ground]:
    """Serve a stand-in."""
    state = State(flavour)
    root = make_root(state)
    with _Served(build(state)) as url:
        yield Ground({"vault": "Vault", "openbao": "OpenBao"}[flavour], url, root, state)


def opened(ground: Ground) -> Ground:
    """Return the same server for another test."""
    return Ground(ground.product, ground.url, ground.root, ground.state)


def real(environment: Mapping[str, str], name: str) -> Ground | None:
    """Return the real server that the environment names, `VAULT` or `BAO`; None when it names none."""
    address, token = environment.get(f"{name}_ADDR", ""), environment.get(f"{name}_TOKEN", "")
    if not address or not token:
        return None
    return Ground({"VAULT": "Vault", "BAO": "OpenBao"}[name], address.rstrip("/"), token)
