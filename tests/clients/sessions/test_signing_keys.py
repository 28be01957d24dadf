"""What signs sessions is a credential: listed by a name that shows nothing, ended once, and found to be another one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from crisis.domain.clock import utc_now
from crisis.domain.credential import Inventory
from crisis.domain.systems import RedisSessions, SessionSecret
from crisis.engine.run import Run
from tasks import invalidate_sessions as invalidate
from tasks import kill
from tasks.hunt import known_keys
from tasks.list_sessions import list_signing_keys, signing_keys
from tests.clients.servers import Served
from tests.clients.sessions.conftest import Open
from tests.clients.sessions.issuer import Issuer
from tests.clients.sessions.shop import InCookie, canary_of
from tests.clients.sessions.test_actions import do, know
from tests.clients.sessions.test_actions import run as _run
from tests.clients.sessions.test_signed import OLD, secret_of, tokens_of
from tests.clients.sessions.test_signed import keys as _keys

run, keys = _run, _keys
LOOK: Callable[..., Inventory] = list_signing_keys


@pytest.fixture
def secret(run: Run, tmp_path: Path, open_shop: Open) -> SessionSecret:
    """Run a shop that signs its cookies."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"SECRET_KEY": OLD, "SECRET_KEY_FALLBACKS": []}))
    system = secret_of(file, shop=open_shop(InCookie(file))[1])
    know(run, system)
    return system


@pytest.mark.usefixtures("secret")
def test_a_secret_is_listed_by_its_fingerprint() -> None:
    """The same within an incident; neither the secret nor a bare hash of it is shown."""
    found: Inventory = do(LOOK)

    (one,) = found.credentials
    assert (one.kind, one.fate, one.reach) == ("signing key", "rotate", ())
    assert one.name.startswith("hmac:")
    assert OLD not in found.model_dump_json()
    assert do(LOOK).credentials == found.credentials


@pytest.mark.usefixtures("secret")
def test_after_the_end_another_key_signs_and_nobody_takes_it_for_a_strangers() -> None:
    """The old name is in no list any more, which is what proves it dead; the new one is known to be ours."""
    before: Inventory = do(LOOK)
    do(invalidate.take_canary_session)

    change = do(invalidate.end_sessions)
    again = do(invalidate.end_sessions)

    now: Inventory = do(LOOK)
    assert {one.key for one in before.credentials} & {one.key for one in now.credentials} == set()
    assert {one.key for one in now.credentials} <= set(known_keys(before, [change]))
    assert again.facts["successors"] == change.facts["successors"]


@pytest.mark.usefixtures("secret")
def test_its_end_is_one_step() -> None:
    """The plan counts the key, and ends the sessions once."""
    plan = kill.plan_kill(do(LOOK), (), "everything")

    assert [step.action for step in plan.choices[0].steps] == ["end_sessions"]
    assert "1 credentials" in plan.title


def test_a_secret_that_encrypts_data_is_for_a_person(run: Run, tmp_path: Path) -> None:
    """Its change would lose what it has encrypted."""
    file = tmp_path / "app.env"
    file.write_text("APP_KEY=base64:abc\n")
    know(run, secret_of(file, "laravel", encrypts_data=True))

    (one,) = do(LOOK).credentials

    assert one.fate == "by hand"


def test_a_key_set_is_listed_by_its_key_ids(run: Run, keys: Path) -> None:
    """A key that is published beside those that sign is listed too: whoever put it there can sign."""
    kids = {one["kid"] for one in json.loads(keys.read_text())["keys"]}
    with Served(Issuer(keys).app) as url:
        know(run, tokens_of(url, keys))
        found: Inventory = do(LOOK)

    assert {one.name for one in found.credentials} == kids


def test_stored_sessions_have_no_key(run: Run) -> None:
    """Nothing signs them: the next look sees the same list, an empty one."""
    body = {"kind": "redis sessions", "url": "env:X", "prefixes": ["s:"], "canary": canary_of("http://127.0.0.1:9")}
    know(run, RedisSessions.model_validate(body))

    assert signing_keys("shop") == ()
    assert known_keys(Inventory(taken_at=utc_now()), []) == ()
