"""Sql: sessions as rows of a table, ended in short transactions that wait for nobody long."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, create_engine, delete, event, func, select
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.sessions import SqlSessions
from crisis.errors import ProtocolError, RefusedError, TransientError
from crisis.settings import read_reference

__all__ = ["SqlStore", "connect"]

_SHAPES = {
    "django": ("django_session", "session_key"),
    "rails": ("sessions", "session_id"),
    "laravel": ("sessions", "id"),
    "express": ("session", "sid"),
}
_BATCH = 2000
_PASSES = 2
"""A request that was under way may write its row back after it was removed: it has ended by the second pass."""

_SECONDS = 2
"""How long one statement may wait for a lock: users wait behind us."""

_PASSING = {
    "40P01": "a deadlock",
    "40001": "a conflict with another transaction",
    "55P03": "a lock held by another session",
    "57014": "a statement that took too long",
    "57P01": "the server going down",
    "57P03": "a server that starts",
    "53300": "too many connections",
}
_REFUSED = {
    "42501": ("no permission", "grant our user SELECT, DELETE and UPDATE (for its row locks) on the table"),
    "42P01": ("no such table", "mend table or shape in protocol.yaml"),
    "42703": ("no such column", "mend key in protocol.yaml"),
    "25006": ("a read-only server", "name the primary in the system's url"),
    "28P01": ("user or password refused", "renew them where the reference points"),
}


def connect(system: SqlSessions) -> "SqlStore":
    """Open the database that a system of protocol.yaml names."""
    named, key = _SHAPES.get(system.shape or "", ("", ""))
    try:
        engine = create_engine(read_reference(system.url).get_secret_value(), poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ImportError):
        engine = None
    if engine is None:
        then = "mend it where its reference points"
        raise ProtocolError(system.url, wanted="an SQLAlchemy URL", saw="another text", then=then)
    event.listen(engine, "connect", _wait_for_nobody_long)
    return SqlStore(engine, system.table or named, system.key or key)


def _wait_for_nobody_long(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    if type(connection).__module__.startswith("sqlite3"):
        cursor.execute(f"PRAGMA busy_timeout = {_SECONDS * 1000}")
    else:
        cursor.execute(f"SET lock_timeout = '{_SECONDS}s'")
        cursor.execute(f"SET statement_timeout = '{_SECONDS * 5}s'")
        connection.commit()
    cursor.close()


class SqlStore:
    """The rows of one table."""

    vendor = "sql"
    has_epoch = False

    def __init__(self, engine: Engine, table: str, key: str) -> None:
        self._engine = engine
        schema, _, name = table.rpartition(".")
        self._table = Table(name, MetaData(), Column(key, String), schema=schema or None)
        self._key: Column[Any] = self._table.c[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def look(self) -> str:
        """Read one key, and ask what else we may do with the table."""
        with self._translated("SELECT"), self._engine.connect() as connection:
            connection.scalars(select(self._key).limit(1)).first()
            lacks = self._lacks(connection)
        if lacks:
            then = f"grant our user {' and '.join(lacks)} on the table"
            parts = {"vendor": "sql", "operation": "look", "wanted": "the right to end sessions"}
            raise RefusedError(self._table.fullname, saw=f"no {' and no '.join(lacks)}", then=then, **parts)
        return f"the table {self._table.fullname} can be read"

    def _lacks(self, connection: Connection) -> list[str]:
        if self._engine.dialect.name != "postgresql":
            return []
        asked = {right: func.has_table_privilege(self._table.fullname, right) for right in ("DELETE", "UPDATE")}
        return [right for right, question in asked.items() if not connection.scalar(select(question))]

    def mark(self) -> str:
        """Return nothing: these sessions are not signed."""
        return ""

    def epoch(self) -> int:
        """Return 0: a table has none."""
        return 0

    def set_epoch(self, at: int) -> None:
        """Do nothing: a table has none."""

    def end(self, mark: str, told: Progress) -> Ended:
        """
        Remove every row, twice over, some thousand in a transaction.

        Raises TransientError when rows are left that another session holds.
        """
        del mark
        count = 0
        for number in range(1, _PASSES + 1):
            for removed in self._pass():
                count += removed
                told(count, f"pass {number} of {_PASSES}")
        self._look_for_held_rows()
        return Ended(count, f"{count} rows removed in {_PASSES} passes")

    def _pass(self) -> Iterator[int]:
        """Remove what no other session holds: a row that is being written now waits for the next pass."""
        while True:
            with self._translated("DELETE"), self._engine.begin() as connection:
                keys = self._free_keys(connection)
                if keys:
                    connection.execute(delete(self._table).where(self._key.in_(keys)))
            yield len(keys)
            if len(keys) < _BATCH:
                return

    def _free_keys(self, connection: Connection) -> list[str]:
        look = select(self._key).limit(_BATCH)
        if self._engine.dialect.name == "postgresql":
            look = look.with_for_update(skip_locked=True)
        return list(connection.scalars(look))

    def _look_for_held_rows(self) -> None:
        """Wait, but not long, for rows that others held all the time."""
        if self._engine.dialect.name != "postgresql":
            return
        with self._translated("wait for held rows"), self._engine.begin() as connection:
            locked = select(self._key).limit(_BATCH).with_for_update()
            keys = list(connection.scalars(locked))
            if keys:
                connection.execute(delete(self._table).where(self._key.in_(keys)))

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        """Say what the database refused, without its text: that may hold keys, which are sessions."""
        failed: RefusedError | TransientError
        try:
            yield
        except SQLAlchemyError as error:
            failed = self._judged(error, operation)
        else:
            return
        raise failed

    def _judged(self, error: SQLAlchemyError, operation: str) -> RefusedError | TransientError:
        cause = error.orig if isinstance(error, DBAPIError) else None
        state = str(getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or "")
        target = self._table.fullname
        parts = {"vendor": "sql", "operation": operation, "wanted": f"the database to {operation}"}
        if state in _REFUSED:
            saw, then = _REFUSED[state]
            return RefusedError(target, saw=saw, then=then, **parts)
        if state in _PASSING or state.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "08")):
            return TransientError(
                target, saw=_PASSING.get(state, "a lock held by another session"), then="try again", **parts
            )
        if not state and type(cause).__name__ in {"OperationalError", "InterfaceError"}:
            return TransientError(target, saw="no connection", then="try again", **parts)
        saw = f"{type(cause or error).__name__} {state}".rstrip()
        return RefusedError(target, saw=saw, then="look at the database's log", **parts)
