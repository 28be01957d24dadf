"""Which credentials a breach covers, and what an inventory could not see."""

import pytest

from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory, Scope

NOW = utc_now()


def key(name: str, holder: str = "", *, reach: tuple[str, ...] = (), alive: bool = True) -> Credential:
    """Return a key of the account `aws`."""
    return Credential(
        system="aws", kind="access key", name=name, holder=holder, fate="rotate", reach=reach, alive=alive
    )


LISTED = Inventory(
    taken_at=NOW,
    credentials=(
        key("leaked", "ci", reach=("aws/access key/database",)),
        key("second", "ci"),
        key("off", "ci", alive=False),
        key("database", "app", reach=("aws/access key/inner", "aws/access key/leaked")),
        key("inner", "app"),
        key("other", "ops"),
    ),
    unseen=("vault: sys/leases is denied",),
)


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("credential", {"leaked"}),
        ("principal", {"leaked", "second"}),
        ("reach", {"leaked", "second", "database", "inner"}),
        ("everything", {"leaked", "second", "database", "inner", "other"}),
    ],
)
def test_scope_says_how_far_a_breach_goes(scope: Scope, names: set[str]) -> None:
    """Each scope holds the one before, and none holds what is dead already."""
    found = LISTED.within(scope, ["aws/access key/leaked"])

    assert {one.name for one in found} == names


def test_holder_without_a_name_binds_nothing_together() -> None:
    """Two credentials nobody is known to hold are not one principal's."""
    listed = Inventory(taken_at=NOW, credentials=(key("a"), key("b")))

    assert [one.name for one in listed.within("principal", ["aws/access key/a"])] == ["a"]


def test_gaps_are_said() -> None:
    """An inventory that could not list something does not look whole."""
    whole = Inventory.of([LISTED, Inventory(taken_at=NOW, unseen=("okta: 403",))], NOW)

    assert whole.says == (
        "5 live credentials in 1 systems; 2 could not be listed: vault: sys/leases is denied; okta: 403"
    )
