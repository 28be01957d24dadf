"""A breach from the paste to the last proof, over a whole stack, while an intruder tries every door."""

from pathlib import Path

import pytest

from tests.stack.killing import Trial, rehearse_once

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def calm(prefect_seed: Path) -> Trial:
    """A breach that nothing else disturbed."""
    return rehearse_once((), prefect_seed, "security-breach")


def test_every_door_is_shut_and_everything_is_proved(calm: Trial) -> None:
    """The intruder itself says that nothing opens any more; who needs a key has one that works."""
    company = calm.world["company"]
    works = {name: one["works"] for name, one in company["secrets"].items()}

    assert calm.world["end"] == ["recovered"]
    assert set(calm.world["doors"].values()) == {"shut"}
    assert calm.world["secrets found"] == []
    assert calm.world["decisions"] == ["approved"] * 3
    assert set(works.values()) == {True}
    assert company["sessions"] == "all ended"
    assert company["users"]["support-sync"] == {
        "keys": ["Inactive"], "policies": ["AWSRevokeOlderSessions", "CrisisContainment", "sync"], "password": False,
    }  # fmt: skip
    assert company["vendors"] == {"stripe": [], "sendgrid": [], "datadog": []}
    assert calm.faults == []


# Every event is `make kill-test SCENARIO=security-breach`; this one is in the middle of the rotation.
@pytest.mark.parametrize("event", [40])
def test_killed_in_the_middle_it_ends_the_same(
    calm: Trial, prefect_seed: Path, event: int, request: pytest.FixtureRequest
) -> None:
    """No secret is lost, nothing is rotated twice, nobody is told twice."""
    if not request.config.getoption("--long"):
        pytest.skip("takes as long as the test before: run it with --long")
    killed = rehearse_once([event], prefect_seed, "security-breach")

    assert killed.world == calm.world
    assert killed.faults == []
