"""Postgresql: does a password open a database, and which sessions of its user are still in it. Proof is by login."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from pydantic import SecretStr

from crisis.errors import RefusedError, TransientError, UnprovenError

__all__ = ["Door", "clock", "end_sessions", "knock"]

_Connection = psycopg.Connection[tuple[Any, ...]]

_CONNECT_SECONDS = 5
_LOOK_AGAIN = 0.1
_OTHER_WAY = "authentication method requirement"
_SESSIONS = """
SELECT pid FROM pg_stat_activity
WHERE usename = session_user AND pid <> pg_backend_pid() AND backend_start < %s
"""


@dataclass(frozen=True, slots=True)
class Door:
    """Where one user gets into one database of a server."""

    host: str
    port: int
    database: str
    user: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


def knock(door: Door, password: SecretStr) -> Literal["accepted", "refused"]:
    """
    Say whether a server takes a password.

    It is never sent in the clear, and a server that asks for none is no proof of any: RefusedError. Whatever else
    keeps us out, an outage or an error that the server tells in another language than English, is a TransientError.
    """
    connection = _connect(door, password)
    if connection is None:
        return "refused"
    connection.close()
    return "accepted"


def clock(door: Door, password: SecretStr) -> datetime:
    """Return the server's time."""
    with _entered(door, password) as connection:
        found: datetime = _rows(connection, door, "SELECT clock_timestamp()")[0][0]
    return found


def end_sessions(door: Door, password: SecretStr, before: datetime, patience: timedelta) -> int:
    """
    End every session of the door's user that began before a moment of the server's clock; return how many.

    A new password leaves them open. UnprovenError when one is still there in the end.
    """
    until, ended = time.monotonic() + patience.total_seconds(), set[int]()
    with _entered(door, password) as connection:
        while left := [int(pid) for (pid,) in _rows(connection, door, _SESSIONS, before)]:
            if time.monotonic() > until:
                then = "end them by hand: SELECT pg_terminate_backend(pid)"
                raise UnprovenError(str(door), wanted="no older session", saw=f"{len(left)} sessions", then=then)
            ended.update(left)
            _rows(connection, door, "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", left)
            time.sleep(_LOOK_AGAIN)
    return len(ended)


def _connect(door: Door, password: SecretStr) -> _Connection | None:
    """Log in; None where the server asked for the password and did not take it."""
    try:
        return psycopg.connect(
            host=door.host, port=door.port, dbname=door.database, user=door.user, autocommit=True,
            password=password.get_secret_value(), connect_timeout=_CONNECT_SECONDS,
            require_auth="scram-sha-256,md5", application_name="crisis",
        )  # fmt: skip
    except psycopg.Error as error:
        text, asked = str(error), error.pgconn is not None and error.pgconn.used_password
    if asked and "password authentication failed" in text:  # libpq has no code for what happens before a login
        return None
    if _OTHER_WAY in text:
        raise _failed(RefusedError, door, "a server that asks for a password", "none asked, or another way to log in")
    raise _failed(TransientError, door, "a login", "no room, no answer or another refusal than of the password")


def _entered(door: Door, password: SecretStr) -> _Connection:
    connection = _connect(door, password)
    if connection is None:
        raise _failed(RefusedError, door, "a login", "the password refused")
    return connection


def _rows(connection: _Connection, door: Door, query: str, *values: object) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query.encode(), values or None).fetchall()
    except psycopg.Error as error:
        code = error.sqlstate or "no answer"
    kind = TransientError if code in ("no answer", "57P01", "57P03") else RefusedError
    raise _failed(kind, door, "an answer", code)


def _failed(
    kind: type[TransientError | RefusedError], door: Door, wanted: str, saw: str
) -> TransientError | RefusedError:
    then = "let crisis reach it, then run this again"
    return kind(str(door), vendor="postgresql", operation="log in", wanted=wanted, saw=saw, then=then)
