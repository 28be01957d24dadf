"""Actions on a Vault: real HTTP, real journal, a run that stands still, and mounts with the names of the policies."""

import inspect
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from crisis.domain import systems
from crisis.engine.mirror import NoMirror
from crisis.engine.run import Run
from crisis.journal.lease import Leases
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings
from tests.clients.vault.ground import Ground, opened, stand_in

T = TypeVar("T")
INCIDENT, RUN = "INC-20261124-a77ac4", "7e0f2c55-1f0a-4c6e-8a39-6d1d4c0f9a10"
PROJECT = Path(__file__).parents[3]


@dataclass
class Safe:
    """A Vault that protocol.yaml calls `safe`, and what our actions do to it."""

    ground: Ground
    run: Run
    set_token: Callable[[str], None]

    def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Perform an action or a look on it, without a playbook around it."""
        with self.run:
            bare: Callable[..., T] = inspect.unwrap(act)
            return bare("safe", *arguments)

    def as_orphan(self, *policies: str) -> str:
        """Let our token be one with these policies alone; return its accessor."""
        made = self.ground.token(policies=list(policies), no_default_policy=True)
        self.set_token(made["client_token"])
        return str(made["accessor"])

    def secret_id(self, role: str, *, stored: bool) -> str:
        """Make a role with a secret id that leaked, stored where its users find it or not; return its accessor."""
        self.ground.ask("POST", f"auth/approle/role/{role}", {"token_policies": "default", "token_ttl": "1h"})
        made = self.ground.ask("POST", f"auth/approle/role/{role}/secret-id", {})["data"]
        kept = {name: made[name] for name in ("secret_id", "secret_id_accessor")}
        if stored:
            self.ground.ask("POST", f"secret/data/approle/{role}", {"data": {**kept, "note": "stays"}})
        return str(made["secret_id_accessor"])

    def kept(self, role: str) -> dict[str, Any]:
        """Return what is stored for a role now."""
        found: dict[str, Any] = self.ground.ask("GET", f"secret/data/approle/{role}")["data"]["data"]
        return found

    def logs_in(self, role: str, secret_id: str) -> bool:
        """Say whether a secret id is taken."""
        role_id = self.ground.ask("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"]
        body = {"role_id": role_id, "secret_id": secret_id}
        return self.ground.send("POST", "auth/approle/login", body).status_code == 200

    def accessors(self, role: str) -> list[str]:
        """List a role's secret ids."""
        found: list[str] = self.ground.ask("GET", f"auth/approle/role/{role}/secret-id?list=true")["data"]["keys"]
        return found


@pytest.fixture(scope="session")
def furnished() -> Iterator[Ground]:
    """Serve a stand-in with the usual mounts."""
    with stand_in("openbao") as ground:
        for kind, path, options in (("kv", "secret", {"version": "2"}), ("transit", "transit", {})):
            ground.ask("POST", f"sys/mounts/{path}", {"type": kind, "options": options})
        ground.ask("POST", "sys/mounts/database", {"type": "database"})
        ground.ask("POST", "sys/auth/approle", {"type": "approle"})
        ground.ask("POST", "auth/approle/role/any", {"token_policies": "default"})
        ground.lever(f"databases/database-{ground.tag}", username="root", password="leaked")
        url = f"postgresql://127.0.0.1/database-{ground.tag}"
        body = {"plugin_name": "postgresql-database-plugin", "connection_url": url}
        ground.ask("POST", "database/config/shop", {**body, "username": "root", "password": "leaked"})
        ground.ask("POST", "database/roles/shop", {"db_name": "shop"})
        yield ground


@pytest.fixture
def safe(
    furnished: Ground, tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Safe]:  # fmt: skip
    """Describe the stand-in in a protocol, and start a run."""
    ground = opened(furnished)
    ground.tag = furnished.tag
    shutil.copy(migrated, tmp_path / "journal.db")
    journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    lease = Leases(journal.database, 3600).take(RUN, INCIDENT, "test", "here", 1)
    assert lease is not None
    system = systems.Vault(
        kind="vault", url=ground.url, token="env:A_VAULT_TOKEN", patience="2s",
        prefixes=("database/creds/shop", "auth/approle"),
        approles=tuple(
            systems.AppRole(role=one, kept_in="secret", kept_at=f"approle/{one}") for one in ("shop", "fresh")
        ),
    )  # fmt: skip
    protocol = load_protocol(PROJECT / "protocol.yaml").model_copy(update={"systems": {"safe": system}})
    run = Run(RUN, INCIDENT, "test", journal, protocol, Settings(home=tmp_path), lease, NoMirror())
    monkeypatch.setenv("A_VAULT_TOKEN", ground.root)
    yield Safe(ground, run, lambda token: monkeypatch.setenv("A_VAULT_TOKEN", token))
    ground.tidy()
    for role in ("shop", "fresh"):
        ground.send("DELETE", f"auth/approle/role/{role}")
        ground.send("DELETE", f"secret/metadata/approle/{role}")
    journal.close()
