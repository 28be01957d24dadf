"""A short run of the fuzzer of readers, the same each time: every kind, from its proof to the journal."""

from pathlib import Path
from random import Random

import pytest

from crisis.domain.alerting import ALERT_KINDS
from crisis.receiver.senders import aws_sns
from tests.fuzz.mutation import by_bytes, mutated
from tests.fuzz.target import Target, ground
from tests.fuzz.wire import joined, parted
from tests.receiver.senders.notary import Cloud

_INPUTS = 80


@pytest.fixture(scope="module")
def aws() -> Cloud:
    """Make one key for all: that takes longer than a hundred inputs."""
    return Cloud()


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_no_input_is_a_surprise(kind: str, aws: Cloud, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good deliveries, changed in a few places, are read or refused, and what was read can be settled."""
    monkeypatch.setattr(aws_sns, "CERTIFICATES", aws_sns.CERTIFICATES)  # the target puts its own there
    rng = Random(f"crisis {kind}")  # noqa: S311 - the same inputs each time
    with ground(kind, migrated) as context:
        target = Target(kind, context, every=40, cloud=aws)
        for seed in target.seeds:
            target(seed)
        for _ in range(_INPUTS):
            target(mutated(rng.choice(target.seeds), rng, by_bytes(rng)))
        target.settle()

        assert sum(context.inbox.count().values()) > 0


@pytest.mark.parametrize("kind", ["alertmanager", "statuscake"])
def test_changes_reach_what_is_behind_the_reading(
    kind: str, aws: Cloud, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most changed inputs are still something else than noise: else nothing would be tried but the first line."""
    monkeypatch.setattr(aws_sns, "CERTIFICATES", aws_sns.CERTIFICATES)
    rng = Random(1)  # noqa: S311
    with ground(kind, migrated) as context:
        target = Target(kind, context, cloud=aws)
        changed = [mutated(rng.choice(target.seeds[:1]), rng, by_bytes(rng)) for _ in range(100)]
        for one in changed:
            target(one)

        assert len(set(changed)) > 80
        assert sum(parted(one)[1] != parted(target.seeds[0])[1] for one in changed) > 80


def test_an_input_is_headers_and_a_body() -> None:
    """What is kept of a finding can be read, and put together again."""
    data = joined({"x-github-event": "ping", "a": "é"}, b'{"a":\n\n1}')

    assert parted(data) == ([("x-github-event", "ping"), ("a", "é")], b'{"a":\n\n1}')
    assert parted(b'{"a": 1}') == ([], b'{"a": 1}')
