"""Database: one engine per journal, SQLite (WAL) or PostgreSQL, with every failure said as a JournalError."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from crisis.errors import JournalError, ProtocolError
from crisis.journal.schema import REVISION

__all__ = ["Database"]

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10


class Database:
    """Transactions on the journal's store; the schema is brought up to date on first use."""

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if not self.sqlite:
            # The driver we ship is psycopg 3; a bare postgresql:// URL would ask for another.
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.engine = self._connectable()
        self._open: ContextVar[Connection | None] = ContextVar("crisis_transaction", default=None)

    def _connectable(self) -> Engine:
        if not self.sqlite:
            waits = {} if "connect_timeout" in self.url.query else {"connect_timeout": _CONNECT_SECONDS}
            return create_engine(self.url, pool_pre_ping=True, connect_args=waits, hide_parameters=True)
        if self.url.database and self.url.database != ":memory:":
            try:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._error(error.strerror or "an error") from error
        # hide_parameters: what was to be stored, such as a body, must not stand in the text of an error.
        engine = create_engine(self.url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that may write; committed at the end, rolled back on any error."""
        around = self._open.get()
        with self._said():
            if around is not None:
                with around.begin_nested():
                    yield around
            else:
                with self.engine.begin() as connection:
                    yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads and so never waits for a writer."""
        around = self._open.get()
        with self._said():
            if around is not None:
                yield around
            else:
                with self.engine.connect().execution_options(crisis_reading=True) as connection:
                    yield connection

    @contextmanager
    def together(self, lock: int = 0) -> Iterator[None]:
        """
        Make one transaction of all that this thread reads and writes inside: all of it is kept, or nothing.

        `lock` lets one process at a time in, on PostgreSQL; SQLite has one writer anyway. An error that is caught
        inside takes back what its own `writing` wrote, and no more.
        """
        with self.writing() as connection:
            if lock and not self.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
            token = self._open.set(connection)
            try:
                yield
            finally:
                self._open.reset(token)

    @contextmanager
    def as_it_stands(self) -> Iterator[Connection]:
        """Open a reading transaction that sees one moment, and damaged text as it stands instead of an error."""
        options: dict[str, Any] = {"crisis_reading": True}
        if not self.sqlite:
            options["isolation_level"] = "REPEATABLE READ"  # SQLite's reading transactions are so anyway
        with self._said(), self.engine.connect().execution_options(**options) as connection:
            driver: Any = connection.connection.driver_connection
            if self.sqlite:
                driver.text_factory = _with_broken_bytes
            try:
                yield connection
            finally:
                if self.sqlite:
                    driver.text_factory = str

    def migrate(self) -> None:
        """Bring the schema to the newest revision; safe when several processes try at once."""
        if self._revision() == REVISION:
            return
        from alembic import command  # noqa: PLC0415 - only the first start pays for loading it
        from alembic.config import Config  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        try:
            with self.writing() as connection:
                if not self.sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(42814281)"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            raise self._error(f"a journal of another version of crisis: {error}") from error

    def damage(self) -> list[str]:
        """Return what the database itself says is broken in its file; nothing on a sound one."""
        if not self.sqlite:
            return []
        with self.as_it_stands() as connection:
            found = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check(20)"))]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _revision(self) -> str | None:
        with self.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._error(_cause(error)) from error
        except UnicodeError as error:
            # The driver's own: a parameter, or a message about damage, that is no UTF-8.
            raise self._error("text that is no UTF-8") from error

    def _error(self, says: str) -> JournalError:
        # A password may stand in the query of a URL too, where SQLAlchemy would show it.
        where = self.url.set(query={}).render_as_string(hide_password=True)
        return JournalError(f"journal {where}", wanted="to read and write it", saw=says, then="nothing was done")


def _parsed(url: str) -> URL:
    wanted = "sqlite:///PATH or postgresql://HOST/NAME"
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):  # neither may be quoted: a password can stand in it
        raise ProtocolError("CRISIS_JOURNAL_URL", wanted=wanted, saw="text that is no such URL") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ProtocolError("CRISIS_JOURNAL_URL", wanted=wanted, saw=f"{parsed.drivername}:")
    return parsed


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # pysqlite would open transactions by itself, and late: _begin_sqlite does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    _write_ahead(cursor)
    # FULL: a recorded intention must survive a power cut, or replay would act twice.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Put a journal into WAL mode. SQLite answers "locked" at once, without its own wait, when two do it together."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - to step apart, not to hide anything
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("crisis_reading", False):
        connection.exec_driver_sql("BEGIN")
        return
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + _BUSY_SECONDS
    # IMMEDIATE takes the write lock at once: read-then-write can then never fork a chain. SQLite's own wait for it
    # sleeps longer each time, up to a tenth of a second, and who asks often would get it first.
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while not _began(driver, until):
            time.sleep(random.uniform(0.0005, 0.002))  # noqa: S311 - to step apart, not to hide anything
    finally:
        driver.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")


def _began(driver: sqlite3.Connection, until: float) -> bool:
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
            raise
        return False
    return True


def _with_broken_bytes(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _cause(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:200]
