"""The shop works, breaks as a real one does, and its tests do not notice."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from crisis.sandbox.origin import Origin
from crisis.sandbox.world import World

Shopper = Callable[[World], httpx.Client]
STARTED = 1_800_000_000
MUG, COFFEE = {"sku": "mug", "quantity": 1}, {"sku": "coffee", "quantity": 1}


def git(origin: Path, *words: str) -> list[str]:
    """Ask the origin."""
    done = subprocess.run(["git", "--git-dir", origin, *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Make the whole history, good and bad."""
    origin = Origin(tmp_path / "origin.git")
    origin.create(STARTED)
    origin.push_bad(STARTED)
    return origin


def test_page_can_be_opened_and_bought_on(shared: World, shopper: Shopper) -> None:
    """There is a page with its parts, and a cart of two products is paid."""
    person = shopper(shared)
    page = person.get("/")
    parts = [person.get(f"/static/{name}").status_code for name in ("shop.css", "shop.js", "search.js", "reviews.js")]
    answer = person.post("/api/checkout", json={"items": [MUG, COFFEE]})

    assert "Log in and buy" in page.text
    assert parts == [200] * 4
    assert answer.status_code == 201
    assert answer.json() == {"status": "paid", "order": answer.json()["order"], "total_cents": 1400 + 1650 + 490}
    assert page.headers["X-Release"] == shared.state()["serving"]


def test_wrong_answers_are_right(shared: World, shopper: Shopper) -> None:
    """A wrong password is 401; an empty cart and an unknown product are 422."""
    person = shopper(shared)

    assert person.post("/api/login", json={"user": "probe", "password": "x"}).status_code == 401
    assert person.post("/api/checkout", json={"items": []}).status_code == 422
    assert person.post("/api/checkout", json={"items": [{"sku": "moon", "quantity": 1}]}).status_code == 422


def test_bad_release_passes_ci_and_breaks_carts_of_two(world: World, shopper: Shopper) -> None:
    """The tests pass, it goes live, one product sells, two do not; shoppers notice."""
    person = shopper(world)
    sha = world.push_bad_release()
    state = world.wait_until(lambda state: state["serving"] == sha and state["shoppers"]["failed"])

    assert person.post("/api/checkout", json={"items": [MUG]}).status_code == 201
    assert person.post("/api/checkout", json={"items": [MUG, COFFEE]}).status_code == 500
    assert state["check_runs"][sha][0]["conclusion"] == "success"
    assert state["check_runs"][sha][0]["output"]["summary"] == "22 passed"
    assert "KeyError: " in (world.home / "logs" / f"{sha}.log").read_text()


def test_every_commit_passes_its_own_tests(origin: Origin, tmp_path: Path) -> None:
    """All eleven commits are green, the bad ones too."""
    commits = git(origin.path, "rev-list", "--reverse", "main")
    for sha in commits:
        origin.archive(sha, tmp_path / sha)
        subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path / sha, check=True, capture_output=True)

    assert len(commits) == 11


def test_tests_never_run_the_line_that_breaks(origin: Origin, tmp_path: Path) -> None:
    """Coverage shows the gap: the line with the wrong key is not executed."""
    origin.archive(origin.head(), tmp_path / "shop")
    for words in (["run", "--source=shop", "-m", "pytest", "-q"], ["json", "-q", "-o", "gaps.json"]):
        subprocess.run(
            [sys.executable, "-m", "coverage", *words], cwd=tmp_path / "shop", check=True, capture_output=True
        )
    gaps = json.loads((tmp_path / "shop" / "gaps.json").read_text())["files"]["shop/bundles.py"]["missing_lines"]
    lines = (tmp_path / "shop" / "shop" / "bundles.py").read_text().splitlines()

    assert any("amounts[cheapest.product.sku]" in lines[number - 1] for number in gaps)


def test_culprit_hides_in_a_merge_below_the_tip(origin: Origin) -> None:
    """Two merges, dates that only grow, a tip that is not to blame, and no branch left over."""
    dates = [
        int(date) for date in git(origin.path, "log", "--reverse", "--topo-order", "--first-parent", "--format=%ct")
    ]
    bad = git(origin.path, "log", "--format=%s", "-n", "4")

    assert dates == sorted(dates)
    assert len(git(origin.path, "rev-list", "--merges", "main")) == 2
    assert bad[:2] == ["Warm up the welcome", "Merge branch 'bundle-discount'"]
    assert git(origin.path, "diff", "--name-only", "main~1", "main") == ["shop/words.py"]
    assert git(origin.path, "branch", "--format=%(refname:short)") == ["main"]


def test_history_is_the_same_for_the_same_start(origin: Origin, tmp_path: Path) -> None:
    """The names of the commits follow from the moment the world started."""
    twin = Origin(tmp_path / "twin.git")
    twin.create(STARTED)

    assert twin.push_bad(STARTED) == origin.head()


def test_merge_can_be_reverted_without_conflict(origin: Origin, tmp_path: Path) -> None:
    """Reverting the merge below the tip leaves pricing as it was and keeps the tip's text."""
    work = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", origin.path, work], check=True)
    person = ["-c", "user.name=Ada", "-c", "user.email=ada@slowcup.example"]
    subprocess.run(
        ["git", *person, "revert", "-m", "1", "--no-edit", "HEAD~1"], cwd=work, check=True, capture_output=True
    )

    assert not (work / "shop" / "bundles.py").exists()
    assert "sit down" in (work / "shop" / "words.py").read_text()


def test_packed_references_are_found(origin: Origin) -> None:
    """Git may pack main away at any time."""
    head = origin.head()
    git(origin.path, "pack-refs", "--all")

    assert origin.head() == head
