"""Vault on a bad day: sealed, throttled, a queue that stays full, leases nobody can end, answers that got lost."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Secret, SecretStr

from crisis.clients import vault
from crisis.clients.vault import Seam
from crisis.clients.vault.inventory import take
from crisis.domain import systems
from crisis.errors import ProtocolError, RefusedError, TransientError
from tests.clients.vault.ground import Ground

QUICK = 0.6


@pytest.fixture
def lent(drill: Ground) -> Iterator[tuple[str, dict[str, Any]]]:
    """Lend one user of a database; yield the prefix, and the user with its password."""
    mount = drill.database()
    yield f"{mount}/creds/shop", drill.ask("GET", f"{mount}/creds/shop")["data"]
    drill.breaks()  # what is left must be able to go


def test_a_sealed_server_is_not_asked_again(drill: Ground) -> None:
    """Nothing helps but the holders of its keys, and the error says so; a retry would only cost time."""
    drill.breaks(sealed=True)

    with drill.client() as client, pytest.raises(RefusedError, match="a sealed server; unseal it: that needs"):
        client.tokens.accessors()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_bad_moment_is_worth_another_try(drill: Ground, status: int) -> None:
    """The next call is answered."""
    drill.breaks(statuses=[status], only_on="accessors")

    with drill.client() as client:
        with pytest.raises(TransientError, match=f"saw {status}; try again"):
            client.tokens.accessors()
        assert client.tokens.accessors()


@pytest.mark.parametrize("status", [472, 473])
def test_a_standby_is_told_from_an_outage(drill: Ground, status: int) -> None:
    """It will not serve, however often it is asked."""
    drill.breaks(standby=status)

    with drill.client() as client, pytest.raises(RefusedError, match="give the address of the active node"):
        client.tokens.accessors()


def test_an_answer_that_got_lost_is_transient_and_repeatable(drill: Ground) -> None:
    """The token is dead although the first call failed; asking again is no error."""
    made = drill.token(policies=["default"])
    drill.breaks(lost_replies=1, only_on="revoke-accessor")

    with drill.client() as client:
        with pytest.raises(TransientError):
            client.tokens.revoke(made["accessor"])
        client.tokens.revoke(made["accessor"])

    assert not drill.lives(made["client_token"])


def test_a_lost_write_is_found_again_by_its_version(drill: Ground) -> None:
    """The second write over the same version is turned down: the first one took effect."""
    mount = drill.mount("kv", version="2")
    drill.breaks(lost_replies=1, only_on="/data/")

    with drill.client() as client:
        with pytest.raises(TransientError):
            client.kv.write(mount, "a", Secret({"key": "new"}), cas=0)

        assert not client.kv.write(mount, "a", Secret({"key": "newer"}), cas=0)
        assert client.kv.versions(mount, "a").current == 1


def test_a_revoke_is_done_when_the_queue_is_empty(drill: Ground, lent: tuple[str, dict[str, Any]]) -> None:
    """A server that says 202 has revoked nothing yet; the user gets in until the count is 0."""
    prefix, user = lent
    drill.breaks(queue_delay=1.0)
    with drill.client() as client:
        client.leases.revoke_prefix(prefix)
        accepted = drill.gets_in(user["username"], user["password"])
        left = client.leases.drain(prefix, 8.0)

    assert accepted
    assert left.leases == 0
    assert not drill.gets_in(user["username"], user["password"])


def test_a_queue_that_never_drains_is_passed_by(drill: Ground, lent: tuple[str, dict[str, Any]]) -> None:
    """Asked to do it while we wait, the server ends the lease at once."""
    prefix, user = lent
    drill.breaks(queue_stuck=True)

    with drill.client() as client:
        left = client.leases.drain(prefix, QUICK)

    assert left.leases == 0
    assert not drill.gets_in(user["username"], user["password"])


def test_what_cannot_be_revoked_is_counted(drill: Ground, lent: tuple[str, dict[str, Any]]) -> None:
    """While the database does not answer, leases become irrevocable; they are counted, and end once it does."""
    prefix, user = lent
    drill.breaks(backend_broken=True)
    with drill.client() as client:
        broken = client.leases.drain(prefix, QUICK)
        alive = drill.gets_in(user["username"], user["password"])
        drill.breaks()
        mended = client.leases.drain(prefix, QUICK)

    assert (broken.leases, broken.irrevocable) == (1, 1)
    assert alive
    assert (mended.leases, mended.irrevocable) == (0, 0)
    assert not drill.gets_in(user["username"], user["password"])


def test_a_rotated_root_is_the_servers_alone(drill: Ground) -> None:
    """The password that was known is refused, and the server itself gets in."""
    mount = drill.database(root="leaked")
    with drill.client() as client:
        client.databases.rotate_root(mount, "shop")

        assert client.databases.connects(mount, "shop")
        assert client.databases.user(mount, "shop") == "root"
        assert client.databases.connections(mount) == ["shop"]
    assert not drill.gets_in("root", "leaked")


def test_nobody_at_the_address_is_transient(nowhere: str) -> None:
    """A refused connection names neither address nor token."""
    there = vault.Vault(Seam.open(nowhere, SecretStr("s.secret"), None))
    with there as client, pytest.raises(TransientError) as caught:
        client.tokens.accessors()

    assert caught.value.saw == "no answer (ConnectionError)"
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("token", ["s.sécret", "s.secret\nx"])
def test_a_token_that_http_cannot_carry_is_named_without_its_text(token: str) -> None:
    """It was pasted wrongly: store it again."""
    with pytest.raises(ProtocolError, match="store it again") as caught:
        Seam.open("http://127.0.0.1:1", SecretStr(token), None)

    assert "cret" not in str(caught.value)


def test_an_address_that_is_none_is_named(drill: Ground) -> None:
    """No connection is tried."""
    with vault.Vault(Seam.open("ftp:///", SecretStr(drill.root), None)) as client, pytest.raises(ProtocolError):
        client.tokens.accessors()


def test_a_name_that_leads_elsewhere_is_not_followed(drill: Ground) -> None:
    """An attacker may have named a secret like a path out of its engine."""
    with drill.client() as client, pytest.raises(RefusedError, match="leads elsewhere"):
        client.kv.versions("kv", "../sys/seal")


def test_an_inventory_names_everything_by_its_public_name(drill: Ground) -> None:
    """Each kind is there, the older version of a secret too, and no secret text stands in it."""
    kv, transit, approle = drill.mount("kv", version="2"), drill.mount("transit"), drill.approle()
    login = drill.login(approle)
    for value in ("canary-old", "canary-new"):
        drill.ask("POST", f"{kv}/data/shop/stripe", {"data": {"key": value}})
    drill.ask("POST", f"{transit}/keys/orders", {})
    database = drill.database()
    user = drill.ask("GET", f"{database}/creds/shop")["data"]
    system = systems.Vault(kind="vault", url=drill.url, token="env:X", prefixes=(f"{database}/creds",))

    with drill.client() as client:
        found = take(client, "safe", system)

    keys = {(one.kind, one.name): one for one in found.credentials}
    assert found.unseen == ()
    assert ("token", login["accessor"]) in keys
    assert keys["leases", f"{database}/creds"].fate == "revoke"
    assert keys["secret-id", f"{approle}:shop@{login['secret_id_accessor']}"].fate == "by hand"
    assert keys["secret", f"{kv}:shop/stripe@2"].fate == "rotate"
    assert keys["secret", f"{kv}:shop/stripe@1"].note == "live; version 2 took its place"
    assert ("transit key", f"{transit}:orders@1") in keys
    assert keys["database root", f"{database}:shop"].holder == "root"
    assert not any(secret in repr(found) for secret in ("canary", login["secret_id"], user["password"], drill.root))


def test_an_inventory_of_a_half_permitted_role_says_what_it_misses(drill: Ground) -> None:
    """What is refused is named with the permission; the rest is there."""
    rules = 'path "sys/mounts" { capabilities = ["read"] } path "sys/auth" { capabilities = ["read"] }'
    kv = drill.mount("kv", version="2")
    drill.ask("POST", f"{kv}/data/a", {"data": {"key": "v"}})
    granted = f'{rules} path "{kv}/metadata/*" {{ capabilities = ["read", "list"] }}'
    token = drill.token(policies=[drill.policy(granted)])["client_token"]

    with drill.client(token) as client:
        found = take(client, "safe", systems.Vault(kind="vault", url=drill.url, token="env:X"))

    assert [one.name for one in found.credentials] == [f"{kv}:a@1"]
    assert "safe: could not list tokens: 403, no list, sudo on auth/token/accessors/" in found.unseen
    assert "safe: could not list leases: 403, no list, sudo on sys/leases/lookup/" in found.unseen
