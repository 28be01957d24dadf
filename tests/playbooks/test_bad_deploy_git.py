"""Histories that are not a straight line: merges, several bad releases, rewritten branches, fixes on offer."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.playbooks.conftest import Ground, Nursery, Stage, broken_ground

BUNDLES = "shop/bundles.py"
WRONG = "amounts[cheapest.product.sku]"
RIGHT = "amounts[cheapest.product.name]"


@pytest.fixture(scope="module")
def twice_broken(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Run after a second release, whose tip is a merge, went live on top of the broken one."""
    with broken_ground(nursery, stage) as ground:
        merged = _merge(ground, "README.md", "Hello\n")
        ground.world.wait_until(lambda state: state["serving"] == merged, seconds=30)
        ground.answers("ada", "revert")
        assert ground.run() is None
        yield ground


def _merge(ground: Ground, name: str, text: str) -> str:
    """Merge a branch with one changed file into main, without a fast-forward; return the merge."""
    side = ground.world.push({name: text}, "Say hello", branch="hello")
    main = ground.git("rev-parse", "main")
    tree = ground.tree(side)
    author = ("-c", "user.name=Ida Quist", "-c", "user.email=ida@slowcup.example")
    merge = ground.git(*author, "commit-tree", tree, "-p", main, "-p", side, "-m", "Merge branch 'hello'")
    ground.git("update-ref", "refs/heads/main", merge, main)
    ground.git("update-ref", "-d", "refs/heads/hello")
    return merge


def test_a_tip_that_is_a_merge_is_reverted(twice_broken: Ground) -> None:
    """One commit on top of a merge takes back all that came since the good release, merges included."""
    good = twice_broken.done("revert_release")[0].body["facts"]["good"]

    assert len(twice_broken.git("log", "-1", "--format=%P", "main^").split()) == 2
    assert twice_broken.tree(twice_broken.world.state()["serving"]) == twice_broken.tree(good)
    assert twice_broken.tree() == twice_broken.tree(good)


def test_the_release_before_is_not_taken_for_good(twice_broken: Ground) -> None:
    """Two bad releases in a row: the one that passed every journey is two steps back."""
    state = twice_broken.world.state()
    released = list(dict.fromkeys(one["sha"] for one in state["deployments"]))
    good = twice_broken.done("revert_release")[0].body["facts"]["good"]

    assert released.index(good) == len(released) - 4  # good, bad, bad, the revert
    assert twice_broken.git("merge-base", "--is-ancestor", good, "main") == ""


def rewrite(ground: Ground, *, keep_old: bool) -> str:
    """Let somebody replace main by one commit without a past, and wait until it is live."""
    if keep_old:
        ground.git("update-ref", "refs/heads/old", "main")
    author = ("-c", "user.name=Ravi Menon", "-c", "user.email=ravi@slowcup.example")
    squashed = ground.git(*author, "commit-tree", ground.tree(), "-m", "Start afresh")
    ground.git("update-ref", "refs/heads/main", squashed)
    ground.world.wait_until(lambda state: state["serving"] == squashed, seconds=30)
    return squashed


@pytest.mark.parametrize(
    ("keep_old", "because"),
    [(True, "is no ancestor of"), (False, "is on no branch any more")],
    ids=["good release on another branch", "good release on no branch"],
)
def test_a_rewritten_branch_is_rolled_back(broken: Ground, keep_old: bool, because: str) -> None:
    """Where no revert leads back, the plan says so, and the kept artefact goes live while main stays as it is."""
    head = rewrite(broken, keep_old=keep_old)
    broken.answers("ada", "roll-back")

    error = broken.run()

    good = broken.done("roll_back_release")[0].body["facts"]["good"]
    assert broken.world.state()["serving"] == good
    assert broken.git("rev-parse", "main") == head
    plan = broken.entries("asked")[0].body["plan"]
    assert [choice["name"] for choice in plan["choices"]] == ["roll-back"]
    assert because in plan["notes"][0]
    assert "the kept artefact goes back, main stays as it is" in plan["notes"][0]
    assert broken.outcomes() == ["recovered"]
    assert error is None


def test_a_release_that_came_after_the_plan_is_asked_about(broken: Ground) -> None:
    """A rollback replaces the release that was named in its plan; for another one people are asked again."""
    rewrite(broken, keep_old=True)
    pushed: list[str] = []

    def overtake() -> None:
        pushed.append(broken.world.push({"README.md": "Hello\n"}, "Say hello"))
        broken.world.wait_until(lambda state: pushed[0] in [one["sha"] for one in state["deployments"]], seconds=30)
        broken.says("ada", "roll-back")

    broken.meanwhile(lambda: broken.question("ada"), overtake)
    broken.answers("ben", "roll-back", plan=2)

    error = broken.run()

    facts = broken.done("roll_back_release")[0].body["facts"]
    assert facts["bad"] == pushed[0]
    assert broken.world.state()["serving"] == facts["good"]
    assert len(broken.entries("drifted")) == 1
    assert error is None


@pytest.fixture(scope="module")
def mended(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Run where four fixes wait, of which two are one tested line, and choose to go forward."""
    with broken_ground(nursery, stage) as ground:
        source = ground.git("show", f"main:{BUNDLES}") + "\n"
        fixes: dict[str, dict[str, str | None]] = {
            "fix/bundles": {BUNDLES: source.replace(WRONG, RIGHT)},
            "fix/haste": {BUNDLES: source.replace("return 0", "return zero")},
            "fix/later": {BUNDLES: source.replace("PER_CENT = 10", "PER_CENT = 0")},
            "hotfix/two": {BUNDLES: source.replace(WRONG, RIGHT).replace("PER_CENT = 10", "PER_CENT = 9")},
        }
        tips = {name: ground.world.push(files, "Mend bundles", branch=name) for name, files in fixes.items()}
        ground.world.wait_until(lambda state: all(_tested(state, tip) for tip in tips.values()), seconds=30)
        ground.answers("ben", "fix-forward")
        assert ground.run() is None
        yield ground


def _tested(state: dict[str, Any], sha: str) -> bool:
    return any(run["status"] == "completed" for run in state["check_runs"].get(sha, []))


def test_a_tested_one_line_fix_is_released(mended: Ground) -> None:
    """Main moves forward to the fix, and production serves it."""
    fix = mended.git("rev-parse", "fix/bundles")

    assert mended.world.state()["serving"] == fix
    assert mended.git("rev-parse", "main") == fix
    assert len(mended.done("merge_fix")) == 1
    assert mended.outcomes() == ["recovered"]


def test_a_fix_is_only_the_second_choice(mended: Ground) -> None:
    """The revert is recommended; the fix says how big it is and that CI passed on that very commit."""
    revert, fix = mended.entries("asked")[0].body["plan"]["choices"]
    tip = mended.git("rev-parse", "fix/bundles")

    assert revert["name"] == "revert"
    assert fix["name"] == "fix-forward"
    assert fix["summary"] == f"Release fix/bundles: one changed line, CI passed on {tip[:10]}."


def test_a_fix_of_more_than_one_line_is_refused(mended: Ground) -> None:
    """The plan names the branch and its size."""
    notes = mended.entries("asked")[0].body["plan"]["notes"]

    assert "fix forward by hotfix/two refused: 2 changed lines, at most one is allowed" in notes


def test_a_fix_without_passing_tests_is_refused(mended: Ground) -> None:
    """The plan names the branch, its commit, and what CI says."""
    notes = mended.entries("asked")[0].body["plan"]["notes"]
    tip = mended.git("rev-parse", "fix/haste")

    assert f"fix forward by fix/haste refused: CI on {tip[:10]} is failure, not success" in notes


def test_one_fix_is_offered_at_most(mended: Ground) -> None:
    """A second good fix is named, so that nobody thinks it was overlooked."""
    notes = mended.entries("asked")[0].body["plan"]["notes"]

    assert "fix forward by fix/later left out: one fix is offered already" in notes
    assert not any("no fix branch" in note for note in notes)
