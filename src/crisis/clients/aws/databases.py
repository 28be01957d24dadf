"""Databases: instances and clusters of RDS, their masters, where they are reached, and a new password for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from crisis.clients.aws.session import Session
from crisis.clients.aws.stages import Stages
from crisis.clients.postgresql import Door

__all__ = ["POSTGRESQL", "Database", "Databases", "Named"]

POSTGRESQL = frozenset({"postgres", "aurora-postgresql"})
"""Engines in which a login is tried; whoever uses another one has to prove it by hand."""

_GONE = ("DBInstanceNotFound", "DBInstanceNotFoundFault", "DBClusterNotFoundFault")
_READY = frozenset({"available", "storage-optimization"})
_CLUSTER = "cluster:"


@dataclass(frozen=True, slots=True)
class Named:
    """
    The password of a master, by what is public: `region:instance@version` or `region:cluster:name@version`.

    `version` is that of the secret which keeps the password; empty where none does.
    """

    region: str
    database: str
    version: str = ""

    @classmethod
    def parse(cls, name: str) -> "Named":
        """Read it as the inventory writes it."""
        where, _, version = name.partition("@")
        region, _, database = where.partition(":")
        return cls(region, database, version)

    def __str__(self) -> str:
        return f"{self.region}:{self.database}{'@' if self.version else ''}{self.version}"


@dataclass(frozen=True, slots=True)
class Database:
    """
    An instance on its own, or a cluster. `doors` are all its servers, the one that is written to first.

    `kept_by_aws` is the ARN of the secret in which RDS manages the password itself, `elsewhere` what copies of it are
    in other regions: they follow, and are not asked.
    """

    name: str
    arn: str
    engine: str
    user: str
    ready: bool
    kept_by_aws: str = ""
    doors: tuple[Door, ...] = ()
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Databases:
    """The databases of one region."""

    session: Session
    region: str

    def all(self) -> Iterator[Database]:
        """Yield each once: members of a cluster and read replicas have the master of what they follow."""
        for one in self._pages("db_instances", "DBInstances"):
            if "DBClusterIdentifier" not in one and "ReadReplicaSourceDBInstanceIdentifier" not in one:
                yield _database(one, "DBInstance")
        for one in self._pages("db_clusters", "DBClusters"):
            yield _database(one, "DBCluster")

    def find(self, name: str) -> Database | None:
        """Look at one, with all its servers; None when it is gone."""
        cluster = name.startswith(_CLUSTER)
        key, plain = ("DBCluster" if cluster else "DBInstance"), name.removeprefix(_CLUSTER)
        found = self._described(key, plain)
        if found is None:
            return None
        followers = [str(one["DBInstanceIdentifier"]) for one in found.get("DBClusterMembers", ())]
        followers += found.get("ReadReplicaDBInstanceIdentifiers" if not cluster else "ReadReplicaIdentifiers", ())
        here = [self._described("DBInstance", one) for one in followers if ":" not in one]
        ports = [_port(found), *(_port(one) for one in here if one is not None)]
        base, user = str(found.get("DBName") or found.get("DatabaseName") or "postgres"), str(found["MasterUsername"])
        doors = tuple(dict.fromkeys(Door(host, port, base, user) for host, port in ports if host))
        return _database(found, key, doors, tuple(one for one in followers if ":" in one))

    def set_password(self, database: Database, password: SecretStr) -> None:
        """Ask for another password of the master. RDS takes it later, and lets whoever is in stay in."""
        self._modify(database, MasterUserPassword=password.get_secret_value())

    def rotate(self, database: Database) -> None:
        """Ask RDS for a new password that it manages itself. Once: asked again, it would make another one."""
        self._modify(database, once=True, RotateMasterUserPassword=True)

    def secret_of(self, database: Database) -> str:
        """Name the secret that keeps a master's password, whether it is there or not."""
        return database.kept_by_aws or f"{self.session.system.masters_at}/{database.name.replace(':', '/')}"

    def named(self, database: Database) -> Named:
        """Name the password that is in force, as an inventory does."""
        current = Stages(self.session, self.region).of(self.secret_of(database)).get("AWSCURRENT", "")
        return Named(self.region, database.name, current)

    def _modify(self, database: Database, *, once: bool = False, **asked: Any) -> None:
        kind = "cluster" if database.name.startswith(_CLUSTER) else "instance"
        asked[f"DB{kind.title()}Identifier"] = database.name.removeprefix(_CLUSTER)
        self.session.ask(
            "rds", f"modify_db_{kind}", database.name, region=self.region, once=once, ApplyImmediately=True, **asked
        )

    def _described(self, key: str, name: str) -> dict[str, Any] | None:
        operation = "describe_db_clusters" if key == "DBCluster" else "describe_db_instances"
        asked = {f"{key}Identifier": name}
        found = self.session.seek("rds", operation, name, absent=_GONE, region=self.region, **asked)
        listed: list[dict[str, Any]] = (found or {}).get(f"{key}s", [])
        return listed[0] if listed else None

    def _pages(self, what: str, key: str) -> Iterator[dict[str, Any]]:
        return self.session.pages("rds", f"describe_{what}", key, self.region, region=self.region)


def _database(
    one: Mapping[str, Any], key: str, doors: tuple[Door, ...] = (), elsewhere: tuple[str, ...] = ()
) -> Database:
    secret, prefix = one.get("MasterUserSecret", {}), _CLUSTER if key == "DBCluster" else ""
    status = str(one.get("Status" if prefix else "DBInstanceStatus", ""))
    return Database(
        name=f"{prefix}{one[f'{key}Identifier']}", arn=str(one.get(f"{key}Arn", "")), engine=str(one.get("Engine", "")),
        user=str(one.get("MasterUsername", "")), kept_by_aws=str(secret.get("SecretArn", "")), doors=doors,
        ready=status in _READY and secret.get("SecretStatus", "active") == "active", elsewhere=elsewhere,
    )  # fmt: skip


def _port(one: Mapping[str, Any]) -> tuple[str, int]:
    """Return host and port: a cluster tells them as a text and a number, an instance as an object."""
    endpoint = one.get("Endpoint", {})
    if isinstance(endpoint, str):
        return endpoint, int(one.get("Port", 0))
    return str(endpoint.get("Address", "")), int(endpoint.get("Port", 0))
