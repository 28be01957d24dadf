"""Signed sessions: cookies and tokens whose key is replaced, with nothing of the old one left to verify by."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crisis.clients.sessions import canary, connect
from crisis.clients.sessions.jwt import new_key
from crisis.domain.systems import JwtSessions, SessionSecret
from crisis.errors import ProtocolError, RefusedError, UnprovenError
from tests.clients.servers import Served
from tests.clients.sessions.conftest import Open
from tests.clients.sessions.issuer import Issuer
from tests.clients.sessions.shop import InCookie, canary_of

OLD, OLDER = "the-old-secret-of-the-shop", "an-even-older-secret"


def silent(_count: int, _says: str) -> None:
    """Tell nobody."""


def secret_of(file: Path, framework: str = "flask", shop: str = "http://127.0.0.1:9", **more: Any) -> SessionSecret:
    """Describe a secret as protocol.yaml does."""
    body = {
        "kind": "session secret",
        "framework": framework,
        "store": f"file:{file}",
        "canary": canary_of(shop),
        **more,
    }
    return SessionSecret.model_validate(body)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Keep a secret with a fallback, and something else, in a JSON file."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"SECRET_KEY": OLD, "SECRET_KEY_FALLBACKS": [OLDER], "DEBUG": False}))
    file.chmod(0o640)
    return file


def test_a_really_signed_cookie_is_refused_afterwards(config: Path, open_shop: Open) -> None:
    """The canary's cookie verified before; the running service refuses it, because no old key is left in the list."""
    _, url = open_shop(InCookie(config))
    system = secret_of(config, shop=url)
    jar = canary.take(system.canary, "shop")
    before = canary.judge(system.canary, jar, "shop").says

    with connect(system) as store:
        ended = store.end(store.mark(), silent)

    assert (before, canary.judge(system.canary, jar, "shop").says) == ("accepted", "refused")
    assert "1 older ones removed" in ended.note


def test_an_old_key_among_the_fallbacks_would_keep_the_cookie_alive(config: Path, open_shop: Open) -> None:
    """The trap itself: a new key with the old one as fallback still opens, and the canary sees it."""
    _, url = open_shop(InCookie(config))
    system = secret_of(config, shop=url)
    jar = canary.take(system.canary, "shop")

    config.write_text(json.dumps({"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": [OLD]}))

    assert canary.judge(system.canary, jar, "shop").says == "accepted"


def test_a_second_try_rotates_nothing(config: Path) -> None:
    """After a crash right behind the write the same mark finds it done."""
    with connect(secret_of(config)) as store:
        mark = store.mark()
        store.end(mark, silent)
        first = config.read_text()
        store.end(mark, silent)

    assert config.read_text() == first


def test_the_rest_of_the_file_stays(config: Path) -> None:
    """Other settings and the mode are kept, the list is empty, and no draft is left behind."""
    with connect(secret_of(config)) as store:
        store.end(store.mark(), silent)

    body = json.loads(config.read_text())
    assert (body["DEBUG"], body["SECRET_KEY_FALLBACKS"], stat.S_IMODE(config.stat().st_mode)) == (False, [], 0o640)
    assert len(body["SECRET_KEY"]) >= 50
    assert [one.name for one in config.parent.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("framework", "before", "looks"),
    [
        ("laravel", "APP_NAME=shop\nAPP_KEY=base64:b2xk\nAPP_PREVIOUS_KEYS=base64:b2xkZXI=\n", "APP_KEY=base64:"),
        ("rails", "SECRET_KEY_BASE=abc\nRAILS_ENV=production\n", "SECRET_KEY_BASE="),
        ("express", "SESSION_SECRET=one,two\nPORT=80\n", "SESSION_SECRET="),
    ],
)
def test_each_framework_s_lines_are_changed(tmp_path: Path, framework: str, before: str, looks: str) -> None:
    """A file of NAME=value lines keeps its other lines; no older secret is left in it."""
    file = tmp_path / ".env"
    file.write_text(before)

    with connect(secret_of(file, framework, encrypts_data=False)) as store:
        store.end(store.mark(), silent)

    lines = file.read_text().splitlines()
    changed = next(line for line in lines if line.startswith(looks))
    assert len(lines) == len(before.splitlines())
    assert [old for old in ("b2xk", "abc", "one", "two") if old in changed.removeprefix(looks)[:4]] == []
    assert "b2xkZXI=" not in file.read_text()
    assert "," not in changed


def test_an_express_array_becomes_one_secret(tmp_path: Path) -> None:
    """In JSON the array's later entries, which still verify, are gone."""
    file = tmp_path / "config.json"
    file.write_text('{"SESSION_SECRET": ["one", "two"]}')

    with connect(secret_of(file, "express")) as store:
        store.end(store.mark(), silent)

    (only,) = json.loads(file.read_text())["SESSION_SECRET"]
    assert only not in ("one", "two")


def test_a_key_that_encrypts_data_stays(tmp_path: Path) -> None:
    """Changing it would lose that data: it is refused, and the file is as it was."""
    file = tmp_path / ".env"
    file.write_text("APP_KEY=base64:b2xk\n")

    with (
        connect(secret_of(file, "laravel", encrypts_data=True)) as store,
        pytest.raises(RefusedError, match="encrypted"),
    ):
        store.end(store.mark(), silent)

    assert file.read_text() == "APP_KEY=base64:b2xk\n"


def test_laravel_must_say_whether_data_is_lost(tmp_path: Path) -> None:
    """No default is safe there, so protocol.yaml is asked."""
    with pytest.raises(ValueError, match="encrypts_data"):
        secret_of(tmp_path / ".env", "laravel")


@pytest.mark.parametrize(
    ("text", "says"),
    [("[]", "no JSON object"), ('{"SECRET_KEY": ""}', "saw none"), ("{}", "saw none"), ("hunter2", "no JSON object")],
)
def test_a_file_of_another_shape_is_refused(config: Path, text: str, says: str) -> None:
    """The error names file and name, and shows nothing of what stands there."""
    config.write_text(text)

    with connect(secret_of(config)) as store, pytest.raises(RefusedError, match=says) as raised:
        store.end("", silent)

    assert "hunter2" not in str(raised.value)
    assert config.read_text() == text


def test_a_store_that_cannot_be_written_to_is_told(config: Path) -> None:
    """Only a file can be changed here, and the error says so before anything is touched."""
    system = secret_of(config).model_copy(update={"store": "env:SECRET_KEY"})

    with pytest.raises(ProtocolError, match=r"wanted a secret that can be changed \(file:\), saw env:"):
        connect(system)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keep two keys, the older one still published."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [new_key(), new_key()]}))
    return file


Describe = Callable[..., JwtSessions]


def tokens_of(url: str, keys: Path, **more: Any) -> JwtSessions:
    """Describe an issuer as protocol.yaml does."""
    login = {"request": "POST /login", "keep": {"token": '"token": ?"([^"]+)"'}}
    opens = {"request": "GET /me", "headers": {"Authorization": "Bearer {kept:token}"}}
    body = {
        "kind": "jwt sessions", "store": f"file:{keys}", "jwks": f"{url}/jwks.json", "patience": "1s",
        "canary": {"url": url, "login": [login], "opens": [opens]}, **more,
    }  # fmt: skip
    return JwtSessions.model_validate(body)


def test_a_look_compares_the_store_with_what_is_published(keys: Path, tmp_path: Path) -> None:
    """Keys that sign are published; a store that belongs to another issuer is named, and nothing is rotated."""
    other, before = tmp_path / "other.json", keys.read_text()
    other.write_text(json.dumps({"keys": [new_key()]}))
    with Served(Issuer(keys).app) as url:
        with connect(tokens_of(url, keys)) as store:
            says = store.look()
        with connect(tokens_of(url, other)) as store, pytest.raises(RefusedError, match="every key of the store"):
            store.look()

    assert says == "2 keys sign, and are published"
    assert keys.read_text() == before


def test_a_token_of_the_old_key_is_refused_without_overlap(keys: Path) -> None:
    """Both old keys are gone from what is published, and the canary's token opens nothing any more."""
    old = {one["kid"] for one in json.loads(keys.read_text())["keys"]}
    with Served(Issuer(keys).app) as url:
        system = tokens_of(url, keys)
        jar = canary.take(system.canary, "shop")
        before = canary.judge(system.canary, jar, "shop").says
        with connect(system) as store:
            mark = store.mark()
            store.end(mark, silent)
            new = keys.read_text()
            store.end(mark, silent)
        after = canary.judge(system.canary, jar, "shop").says

        assert (before, after) == ("accepted", "refused")
        assert canary.judge(system.canary, canary.take(system.canary, "shop"), "shop").says == "accepted"
    (only,) = json.loads(keys.read_text())["keys"]
    assert only["kid"] not in old
    assert keys.read_text() == new


def test_a_key_set_that_is_still_published_is_unproven(keys: Path) -> None:
    """An issuer that goes on with what it has read is named, and the second try changes no key."""
    with Served(Issuer(keys, stale=True).app) as url, connect(tokens_of(url, keys)) as store:
        mark = store.mark()
        with pytest.raises(UnprovenError, match="2 old keys still published; make the issuer read"):
            store.end(mark, silent)
        first = keys.read_text()
        with pytest.raises(UnprovenError, match="old keys still published"):
            store.end(mark, silent)

    assert keys.read_text() == first


def test_an_issuer_is_restarted_to_publish_its_new_key(keys: Path) -> None:
    """What goes on with the keys that it has read is made to read them again, before anybody waits for it."""
    with Served(Issuer(keys, stale=True).app) as url:
        system = tokens_of(url, keys, restart={"request": "POST /restart"})
        jar = canary.take(system.canary, "shop")
        with connect(system) as store:
            ended = store.end(store.mark(), silent)

        assert canary.judge(system.canary, jar, "shop").says == "refused"
    assert "2 signing keys replaced" in ended.note


def test_a_restart_that_is_refused_says_so(keys: Path) -> None:
    """The key is replaced already; what is left to do by hand is named."""
    with (
        Served(Issuer(keys).app) as url,
        connect(tokens_of(url, keys, restart={"request": "POST /no"})) as store,
        pytest.raises(RefusedError, match="POST /no answered 404; restart the service by hand"),
    ):
        store.end(store.mark(), silent)


def test_a_key_set_that_is_no_json_is_refused(keys: Path) -> None:
    """It is left as it is."""
    keys.write_text("hunter2")

    with Served(Issuer(keys).app) as url, connect(tokens_of(url, keys)) as store:
        with pytest.raises(RefusedError, match="another text") as raised:
            store.end("a", silent)

        assert "hunter2" not in str(raised.value)
