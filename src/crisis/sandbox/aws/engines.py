"""
Engines: what moto does not have behind its words, which is real databases and functions that rotate.

A database that a drill ties to a real PostgreSQL server is reached there, and a new master password is set in it, late
as at AWS; its open sessions stay. A secret that a drill gives a function gets its next value from it, late too.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds.models import DBCluster, DBInstance, MasterUserSecret, RDSBackend, rds_backends
from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend, secretsmanager_backends
from psycopg import sql

from crisis.sandbox.aws.truth import replace

__all__ = ["Engines"]


@dataclass
class _Server:
    """A real server, in which `superuser` gets in without a password. `lying`: passwords are taken and not set."""

    host: str
    port: int
    superuser: str
    lag: float = 0.0
    lying: bool = False
    busy: bool = False

    def set_password(self, user: str, password: str) -> None:
        """Let a role have a password; it is made where it is not there."""
        where = f"host={self.host} port={self.port} user={self.superuser} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            query = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
            connection.execute(query.format(verb, sql.Identifier(user), sql.Literal(password)))


@dataclass
class _Function:
    """What rotates a secret. `broken`: it makes the next version and never ends."""

    lag: float = 0.0
    broken: bool = False


@dataclass
class Engines:
    """What is tied: servers by region and database (`shop`, `cluster:shop`), functions by the secret's name."""

    servers: dict[tuple[str, str], _Server] = field(default_factory=dict)
    functions: dict[str, _Function] = field(default_factory=dict)

    def enforce(self) -> None:
        """Put it into force in this process; called once."""
        self._addresses()
        self._passwords()
        self._managed()
        self._rotation()

    def clear(self) -> None:
        """Let go of all servers and functions."""
        self.servers.clear()
        self.functions.clear()

    def tie(self, region: str, database: str, **server: Any) -> None:
        """Let a database be reached at a real server, with its master's password as the account knows it."""
        backend, plain = rds_backends[DEFAULT_ACCOUNT_ID][region], database.removeprefix("cluster:")
        one = backend.clusters[plain] if database != plain else backend.databases[plain]
        tied = self.servers[region, database] = _Server(**server)
        one.port = tied.port
        managed = one.master_user_secret if one.manage_master_user_password else None
        # moto has it, and tells nobody, as AWS does.
        password = _password_of(managed) if managed is not None else one._master_user_password  # noqa: SLF001
        tied.set_password(str(one.master_username), str(password))

    def turn(self, region: str, secret: str, **function: Any) -> None:
        """Let a function rotate a secret."""
        known: Any = secretsmanager_backends[DEFAULT_ACCOUNT_ID][region].secrets[secret]
        known.rotation_requested = known.rotation_enabled = True
        known.rotation_lambda_arn = f"arn:aws:lambda:{region}:{DEFAULT_ACCOUNT_ID}:function:rotate"
        self.functions[known.name] = _Function(**function)

    def _of(self, one: Any) -> _Server | None:
        name = f"cluster:{one.db_cluster_identifier}" if isinstance(one, DBCluster) else one.db_instance_identifier
        return self.servers.get((one.region, name))

    def _addresses(self) -> None:
        for kind, name in ((DBInstance, "address"), (DBCluster, "endpoint")):
            told = getattr(kind, name).fget

            def where(one: Any, told: Any = told) -> Any:
                tied = self._of(one)
                return tied.host if tied is not None else told(one)

            replace(kind, **{name: property(where)})

    def _passwords(self) -> None:
        instance, cluster = RDSBackend.modify_db_instance, RDSBackend.modify_db_cluster

        def of_instance(backend: RDSBackend, name: str, asked: dict[str, Any]) -> Any:
            done = instance(backend, name, asked)
            self._set(done, asked)
            return done

        def of_cluster(backend: RDSBackend, asked: dict[str, Any]) -> Any:
            name = asked["db_cluster_identifier"]
            done = cluster(backend, asked)
            self._set(backend.clusters[name], asked)
            return done

        replace(RDSBackend, modify_db_instance=of_instance, modify_db_cluster=of_cluster)

    def _set(self, one: Any, asked: dict[str, Any]) -> None:
        tied, password = self._of(one), asked.get("master_user_password")
        if tied is not None and password:
            _later(one, tied, lambda: None if tied.lying else tied.set_password(str(one.master_username), password))

    def _managed(self) -> None:
        plain: Any = MasterUserSecret.rotate_secret
        status: Any = vars(MasterUserSecret)["secret_status"]

        def rotated(managed: MasterUserSecret) -> None:
            tied = self._of(managed.resource)
            if tied is None:
                plain(managed)
                return

            def work() -> None:
                user, password = str(managed.resource.master_username), secrets.token_urlsafe(20)
                if not tied.lying:
                    tied.set_password(user, password)
                _promote(managed.secretsmanager, managed.secret.arn, {"username": user, "password": password})

            _later(managed.resource, tied, work)

        def told(managed: MasterUserSecret) -> Any:
            tied = self._of(managed.resource)
            return "rotating" if tied is not None and tied.busy else status.fget(managed)

        replace(MasterUserSecret, rotate_secret=rotated, secret_status=property(told))

    def _rotation(self) -> None:
        plain = SecretsManagerBackend.rotate_secret

        def rotated(backend: SecretsManagerBackend, secret_id: str, token: str = "", *args: Any, **named: Any) -> str:
            token = named.pop("client_request_token", token)
            secret: Any = backend.secrets[secret_id]
            function = self.functions.get(secret.name)
            if function is None:
                return plain(backend, secret_id, token, *args, **named)
            if token not in secret.versions:  # asked again with the same token, AWS starts no second one
                if any(_is_stuck(version) for version in secret.versions.values()):
                    raise InvalidRequestException("A previous rotation isn't complete.")
                value = {"password": secrets.token_urlsafe(20)}
                backend.put_secret_value(secret.arn, json.dumps(value), "", token, ["AWSPENDING"])
                if not function.broken:
                    threading.Timer(function.lag, lambda: _finish(backend, secret.arn, token)).start()
            return str(secret.to_short_dict())

        replace(SecretsManagerBackend, rotate_secret=rotated)


def _later(one: DBInstance | DBCluster, tied: _Server, work: Callable[[], None]) -> None:
    """Do it after the server's lag; meanwhile the database takes no other change."""
    tied.busy, one.status = True, "resetting-master-credentials"

    def done() -> None:
        time.sleep(tied.lag)
        work()
        tied.busy, one.status = False, "available"

    threading.Thread(target=done, daemon=True).start()


def _password_of(managed: MasterUserSecret) -> str:
    """Return what a managed secret tells now."""
    found = managed.secretsmanager.get_secret_value(managed.secret.arn, None, "AWSCURRENT")  # type: ignore[arg-type]
    return str(json.loads(found["SecretString"])["password"])


def _promote(backend: SecretsManagerBackend, arn: str, value: dict[str, str]) -> None:
    """Let a secret have another value, as a rotation of AWS's own does."""
    version = secrets.token_hex(16)
    backend.put_secret_value(arn, json.dumps(value), "", version, ["AWSPENDING"])
    _finish(backend, arn, version)


def _finish(backend: SecretsManagerBackend, arn: str, version: str) -> None:
    known: Any = backend.secrets[arn]
    before = next(name for name, one in known.versions.items() if "AWSCURRENT" in one["version_stages"])
    backend.update_secret_version_stage(arn, "AWSCURRENT", before, version)
    known.versions[version]["version_stages"].remove("AWSPENDING")
    known.last_rotation_date = int(time.time())


def _is_stuck(version: dict[str, Any]) -> bool:
    return "AWSPENDING" in version["version_stages"] and "AWSCURRENT" not in version["version_stages"]
