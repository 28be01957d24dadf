"""The freeze where somebody else's stands already: a person's words, or another incident's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from crisis.clients import github
from crisis.domain.protocol import GitHubReleases
from crisis.errors import UnprovenError
from crisis.protocol_file import load_protocol
from tests.playbooks.conftest import Ground

VARIABLE = "DEPLOY_FREEZE"


@contextmanager
def hub(ground: Ground) -> Iterator[github.GitHub]:
    """Open the repository of the shop."""
    with ground.environment():
        releases = load_protocol(ground.protocol_file).services["shop"].releases
        assert isinstance(releases, GitHubReleases)
        with github.connect(releases) as client:
            yield client


@pytest.fixture(
    params=["no releases before Monday, Ida", '{"incident": "INC-20261101-abcdef"}', '["stop"]', "7"],
    ids=["words", "another incident", "a list", "a number"],
)
def foreign(calm: Ground, request: pytest.FixtureRequest) -> Iterator[str]:
    """Let somebody else freeze deployments."""
    with hub(calm) as client:
        client.set_variable(VARIABLE, request.param)
    yield request.param
    with hub(calm) as client:
        client.delete_variable(VARIABLE)


def freeze(service: str) -> None:
    """Freeze, as a playbook does."""
    from tasks.freeze import freeze_deployments  # noqa: PLC0415 - loads Prefect

    freeze_deployments(service)


def lift(service: str) -> None:
    """Lift the freeze, as a playbook does."""
    from tasks.freeze import lift_freeze  # noqa: PLC0415 - loads Prefect

    lift_freeze(service)


def allow(service: str) -> None:
    """Let a commit through, as a revert does."""
    from crisis.engine.run import current_run  # noqa: PLC0415 - loads Prefect
    from tasks.freeze import allow_release  # noqa: PLC0415

    releases = current_run().protocol.services[service].releases
    assert isinstance(releases, GitHubReleases)
    allow_release(releases, "abc")


def test_what_a_freeze_replaces_is_recorded(calm: Ground, foreign: str) -> None:
    """The journal keeps the other freeze word for word, and the note quotes it."""
    error = calm.play_body(freeze)

    (done,) = calm.done("freeze_deployments")
    assert calm.world.state()["freeze"] == {"incident": calm.incident, "allow": [], "replaced": foreign}
    assert done.body["facts"]["replaced"] == foreign
    assert foreign in done.body["note"]
    assert error is None


def test_a_second_freeze_still_says_what_was_replaced(calm: Ground, foreign: str) -> None:
    """Frozen again after a crash, the record of what stood there is not lost."""
    calm.play_body(freeze)
    calm.play_body(freeze)

    (none,) = calm.of("freeze_deployments", "none")
    assert none.body["facts"]["replaced"] == foreign


def test_the_freeze_of_others_is_not_lifted(calm: Ground, foreign: str) -> None:
    """What is not ours stays as it is, and the note says whose it is not."""
    error = calm.play_body(lift)

    (none,) = calm.of("lift_freeze", "none")
    with hub(calm) as client:
        assert client.variable(VARIABLE) == foreign
    assert none.body["note"] == f"the freeze is not this incident's: {foreign}"
    assert error is None


def test_nothing_is_let_through_the_freeze_of_others(calm: Ground, foreign: str) -> None:
    """A release that somebody else holds back is not let through; the error says what to do."""
    error = calm.play_body(allow)

    with hub(calm) as client:
        assert client.variable(VARIABLE) == foreign
    assert isinstance(error, UnprovenError)
    assert error.then == "agree with whoever set it, delete DEPLOY_FREEZE, and try again"


def test_an_own_freeze_without_a_list_lets_a_release_through(calm: Ground) -> None:
    """A freeze of ours that somebody shortened by hand is completed."""
    with hub(calm) as client:
        client.set_variable(VARIABLE, json.dumps({"incident": calm.incident}))

    error = calm.play_body(allow)

    frozen = calm.world.state()["freeze"]
    with hub(calm) as client:
        client.delete_variable(VARIABLE)
    assert frozen == {"incident": calm.incident, "allow": ["abc"]}
    assert error is None
