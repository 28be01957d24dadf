"""Sql: rows of real tables are ended, whoever holds some of them meanwhile."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, NullPool, text
from sqlalchemy import create_engine as create_pooled

from crisis.clients.sessions import canary, connect
from crisis.domain.systems import SqlSessions
from crisis.errors import ProtocolError, RefusedError, TransientError
from tests.clients.sessions.conftest import Open
from tests.clients.sessions.shop import InTable, canary_of
from tests.journal.postgres import PostgreSQL

TABLES = {
    "django": "django_session (session_key VARCHAR(40) PRIMARY KEY, session_data TEXT, expire_date TIMESTAMP)",
    "rails": "sessions (id INTEGER PRIMARY KEY, session_id VARCHAR(255) UNIQUE, data TEXT)",
    "laravel": "sessions (id VARCHAR(255) PRIMARY KEY, user_id INTEGER, payload TEXT, last_activity INTEGER)",
    "express": "session (sid VARCHAR PRIMARY KEY, sess VARCHAR, expire TIMESTAMP)",
}
KEYS = {"django": "session_key", "rails": "session_id", "laravel": "id", "express": "sid"}


def create_engine(url: str | URL) -> Engine:
    """Open a database without keeping connections that nobody closes."""
    return create_pooled(url, poolclass=NullPool)


def silent(_count: int, _says: str) -> None:
    """Tell nobody."""


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Open an empty database of each kind."""
    if request.param == "sqlite":
        return create_engine(f"sqlite:///{tmp_path / 'app.db'}")
    return _postgres(request.getfixturevalue("postgresql"))


@pytest.fixture
def postgres(postgresql: PostgreSQL) -> Engine:
    """Open an empty database of PostgreSQL."""
    return _postgres(postgresql)


def _postgres(server: PostgreSQL) -> Engine:
    return create_engine(server.fresh().replace("postgresql://", "postgresql+psycopg://"))


@pytest.fixture
def describe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SqlSessions]:
    """Describe a table as protocol.yaml does."""

    def described(
        engine: Engine, shape: str | None = "express", shop: str = "http://127.0.0.1:9", **more: str
    ) -> SqlSessions:
        monkeypatch.setenv("SESSIONS_URL", engine.url.render_as_string(hide_password=False))
        body = {"kind": "sql sessions", "url": "env:SESSIONS_URL", "shape": shape, "canary": canary_of(shop), **more}
        return SqlSessions.model_validate(body)

    return described


def make(engine: Engine, shape: str, rows: int) -> None:
    """Make a framework's table with so many rows."""
    table, key = TABLES[shape], KEYS[shape]
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {table}"))
        extra, value = ("id, ", ":number, ") if shape == "rails" else ("", "")
        words = ["INSERT INTO", table.split(" ")[0], f"({extra}{key}) VALUES ({value}:key)"]
        connection.execute(text(" ".join(words)), [{"key": f"s{one:06}", "number": one} for one in range(rows)])


def left(engine: Engine, shape: str = "express") -> int:
    """Count what is left."""
    with engine.begin() as connection:
        return int(connection.scalar(text(" ".join(["SELECT count(*) FROM", TABLES[shape].split(" ")[0]]))) or 0)


def test_a_look_reads_the_table_and_names_one_that_is_not_there(
    engine: Engine, describe: Callable[..., SqlSessions]
) -> None:
    """Nothing is removed, and a wrong shape is found before an incident needs it."""
    make(engine, "express", 3)
    with connect(describe(engine)) as store:
        says = store.look()
    with connect(describe(engine, "django")) as store, pytest.raises(RefusedError) as raised:
        store.look()

    assert (says, left(engine)) == ("the table session can be read", 3)
    assert raised.value.target == "django_session"


@pytest.mark.parametrize("shape", list(TABLES))
def test_every_row_of_a_framework_s_table_goes(
    engine: Engine, describe: Callable[..., SqlSessions], shape: str
) -> None:
    """Five thousand sessions are removed in batches, from each framework's own table."""
    make(engine, shape, 5000)

    with connect(describe(engine, shape)) as store:
        ended = store.end("", silent)

    assert (ended.count, left(engine, shape)) == (5000, 0)


def test_a_taken_session_is_refused_afterwards(
    engine: Engine, describe: Callable[..., SqlSessions], open_shop: Open
) -> None:
    """The canary opens the account before, and is sent to the login page after."""
    make(engine, "express", 10)
    _, url = open_shop(InTable(engine))
    system = describe(engine, shop=url)
    jar = canary.take(system.canary, "shop")
    before = canary.judge(system.canary, jar, "shop").says

    with connect(system) as store:
        store.end("", silent)

    assert (before, canary.judge(system.canary, jar, "shop").says) == ("accepted", "refused")


def test_a_table_of_another_name_is_named(engine: Engine, describe: Callable[..., SqlSessions]) -> None:
    """Table and key are the reader's own where the shape's are not used."""
    with engine.begin() as connection:
        connection.execute(text('CREATE TABLE "User Sessions" (token VARCHAR PRIMARY KEY)'))
        connection.execute(text("""INSERT INTO "User Sessions" VALUES ('a"b')"""))

    with connect(describe(engine, None, table="User Sessions", key="token")) as store:
        ended = store.end("", silent)

    assert ended.count == 1


def test_a_missing_table_is_refused(postgres: Engine, describe: Callable[..., SqlSessions]) -> None:
    """The error says what to mend."""
    with connect(describe(postgres)) as store, pytest.raises(RefusedError, match="no such table; mend table or shape"):
        store.end("", silent)


def test_a_missing_permission_is_refused(postgres: Engine, describe: Callable[..., SqlSessions]) -> None:
    """A user who may only read removes nothing, and the error says what to grant."""
    make(postgres, "express", 3)
    role = f"reader_{postgres.url.database}"
    with postgres.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text(f"GRANT SELECT ON session TO {role}"))
    reader = create_engine(postgres.url.set(username=role))

    with connect(describe(reader)) as store, pytest.raises(RefusedError, match="no permission; grant our user"):
        store.end("", silent)
    with connect(describe(reader)) as store, pytest.raises(RefusedError, match="saw no DELETE and no UPDATE; grant"):
        store.look()

    assert left(postgres) == 3


def test_a_row_that_is_let_go_in_time_is_ended(postgres: Engine, describe: Callable[..., SqlSessions]) -> None:
    """A row that a request holds is passed over first, and removed once the request is over."""
    make(postgres, "express", 3000)
    holder = postgres.connect()
    holder.execute(text("UPDATE session SET sess = 'busy' WHERE sid = 's000001'"))
    timer = threading.Timer(0.5, holder.close)
    timer.start()

    with connect(describe(postgres)) as store:
        store.end("", silent)
    timer.join()

    assert left(postgres) == 0


def test_a_row_that_is_never_let_go_is_transient(postgres: Engine, describe: Callable[..., SqlSessions]) -> None:
    """A lock that stands is not waited for long: all others are ended, and the error says what held it up."""
    make(postgres, "express", 3000)
    with postgres.connect() as holder:
        holder.execute(text("UPDATE session SET sess = 'busy' WHERE sid = 's000001'"))

        with (
            connect(describe(postgres)) as store,
            pytest.raises(TransientError, match="a lock held by another session"),
        ):
            store.end("", silent)

        assert left(postgres) == 1


def test_a_locked_table_is_transient(engine: Engine, describe: Callable[..., SqlSessions]) -> None:
    """A migration that holds the whole table holds us up for two seconds, not for ever; nothing is lost."""
    make(engine, "express", 5)
    with engine.connect() as holder:
        if engine.dialect.name == "sqlite":
            holder.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            holder.execute(text("LOCK TABLE session IN ACCESS EXCLUSIVE MODE"))

        with connect(describe(engine)) as store, pytest.raises(TransientError, match="a lock held by another session"):
            store.end("", silent)
        holder.rollback()

    assert left(engine) == 5


def test_a_deadlock_is_transient_and_shows_no_session(postgres: Engine, describe: Callable[..., SqlSessions]) -> None:
    """The one whom PostgreSQL picks is us: the error is tried again, and holds no key of a session."""
    make(postgres, "express", 2)
    with postgres.begin() as connection:
        count_it = "BEGIN UPDATE audit SET n = n + 1 WHERE id = 1; RETURN OLD; END"
        for line in (
            "CREATE TABLE audit (id INTEGER PRIMARY KEY, n INTEGER)",
            "INSERT INTO audit VALUES (1, 0)",
            f"CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS '{count_it}'",
            "CREATE TRIGGER counted BEFORE DELETE ON session FOR EACH ROW EXECUTE FUNCTION count_it()",
        ):
            connection.exec_driver_sql(line)
    other = postgres.connect()
    other.execute(text("SET deadlock_timeout = '30s'"))
    other.execute(text("UPDATE audit SET n = 7 WHERE id = 1"))

    def cross() -> None:
        other.execute(text("UPDATE session SET sess = 'x' WHERE sid = 's000000'"))
        other.rollback()

    # It asks for our row a little after we have begun to wait for its own.
    timer = threading.Timer(0.4, cross)
    timer.start()
    with connect(describe(postgres)) as store, pytest.raises(TransientError, match=r"deadlock|lock held") as raised:
        store.end("", silent)
    timer.join()
    other.close()

    assert "s00000" not in str(raised.value)
    assert left(postgres) == 2


def test_a_server_that_is_away_is_transient(describe: Callable[..., SqlSessions]) -> None:
    """Nobody listens: the engine tries again."""
    away = create_engine("postgresql+psycopg://crisis:hunter2@127.0.0.1:9/none")

    with connect(describe(away)) as store, pytest.raises(TransientError, match="no connection") as raised:
        store.end("", silent)

    assert "hunter2" not in str(raised.value)


def test_an_address_that_is_none_is_told_by_its_reference(
    describe: Callable[..., SqlSessions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing slip in the URL is a mistake of the protocol, without the text of the URL."""
    system = describe(create_engine(f"sqlite:///{tmp_path / 'a.db'}"))
    monkeypatch.setenv("SESSIONS_URL", "hunter2")

    with pytest.raises(ProtocolError, match="env:SESSIONS_URL: wanted an SQLAlchemy URL"):
        connect(system)


def test_a_table_must_be_described(describe: Callable[..., SqlSessions], tmp_path: Path) -> None:
    """Without a shape, table and key are asked for at once."""
    with pytest.raises(ValueError, match="say the shape, or both table and key"):
        describe(create_engine(f"sqlite:///{tmp_path / 'a.db'}"), None, table="sessions")
