"""Versions of secrets and keys, roots and entities: replaced once, and never without a proved successor."""

import pytest

from crisis.errors import ProtocolError, TransientError, UnprovenError
from tests.tasks.vault.conftest import Safe
from tests.tasks.vault.test_policies import a_key, a_secret


def test_a_value_is_replaced_once(safe: Safe) -> None:
    """Although the answer was lost, the version after the planned one is the only new one."""
    from tasks.rotate_vault import rotate_vault_value  # noqa: PLC0415

    name = a_secret(safe)
    path = name.removeprefix("secret:").removesuffix("@1")
    safe.ground.breaks(lost_replies=1, only_on="secret/data")
    with pytest.raises(TransientError):
        safe.do(rotate_vault_value, name, "key")
    change = safe.do(rotate_vault_value, name, "key")
    found = safe.ground.ask("GET", f"secret/data/{path}")["data"]

    assert found["metadata"]["version"] == 2
    assert found["data"]["key"] != "value 0"
    assert (change.state, change.facts) == ("none", {"version": 2})


def test_a_field_that_is_not_there_is_not_made(safe: Safe) -> None:
    """A new field would leave the leaked one in force."""
    from tasks.rotate_vault import rotate_vault_value  # noqa: PLC0415

    with pytest.raises(UnprovenError, match="wanted a field kye, saw none"):
        safe.do(rotate_vault_value, a_secret(safe), "kye")


def test_a_value_without_a_successor_is_not_destroyed(safe: Safe) -> None:
    """The last working version stays."""
    from tasks.rotate_vault import destroy_vault_versions  # noqa: PLC0415

    with pytest.raises(UnprovenError, match="wanted a newer version in force, saw version 1; write one first"):
        safe.do(destroy_vault_versions, a_secret(safe))


def test_the_same_value_again_is_no_successor(safe: Safe) -> None:
    """Somebody wrote the leaked value once more."""
    from tasks.rotate_vault import destroy_vault_versions  # noqa: PLC0415

    name = a_secret(safe)
    path = name.removeprefix("secret:").removesuffix("@1")
    safe.ground.ask("POST", f"secret/data/{path}", {"data": {"key": "value 0"}})

    with pytest.raises(UnprovenError, match="saw the old value in version 2"):
        safe.do(destroy_vault_versions, name)


def test_a_version_that_survives_is_caught(safe: Safe) -> None:
    """A server that says destroyed and keeps it fails the action."""
    from tasks.rotate_vault import destroy_vault_versions  # noqa: PLC0415

    name = a_secret(safe, versions=2)
    safe.ground.breaks(lying=["destroy"])
    with pytest.raises(UnprovenError, match=r"versions \[1\] readable"):
        safe.do(destroy_vault_versions, name)
    safe.ground.breaks()
    first, second = safe.do(destroy_vault_versions, name), safe.do(destroy_vault_versions, name)

    assert (first.state, second.state) == ("done", "none")


def test_a_key_gets_one_new_version(safe: Safe) -> None:
    """Although the answer was lost, it is not rotated a second time; then the old version is refused and readmitted."""
    from tasks.rotate_vault import (  # noqa: PLC0415
        readmit_vault_key_versions,
        retire_vault_key_versions,
        rotate_vault_key,
    )

    name = a_key(safe)
    key = name.removeprefix("transit:").removesuffix("@1")
    with pytest.raises(UnprovenError, match="rotate_vault_key, then rewrap"):
        safe.do(retire_vault_key_versions, name)
    safe.ground.breaks(lost_replies=1, only_on="rotate")
    with pytest.raises(TransientError):
        safe.do(rotate_vault_key, name)
    rotated = safe.do(rotate_vault_key, name)
    retired = [safe.do(retire_vault_key_versions, name).state for _ in range(2)]
    readmitted = [safe.do(readmit_vault_key_versions, name).state for _ in range(2)]

    assert safe.ground.ask("GET", f"transit/keys/{key}")["data"]["latest_version"] == 2
    assert (rotated.state, rotated.facts) == (
        "none",
        {"version": 2, "successors": [f"safe/transit key/transit:{key}@2"]},
    )
    assert retired == readmitted == ["done", "none"]


def test_a_key_version_that_still_opens_is_caught(safe: Safe) -> None:
    """A server that says so and changes nothing fails the action, by a text of the old version."""
    from tasks.rotate_vault import retire_vault_key_versions  # noqa: PLC0415

    name = a_key(safe, rotated=True)
    safe.ground.breaks(lying=["transit"])

    with pytest.raises(UnprovenError, match="a text of it opens"):
        safe.do(retire_vault_key_versions, name)


def test_a_root_is_rotated_by_a_server_that_gets_in(safe: Safe) -> None:
    """One that does not get in is not asked to rotate; the password that was known is refused afterwards."""
    from tasks.rotate_vault import rotate_vault_root  # noqa: PLC0415

    safe.ground.breaks(backend_broken=True)
    with pytest.raises(UnprovenError, match="mend the connection first"):
        safe.do(rotate_vault_root, "database:shop")
    safe.ground.breaks()
    change = safe.do(rotate_vault_root, "database:shop")

    assert change.state == "done"
    assert not safe.ground.gets_in("root", "leaked")


def test_a_root_is_rotated_once_in_a_run(safe: Safe) -> None:
    """Killed after the answer and before the record, it finds on the disc that it was answered, and asks for none."""
    from tasks.rotate_vault import rotate_vault_root  # noqa: PLC0415

    safe.do(rotate_vault_root, "database:shop")
    safe.ground.breaks(lying=["rotate-root"])  # whoever rotated now would lock the server out
    again = safe.do(rotate_vault_root, "database:shop")

    assert (again.state, again.note.partition(":")[0]) == ("none", "rotated already")


def test_an_entity_is_held_back_and_let_go(safe: Safe) -> None:
    """Both converge; a server that changes nothing is caught."""
    from tasks.contain_vault import disable_vault_entity, enable_vault_entity  # noqa: PLC0415

    login = safe.ground.login("approle", "any")
    held = [safe.do(disable_vault_entity, login["entity_id"]).state for _ in range(2)]
    lived = safe.ground.lives(login["client_token"])
    let_go = [safe.do(enable_vault_entity, login["entity_id"]).state for _ in range(2)]
    safe.ground.breaks(lying=["entity"])
    with pytest.raises(UnprovenError, match="wanted it disabled"):
        safe.do(disable_vault_entity, login["entity_id"])

    assert held == let_go == ["done", "none"]
    assert not lived
    assert safe.ground.lives(login["client_token"])


def test_a_system_that_is_none_is_named(safe: Safe) -> None:
    """The error says where to add it."""
    from tasks.list_vault import vault_of  # noqa: PLC0415

    with safe.run, pytest.raises(ProtocolError, match="wanted a system of kind vault, saw none"):
        vault_of("other")
