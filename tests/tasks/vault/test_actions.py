"""Actions on a Vault: once, again, after a crash, after a lost answer, and against a server that lies."""

import json

import pytest

from crisis.errors import ProtocolError, RefusedError, TransientError, UnprovenError
from tests.tasks.vault.conftest import INCIDENT, Safe


def test_a_token_is_revoked_once(safe: Safe) -> None:
    """The second time it is dead already."""
    from tasks.revoke_vault import revoke_vault_token  # noqa: PLC0415 - loads Prefect

    made = safe.ground.token(policies=["default"])
    first = safe.do(revoke_vault_token, made["accessor"])
    second = safe.do(revoke_vault_token, made["accessor"])

    assert not safe.ground.lives(made["client_token"])
    assert (first.state, second.state) == ("done", "none")
    assert made["client_token"] not in f"{first}{second}"


def test_our_own_token_is_not_revoked_among_others(safe: Safe) -> None:
    """It goes last, by its own action; then the server refuses it."""
    from tasks.revoke_vault import revoke_own_vault_token, revoke_vault_token  # noqa: PLC0415

    accessor = safe.as_orphan("root")
    with pytest.raises(RefusedError, match="end it last, with revoke_own_vault_token"):
        safe.do(revoke_vault_token, accessor)
    first = safe.do(revoke_own_vault_token)
    second = safe.do(revoke_own_vault_token)

    assert (first.state, first.facts["accessor"]) == ("done", accessor)
    assert (second.state, second.note) == ("none", "refused already")


def test_a_token_that_hangs_on_another_revokes_nothing(safe: Safe) -> None:
    """Whoever is revoked might be its parent, and take it along."""
    from tasks.revoke_vault import revoke_vault_token  # noqa: PLC0415

    parent = safe.ground.token(policies=["root"])
    safe.set_token(safe.ground.token(parent=parent["client_token"], policies=["root"])["client_token"])

    with pytest.raises(RefusedError, match="give crisis an orphan token"):
        safe.do(revoke_vault_token, parent["accessor"])

    assert safe.ground.lives(parent["client_token"])


def test_a_server_that_revokes_nothing_is_caught(safe: Safe) -> None:
    """Its word does not count."""
    from tasks.revoke_vault import revoke_vault_token  # noqa: PLC0415

    made = safe.ground.token(policies=["default"])
    safe.ground.breaks(lying=["revoke"])

    with pytest.raises(UnprovenError, match="wanted a dead token, saw a living one"):
        safe.do(revoke_vault_token, made["accessor"])


def test_leases_are_revoked_until_none_is_left(safe: Safe) -> None:
    """The database refuses the user that was lent; the second time nothing is lent."""
    from tasks.revoke_vault import revoke_vault_leases  # noqa: PLC0415

    user = safe.ground.ask("GET", "database/creds/shop")["data"]
    safe.ground.breaks(queue_delay=0.3)
    first = safe.do(revoke_vault_leases, "database/creds/shop")
    second = safe.do(revoke_vault_leases, "database/creds/shop")

    assert not safe.ground.gets_in(user["username"], user["password"])
    assert first.note == f"{first.facts['leases']} leases revoked"
    assert (second.state, second.note) == ("none", "nothing is lent there")


def test_a_prefix_that_nobody_approved_is_not_revoked(safe: Safe) -> None:
    """protocol.yaml lists those that may be."""
    from tasks.revoke_vault import revoke_vault_leases  # noqa: PLC0415

    with pytest.raises(RefusedError, match=r"add database to systems\.safe\.prefixes"):
        safe.do(revoke_vault_leases, "database")


def test_the_prefix_of_our_own_login_is_not_revoked(safe: Safe) -> None:
    """It would end us in the middle of the work."""
    from tasks.revoke_vault import revoke_vault_leases  # noqa: PLC0415

    login = safe.ground.login("approle", "any")
    safe.set_token(login["client_token"])

    with pytest.raises(RefusedError, match="our own token was issued there"):
        safe.do(revoke_vault_leases, "auth/approle")

    assert safe.ground.lives(login["client_token"])


def test_leases_that_nobody_can_end_are_counted(safe: Safe) -> None:
    """The error says how many are left, why, and what does not help; once the backend is mended it converges."""
    from tasks.revoke_vault import revoke_vault_leases  # noqa: PLC0415

    user = safe.ground.ask("GET", "database/creds/shop")["data"]
    safe.ground.breaks(backend_broken=True)
    with pytest.raises(UnprovenError, match="1 left, 1 irrevocable ones on the server; mend their backend"):
        safe.do(revoke_vault_leases, "database/creds/shop")
    safe.ground.breaks()
    change = safe.do(revoke_vault_leases, "database/creds/shop")

    assert change.state == "done"
    assert not safe.ground.gets_in(user["username"], user["password"])


def test_a_sealed_server_fails_with_what_to_do(safe: Safe) -> None:
    """It is not tried again: only the holders of the keys can help."""
    from tasks.revoke_vault import revoke_vault_leases  # noqa: PLC0415

    safe.ground.breaks(sealed=True)

    with pytest.raises(RefusedError, match="a sealed server; unseal it"):
        safe.do(revoke_vault_leases, "database/creds/shop")


def test_a_secret_id_is_replaced_where_it_is_kept(safe: Safe) -> None:
    """The new one logs in, the leaked one is refused, its text is destroyed, and other fields stay."""
    from tasks.rotate_vault import rotate_vault_secret_id  # noqa: PLC0415

    leaked = safe.secret_id("shop", stored=True)
    before = safe.kept("shop")
    first = safe.do(rotate_vault_secret_id, "approle:shop")
    after = safe.kept("shop")
    second = safe.do(rotate_vault_secret_id, "approle:shop")

    assert safe.logs_in("shop", after["secret_id"])
    assert not safe.logs_in("shop", before["secret_id"])
    assert safe.accessors("shop") == [after["secret_id_accessor"]] != [leaked]
    assert after["note"] == "stays"
    assert safe.ground.send("GET", "secret/data/approle/shop?version=1").status_code == 404
    assert (first.state, second.state) == ("done", "none")
    assert after["secret_id"] not in f"{first}{second}"


def test_a_secret_id_that_was_never_stored_is_ended(safe: Safe) -> None:
    """Killed between making and storing, the run makes another and leaves no orphan."""
    from tasks.rotate_vault import rotate_vault_secret_id  # noqa: PLC0415

    safe.secret_id("shop", stored=True)
    body = {"metadata": json.dumps({"crisis_incident": INCIDENT})}
    orphan = safe.ground.ask("POST", "auth/approle/role/shop/secret-id", body)["data"]
    change = safe.do(rotate_vault_secret_id, "approle:shop")

    assert safe.accessors("shop") == [change.facts["accessor"]]
    assert not safe.logs_in("shop", orphan["secret_id"])


@pytest.mark.parametrize("where", ["role/shop/secret-id", "secret/data/approle", "destroy"])
def test_a_lost_answer_rotates_no_second_time(safe: Safe, where: str) -> None:
    """Tried again it ends in the same world: one secret id, stored, that logs in."""
    from tasks.rotate_vault import rotate_vault_secret_id  # noqa: PLC0415

    safe.secret_id("shop", stored=True)
    safe.ground.breaks(lost_replies=1, only_on=where)
    with pytest.raises(TransientError):
        safe.do(rotate_vault_secret_id, "approle:shop")
    safe.do(rotate_vault_secret_id, "approle:shop")
    kept = safe.kept("shop")

    assert safe.accessors("shop") == [kept["secret_id_accessor"]]
    assert safe.logs_in("shop", kept["secret_id"])
    metadata = safe.ground.ask("GET", "secret/metadata/approle/shop")["data"]
    assert metadata["current_version"] == 2


def test_a_secret_id_that_survives_is_caught(safe: Safe) -> None:
    """A server that says destroyed and does nothing fails the action, by accessor."""
    from tasks.rotate_vault import rotate_vault_secret_id  # noqa: PLC0415

    leaked = safe.secret_id("shop", stored=True)
    safe.ground.breaks(lying=["secret-id"])

    with pytest.raises(UnprovenError, match=f"wanted one secret id, saw 1 others: {leaked}"):
        safe.do(rotate_vault_secret_id, "approle:shop")


def test_a_role_without_a_place_is_named(safe: Safe) -> None:
    """A secret id that could not be stored is not made."""
    from tasks.rotate_vault import rotate_vault_secret_id  # noqa: PLC0415

    with pytest.raises(ProtocolError, match=r"add it to systems\.safe\.approles"):
        safe.do(rotate_vault_secret_id, "approle:any")
