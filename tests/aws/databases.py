"""A database of RDS with a real PostgreSQL server behind it, as its consumers and a thief see it."""

import json
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import psycopg
from botocore.exceptions import ClientError

from tests.aws.account import REGION, Cloud
from tests.journal.postgres import PostgreSQL

__all__ = ["Base", "guard", "make"]

_numbers = count(1)
OLD = "old-and-known-2026"


@dataclass
class Base:
    """One database: its name in the account, its master, and the secret that keeps the password."""

    cloud: Cloud
    server: PostgreSQL
    name: str
    user: str
    secret: str

    def opens(self, password: str) -> bool:
        """Whether the server takes a password of the master."""
        try:
            self.enter(password).close()
        except psycopg.OperationalError:
            return False
        return True

    def enter(self, password: str) -> "psycopg.Connection[Any]":
        """Log in as the master, as a consumer or a thief would."""
        where = f"host=127.0.0.1 port={self.server.port} user={self.user} dbname=postgres"
        return psycopg.connect(where, password=password, autocommit=True)

    def alive(self, session: "psycopg.Connection[Any]") -> bool:
        """Whether an open session can still ask something."""
        try:
            session.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def password(self, stage: str = "AWSCURRENT") -> str | None:
        """Read the password at a stage, as a consumer does."""
        secrets = self.cloud.boto("secretsmanager")
        try:
            found = secrets.get_secret_value(SecretId=self.secret, VersionStage=stage)
        except ClientError:
            return None
        return str(json.loads(found["SecretString"])["password"])

    def tie(self, **more: Any) -> None:
        """Let the account reach the server."""
        where = {"region": REGION, "database": self.name, "host": "127.0.0.1", "port": self.server.port}
        asked = {**where, "superuser": "crisis", **more}
        with closing(httpx.post(f"{self.cloud.url}/_sandbox/database", json=asked, timeout=60)) as answer:
            answer.raise_for_status()

    def drop(self) -> None:
        """Take it out of the account."""
        rds = self.cloud.boto("rds")
        if self.name.startswith("cluster:"):
            rds.delete_db_cluster(DBClusterIdentifier=self.name.removeprefix("cluster:"), SkipFinalSnapshot=True)
        else:
            rds.delete_db_instance(DBInstanceIdentifier=self.name, SkipFinalSnapshot=True)


def guard(server: PostgreSQL) -> None:
    """Let a server ask everybody but its superuser for a password."""
    rules = "host all crisis all trust\nhost all all all scram-sha-256\n"
    (server.folder / "data" / "pg_hba.conf").write_text(rules, encoding="utf-8")
    with psycopg.connect(f"host=127.0.0.1 port={server.port} user=crisis dbname=postgres") as connection:
        connection.execute("SELECT pg_reload_conf()")


def make(cloud: Cloud, server: PostgreSQL, *, cluster: bool = False, managed: bool = False, kept: bool = True) -> Base:
    """Make an instance or a cluster; RDS manages the password, or a secret keeps it, or nothing does."""
    number, rds = next(_numbers), cloud.boto("rds")
    name, user = f"shop-{number}", f"master_{number}"
    secret = {"ManageMasterUserPassword": True} if managed else {"MasterUserPassword": OLD}
    about = {"MasterUsername": user, **secret}
    if cluster:
        rds.create_db_cluster(DBClusterIdentifier=name, Engine="aurora-postgresql", **about)
        found = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    else:
        rds.create_db_instance(
            DBInstanceIdentifier=name, Engine="postgres", DBInstanceClass="db.m5.large", AllocatedStorage=10, **about
        )
        found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    place = f"cluster/{name}" if cluster else name
    base = Base(
        cloud, server, f"cluster:{name}" if cluster else name, user,
        found["MasterUserSecret"]["SecretArn"] if managed else f"database-masters/{place}",
    )  # fmt: skip
    if kept and not managed:
        text = json.dumps({"username": user, "password": OLD, "note": "stays"})
        cloud.boto("secretsmanager").create_secret(Name=base.secret, SecretString=text)
    base.tie()
    return base
