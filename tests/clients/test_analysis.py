"""The analysis names the commit, the lines nobody tested and the test that was missing, and proves each."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crisis.clients.culprit import first_bad
from crisis.clients.git import Repository
from crisis.clients.replay import prove_test, replay_path, replay_test
from crisis.clients.untested import untested_lines
from crisis.domain.protocol import Answer, Build, Request
from crisis.errors import ProtocolError, RefusedError
from tests.clients.history import Origin
from tests.clients.shop import BAD, BROKEN, BUILD, CHECKOUT, GOOD, Story, break_shop, open_shop

SECRET = "shopper-4711"
INCIDENT = "INC-20261124-3f9a2c"
Mirror = Callable[[], Repository]


@pytest.fixture
def story(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Break a shop inside a merged branch."""
    monkeypatch.setenv("A_PASSWORD", SECRET)
    return break_shop(origin)


def test_the_commit_inside_the_merge_is_named(story: Story, mirror: Mirror) -> None:
    """The search goes on inside the merge that brought the fault, and says each step."""
    said: list[str] = []

    found = first_bad(mirror(), BUILD, story.good, story.bad, CHECKOUT, say=said.append)

    assert found.commit is not None
    assert (found.commit.sha, found.commit.subject, found.suspects) == (story.culprit, "Price bundles", ())
    assert f"{story.bad[:7]} fails: POST /api/checkout answered 500, wanted 201" in said
    assert f"{story.merge[:7]} is a merge: looking inside its branch" in said
    assert len({tried.sha for tried in found.tried}) == len(found.tried)


def test_a_commit_that_does_not_start_is_skipped(origin: Origin, mirror: Mirror, story: Story) -> None:
    """A commit that cannot be tried is passed by, and named as a suspect where it stands next to the culprit."""
    good = origin.commit("Mend", shop__prices_py=GOOD)
    origin.commit("Fine", fine="1\n")
    broken = origin.commit("Broken", shop__prices_py=BROKEN)
    culprit = origin.commit("Bad again", shop__prices_py=BAD)
    bad = origin.commit("On top", top="1\n")

    found = first_bad(mirror(), BUILD, good, bad, CHECKOUT)

    assert found.commit is not None
    assert found.commit.sha == culprit
    assert [suspect.sha for suspect in found.suspects] == [broken]
    assert "does not start" in [tried.verdict for tried in found.tried]
    assert story.culprit not in [tried.sha for tried in found.tried]


def test_a_merge_of_two_good_sides_is_itself_the_culprit(
    origin: Origin, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When each side works alone, the merge did it."""
    monkeypatch.setenv("A_PASSWORD", SECRET)
    good = open_shop(origin)
    origin.branch("feature")
    origin.commit("Rename", shop__prices_py="FACTOR = 100\n\n\ndef total(quantity):\n    return FACTOR * quantity\n")
    origin.git("checkout", "--quiet", "main")
    origin.commit("Beside", beside="1\n")
    origin.git("merge", "--quiet", "--no-commit", "--no-ff", "feature")
    merge = origin.commit("Merge feature, badly", shop__prices_py=BAD)

    found = first_bad(mirror(), BUILD, good, merge, CHECKOUT)

    assert found.commit is not None
    assert found.commit.sha == merge


@pytest.mark.parametrize(("good", "bad", "why"), [("good", "hint", "works here"), ("culprit", "bad", "fails here")])
def test_a_fault_that_is_not_in_the_code_has_no_culprit(
    story: Story, mirror: Mirror, good: str, bad: str, why: str
) -> None:
    """Nobody is named when the fault does not show here, or shows with the good commit as well."""
    found = first_bad(mirror(), BUILD, getattr(story, good), getattr(story, bad), CHECKOUT)

    assert found.commit is None
    assert why in found.why


def test_changed_lines_that_no_test_ran_are_listed(story: Story, mirror: Mirror) -> None:
    """A statement over several lines counts once, by its first."""
    found = untested_lines(mirror(), BUILD, story.culprit)

    assert found.untested == {"shop/prices.py": [3]}
    assert (found.changed, found.suite) == (2, "2 passed")


def test_lines_of_a_merge_are_what_it_brought(story: Story, mirror: Mirror) -> None:
    """For a merge the difference to its first parent counts."""
    assert untested_lines(mirror(), BUILD, story.merge).untested == {"shop/prices.py": [3]}


def test_tests_that_cannot_be_measured_are_refused(story: Story, mirror: Mirror) -> None:
    """A runner that is no Python module, or does not run, gives no list instead of an empty one."""
    for test in (("make", "test"), ("{python}", "-m", "no_such_module"), ("{python}", "-m", "pytest", "--no-such")):
        build = Build(serve=BUILD.serve, test=test, source="shop", environment=BUILD.environment)
        with pytest.raises(RefusedError, match=r"a test run under coverage|build\.test"):
            untested_lines(mirror(), build, story.culprit)


def test_tests_that_hang_are_ended(origin: Origin, mirror: Mirror, story: Story) -> None:
    """The suite's time is bounded."""
    hanging = origin.commit("Hang", tests__test_hang_py="import signal\n\n\ndef test_it():\n    signal.pause()\n")

    with pytest.raises(RefusedError, match="no end in time"):
        untested_lines(mirror(), BUILD, hanging, timeout=1.5)

    assert story.bad != hanging


def test_the_missing_test_fails_with_the_fault_and_passes_without(story: Story, mirror: Mirror) -> None:
    """The replay would have stopped the release."""
    text = replay_test(BUILD, CHECKOUT, INCIDENT, "checkout")

    proof = prove_test(mirror(), BUILD, text, story.good, story.bad)

    assert (proof.fails_on_bad, proof.passes_on_good) == (True, True), proof.output
    assert "assert 500 == 201" in proof.output
    assert SECRET not in text + proof.output


def test_a_test_that_says_nothing_proves_nothing(origin: Origin, mirror: Mirror, story: Story) -> None:
    """A test that always passes, cannot be read, or finds no service does not count as failing."""
    broken = origin.commit("Broken", shop__prices_py=BROKEN)
    replay = replay_test(BUILD, CHECKOUT, INCIDENT, "checkout")

    always = prove_test(mirror(), BUILD, "def test_it():\n    pass\n", story.good, story.bad)
    unreadable = prove_test(mirror(), BUILD, "def test_it(:\n", story.good, story.bad)
    nothing = prove_test(mirror(), BUILD, replay, story.good, broken)

    assert [one.fails_on_bad for one in (always, unreadable, nothing)] == [False, False, False]
    assert (always.passes_on_good, unreadable.passes_on_good) == (True, False)


def test_the_missing_test_is_well_written(tmp_path: Path) -> None:
    """It names the incident, is formatted, passes a linter, and holds no secret of any journey."""
    items = [{"sku": f"mug-{n}", "note": 'a "quoted" word\n'} for n in range(3)]
    journey = (
        *CHECKOUT,
        Request(
            request="PUT /api/cart",
            json={"items": items, "gift": True, "note": None, "prices": [1, 2.5], "key": "env:OTHER_KEY"},
            headers={"Authorization": "env:OTHER_KEY", "X-Trace": "a-long-value-that-fills-up-the-line-of-headers"},
            answers=Answer(json={"items": items, "ok": True}, text="Thanks"),
        ),
        Request(request="GET /", answers=Answer(text="Welcome")),
    )
    serve = ("{python}", "-m", "uvicorn", "--port={port}", "--app-dir", "a-long-folder-name", "{release}")
    build = Build(serve=serve, environment={**BUILD.environment, "WHERE": "http://127.0.0.1:{port}/"})
    path = tmp_path / replay_path(INCIDENT, "checkout")
    path.parent.mkdir()

    path.write_text(replay_test(build, journey, INCIDENT, "checkout"), encoding="utf-8")

    assert path.name == "test_inc_20261124_3f9a2c_checkout.py"
    assert INCIDENT in path.read_text(encoding="utf-8").split('"""')[1]
    assert 'os.environ["OTHER_KEY"]' in path.read_text(encoding="utf-8")
    for words in (["format", "--check", "--line-length", "120"], ["check", "--isolated", "--line-length", "120"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_reference_no_test_can_read_is_refused() -> None:
    """A secret from a vault has no place in a test that runs without it."""
    journey = (Request(request="POST /api/login", json={"password": "vault:kv/shop#password"}),)

    with pytest.raises(ProtocolError, match="env:NAME"):
        replay_test(BUILD, journey, INCIDENT, "login")


def test_a_shop_without_tests_has_tested_nothing(origin: Origin, mirror: Mirror, story: Story) -> None:
    """Where there is no test, every changed line is untested."""
    origin.git("rm", "--quiet", "-r", "tests")
    sha = origin.commit("Trust us", shop__prices_py=GOOD.replace("100", "90"))

    assert untested_lines(mirror(), BUILD, sha).untested == {"shop/prices.py": [2]}
    assert story.bad != sha
