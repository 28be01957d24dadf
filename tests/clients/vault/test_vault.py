"""Vault: what is issued is listed, ended and replaced, and each end is proved at the server."""

import pytest
from pydantic import Secret, SecretStr

from crisis.clients.vault import Versions
from crisis.errors import RefusedError
from tests.clients.vault.ground import Ground

PATIENCE = 20.0


def test_the_product_is_found_out(server: Ground) -> None:
    """Which of the two answers is read from what it ships with, and the version from its seal status."""
    with server.client() as client:
        assert client.server.product() == server.product
        assert client.server.version()[0].isdecimal()


def test_what_is_mounted_is_listed(server: Ground) -> None:
    """Engines and logins are found by their kind."""
    kv, approle = server.mount("kv", version="2"), server.approle()

    with server.client() as client:
        mounts = client.server.mounts()

    assert kv in mounts.of("kv 2")
    assert approle in mounts.of("approle")


def test_our_own_token_describes_itself(server: Ground) -> None:
    """Accessor, policies and whether its end hangs on another's."""
    made = server.token(policies=["default"])

    with server.client(made["client_token"]) as client:
        me = client.tokens.me()

    assert me.accessor == made["accessor"]
    assert me.policies == ("default",)
    assert me.orphan


def test_a_token_dies_with_its_children(server: Ground) -> None:
    """Revoked by accessor, neither it nor what it had made is taken any more."""
    parent = server.token(policies=["root"])
    child = server.token(parent=parent["client_token"], policies=["default"])

    with server.client() as client:
        before = client.tokens.look_up(parent["accessor"])
        client.tokens.revoke(parent["accessor"])

        assert before is not None
        assert client.tokens.look_up(parent["accessor"]) is None
        assert client.tokens.look_up(child["accessor"]) is None
    assert not server.lives(parent["client_token"])
    assert not server.lives(child["client_token"])


def test_an_unknown_accessor_is_a_dead_token(server: Ground) -> None:
    """Looked up it is none, revoked it is no error, whatever status the server has for it."""
    with server.client() as client:
        client.tokens.revoke("no-such-accessor")

        assert client.tokens.look_up("no-such-accessor") is None


def test_tokens_are_listed_by_accessor(server: Ground) -> None:
    """A new token is among them until it is revoked."""
    made = server.token(policies=["default"])

    with server.client() as client:
        before = client.tokens.accessors()
        client.tokens.revoke(made["accessor"])

        assert made["accessor"] in before
        assert made["accessor"] not in client.tokens.accessors()


def test_our_own_token_ends_itself(server: Ground) -> None:
    """Afterwards the server refuses it, and that is said without an error."""
    made = server.token(policies=["default"])

    with server.client(made["client_token"]) as client:
        assert client.tokens.alive()
        client.tokens.revoke_self()
        assert not client.tokens.alive()


def test_a_dead_token_is_named_as_the_reason(server: Ground) -> None:
    """Who asks with a dead token is told that the token is refused, not that a permission is missing."""
    made = server.token(policies=["default"])
    with server.client(made["client_token"]) as client:
        client.tokens.revoke_self()

        with pytest.raises(RefusedError, match="the token itself is refused; renew the token"):
            client.tokens.accessors()


def test_all_logins_of_a_mount_end_by_prefix(server: Ground) -> None:
    """The count of leases under the prefix is what says that they are gone."""
    mount = server.approle()
    logins = [server.login(mount) for _ in range(3)]

    with server.client() as client:
        before = len(client.leases.below(f"auth/{mount}"))
        left = client.leases.drain(f"auth/{mount}", PATIENCE)

        assert before == 3
        assert left.leases == 0
        assert client.leases.below(f"auth/{mount}") == []
    assert not any(server.lives(one["client_token"]) for one in logins)


def test_a_prefix_is_whole_segments(server: Ground) -> None:
    """Leases of a neighbour whose name only begins alike stay."""
    mount = server.approle()
    login = server.login(mount)

    with server.client() as client:
        left = client.leases.drain(f"auth/{mount[:-1]}", PATIENCE)

        assert left.leases == 0
    assert server.lives(login["client_token"])


def test_nothing_lent_is_an_empty_list(server: Ground) -> None:
    """An empty list is a 404 to Vault, and no error to us."""
    with server.client() as client:
        assert client.leases.below("nothing/here") == []


def test_a_secret_id_says_which_incident_made_it(server: Ground) -> None:
    """It logs in until it is destroyed by its accessor; the token of that proof does not stay."""
    mount = server.approle()
    with server.client() as client:
        secret, accessor = client.approles.make(mount, "shop", "INC-1")
        opened = client.approles.opens(mount, "shop", secret)
        listed = client.approles.secret_ids(mount, "shop")
        logins = client.leases.below(f"auth/{mount}")
        client.approles.destroy(mount, "shop", accessor)

        assert opened
        assert [(one.accessor, one.incident) for one in listed] == [(accessor, "INC-1")]
        assert logins == []
        assert not client.approles.opens(mount, "shop", secret)
        assert client.approles.accessors(mount, "shop") == []


def test_destroying_a_secret_id_twice_is_no_error(server: Ground) -> None:
    """What is gone is gone."""
    mount = server.approle()
    with server.client() as client:
        _, accessor = client.approles.make(mount, "shop", "INC-1")
        client.approles.destroy(mount, "shop", accessor)
        client.approles.destroy(mount, "shop", accessor)

        assert client.approles.look_up(mount, "shop", accessor) is None


def test_a_secret_id_for_one_login_is_not_used_up(server: Ground) -> None:
    """Where logins are counted, the proof is the server's word that it knows the secret id."""
    mount = server.approle(secret_id_num_uses=1)
    with server.client() as client:
        secret, _ = client.approles.make(mount, "shop", "INC-1")

        assert client.approles.opens(mount, "shop", secret)
        assert client.approles.opens(mount, "shop", secret)
        assert not client.approles.opens(mount, "shop", SecretStr("not one of them"))


def test_a_tokens_life_does_not_hang_on_its_secret_id(server: Ground) -> None:
    """Destroying a secret id leaves the tokens it got: they are to be revoked too."""
    mount = server.approle()
    login = server.login(mount)
    with server.client() as client:
        client.approles.destroy(mount, "shop", login["secret_id_accessor"])

    assert server.lives(login["client_token"])


def test_a_version_is_written_over_the_one_that_was_seen(server: Ground) -> None:
    """Where somebody else was quicker, nothing is written."""
    mount = server.mount("kv", version="2")
    with server.client() as client:
        first = client.kv.write(mount, "shop/stripe", Secret({"key": "one"}), cas=0)
        second = client.kv.write(mount, "shop/stripe", Secret({"key": "two"}), cas=1)
        late = client.kv.write(mount, "shop/stripe", Secret({"key": "three"}), cas=1)
        found = client.kv.read(mount, "shop/stripe")

    assert (first, second, late) == (True, True, False)
    assert found is not None
    assert found.get_secret_value() == {"key": "two"}
    assert "two" not in repr(found)


def test_only_destroy_removes_a_value(server: Ground) -> None:
    """A deleted version counts as readable, because an undelete brings it back."""
    mount = server.mount("kv", version="2")
    for value in ("one", "two", "three"):
        server.ask("POST", f"{mount}/data/a/b", {"data": {"key": value}})
    server.ask("POST", f"{mount}/delete/a/b", {"versions": [1]})
    with server.client() as client:
        before = client.kv.versions(mount, "a/b")
        client.kv.destroy(mount, "a/b", before.readable_below(3))
        after = client.kv.versions(mount, "a/b")

        assert before.fates == {1: "deleted", 2: "live", 3: "live"}
        assert after.fates == {1: "destroyed", 2: "destroyed", 3: "live"}
        assert after.readable_below(3) == []
        assert client.kv.read(mount, "a/b", 2) is None


def test_secrets_are_listed_to_the_last_folder(server: Ground) -> None:
    """A path that is none has no version."""
    mount = server.mount("kv", version="2")
    for path in ("top", "a/b", "a/c/d"):
        server.ask("POST", f"{mount}/data/{path}", {"data": {"key": "v"}})
    with server.client() as client:
        assert sorted(client.kv.paths(mount)) == ["a/b", "a/c/d", "top"]
        assert client.kv.versions(mount, "nothing") == Versions(0, {})
        assert client.kv.read(mount, "nothing") is None


def test_texts_of_a_retired_key_version_are_refused(server: Ground) -> None:
    """Rotated, rewrapped, raised: the old text is refused and the rewrapped one opens."""
    mount = server.mount("transit")
    server.ask("POST", f"{mount}/keys/orders", {})
    with server.client() as client:
        old = client.transit.canary(mount, "orders", 1)
        client.transit.rotate(mount, "orders")
        (new,) = client.transit.rewrap(mount, "orders", [old])
        opened = client.transit.opens(mount, "orders", old)
        client.transit.set_least(mount, "orders", decrypt=2)
        key = client.transit.key(mount, "orders")

        assert opened
        assert (key.latest, key.least_decrypt) == (2, 2)
        assert not client.transit.opens(mount, "orders", old)
        assert client.transit.opens(mount, "orders", new)
        assert client.transit.names(mount) == ["orders"]


def test_a_disabled_entity_holds_its_tokens_back(server: Ground) -> None:
    """They are refused while it is disabled, and live again afterwards."""
    login = server.login(server.approle())
    with server.client() as client:
        client.identities.set_disabled(login["entity_id"], disabled=True)
        held = not server.lives(login["client_token"]), client.identities.disabled(login["entity_id"])
        client.identities.set_disabled(login["entity_id"], disabled=False)

    assert held == (True, True)
    assert server.lives(login["client_token"])


@pytest.mark.parametrize(
    ("rules", "lacking"),
    [
        ("", "list, sudo"),
        ('path "auth/token/accessors/" { capabilities = ["list"] }', "sudo"),
        ('path "auth/token/accessors/" { capabilities = ["sudo"] }', "list"),
    ],
)
def test_a_missing_permission_is_named(server: Ground, rules: str, lacking: str) -> None:
    """The error says which capabilities on which path the token lacks, and what to give its policy."""
    token = server.token(policies=[server.policy(rules or 'path "x" { capabilities = ["read"] }')])["client_token"]

    with server.client(token) as client, pytest.raises(RefusedError) as caught:
        client.tokens.accessors()

    assert caught.value.saw == f"403, no {lacking} on auth/token/accessors/"
    assert caught.value.then == 'give its policy: path "auth/token/accessors/" with list, sudo'
    assert token not in str(caught.value)
