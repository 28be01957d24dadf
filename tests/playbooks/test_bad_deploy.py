"""The bad-deploy playbook, run whole against the sandbox shop."""

from tests.playbooks.conftest import Ground


def test_it_puts_the_last_known_good_release_back(broken: Ground) -> None:
    """One decision, one revert, and production serves the tree that was good."""
    good = broken.world.state()
    broken.answers("ada", "revert")

    error = broken.run()

    assert error is None
    assert [entry.body["outcome"] for entry in broken.entries("ended")] == ["recovered"]
    assert len(broken.done("revert_release")) == 1
    assert broken.world.state()["serving"] != good["serving"]
    assert list(broken.journal.verify(broken.incident)) == []


def test_a_second_run_changes_nothing(broken: Ground) -> None:
    """Running the playbook again finds nothing to revert, says so, and calls people."""
    broken.answers("ada", "revert")
    broken.run()
    serving = broken.world.state()["serving"]

    error = broken.run()

    assert "something to revert" in str(error)
    assert broken.world.state()["serving"] == serving
    assert len(broken.done("revert_release")) == 1
