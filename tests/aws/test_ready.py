"""What `crisis check` tries at AWS."""

import pytest

from crisis.protocol_file import load_protocol
from crisis.readiness import system_probes
from crisis.readiness.trying import try_all
from tests.aws.account import Cloud
from tests.protocol.case import HERE


def test_the_account_and_the_key_are_named(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS says whose the key is; a key that it does not know is told, without its secret."""
    protocol = load_protocol(HERE / "valid.yaml").model_copy(update={"systems": {"cloud": cloud.system()}})
    (taken,) = try_all(system_probes(protocol), limit=60)
    monkeypatch.setenv("CRISIS_TEST_AWS_ID", "AKIAZZZZZZZZZZZZZZZZ")
    (refused,) = try_all(system_probes(protocol), limit=60)

    assert (taken.ok, taken.says) == (True, f"account 123456789012 takes the key {cloud.admin[0]}")
    assert (refused.ok, refused.mend) == (False, "renew the credentials that crisis uses")
    assert cloud.admin[1] not in repr([taken, refused])
    assert set(cloud.counted()["calls"]) == {"GetCallerIdentity"}
