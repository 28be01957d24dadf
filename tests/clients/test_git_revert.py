"""Going back, on real repositories: what is reverted and pushed, and what is refused."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crisis.clients.git import Prepared, Repository
from crisis.errors import DriftError, RefusedError, TransientError
from tests.clients.history import Origin

WHEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
Mirror = Callable[[], Repository]


def revert(repository: Repository, good: str, head: str) -> Prepared:
    """Prepare the revert of everything since a good commit."""
    return repository.prepare_revert(good, head, "Revert to the last good release\n\nINC-1", WHEN)


def test_nobodys_configuration_matters(origin: Origin, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that would turn git elsewhere, or name another author, change nothing."""
    good = origin.main()
    bad = origin.commit("Second", a="2\n")
    expected = revert(mirror(), good, bad)
    monkeypatch.setenv("GIT_DIR", "nowhere")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare=maybe'")

    assert revert(mirror(), good, bad) == expected


def test_a_tip_that_is_a_merge_is_reverted(origin: Origin, mirror: Mirror) -> None:
    """A merge goes as a whole, and the files are those of the good commit."""
    good = origin.main()
    origin.branch("feature")
    origin.commit("Inside", a="1\nbad\n3\n", f="new\n")
    bad = origin.merge("feature")

    repository = mirror()
    made = revert(repository, good, bad)

    assert made.commit is not None
    assert made.how == "revert"
    assert repository.tree(made.commit) == repository.tree(good)
    assert repository.commit(made.commit).parents == (bad,)


def test_a_range_with_merges_and_empty_commits_is_reverted(origin: Origin, mirror: Mirror) -> None:
    """Whatever lies on the main line, one commit takes it back."""
    good = origin.commit("Good", a="good\n")
    origin.branch("one")
    origin.commit("One", a="one\n")
    origin.merge("one")
    origin.commit("Nothing")
    origin.branch("two")
    origin.commit("Two", b="two\n", deep__er__c="c\n")
    origin.git("checkout", "--quiet", "main")
    origin.commit("Three", a="three\n")
    origin.merge("two")
    origin.git("rm", "--quiet", "a")
    bad = origin.commit("Remove")

    repository = mirror()
    made = revert(repository, good, bad)

    assert made.commit is not None
    assert repository.tree(made.commit) == repository.tree(good)
    assert made.note.startswith("5 commits reverted: ")


def test_the_same_inputs_make_the_same_commit(origin: Origin, mirror: Mirror, tmp_path: Path) -> None:
    """A killed run that starts again, elsewhere and later, makes the very same revert; no folder stays behind."""
    good = origin.main()
    bad = origin.commit("Bad", a="bad\n")
    before = set(Path(tempfile.gettempdir()).glob("crisis-revert-*"))

    repository = mirror()
    made = revert(repository, good, bad)

    assert revert(Repository.mirror(str(origin.path), tmp_path / "elsewhere"), good, bad) == made
    assert made.commit is not None
    shown = repository.git.text("log", "-1", "--format=%an <%ae> %at %cn %ct %B", made.commit)
    stamp = int(WHEN.timestamp())
    assert shown.startswith(f"Crisis Protocols <crisis@localhost> {stamp} Crisis Protocols {stamp} Revert to the last")
    assert set(Path(tempfile.gettempdir()).glob("crisis-revert-*")) <= before


def test_many_may_prepare_at_once(origin: Origin, mirror: Mirror) -> None:
    """Parallel reverts do not disturb each other."""
    good = origin.main()
    bad = origin.commit("Bad", a="bad\n")
    repository = mirror()

    with ThreadPoolExecutor(6) as pool:
        made = set(pool.map(lambda _: revert(repository, good, bad), range(6)))

    assert len(made) == 1


def test_files_that_are_good_already_need_no_commit(origin: Origin, mirror: Mirror) -> None:
    """After somebody reverted by hand there is nothing to do."""
    good = origin.main()
    origin.commit("Bad", b="bad\n")
    head = origin.commit("Back", b="one\n")

    assert revert(mirror(), good, head).how == "none"
    assert revert(mirror(), good, good).how == "none"


def test_a_good_commit_of_another_line_is_a_conflict(origin: Origin, mirror: Mirror) -> None:
    """What main never contained cannot be reverted to."""
    origin.branch("side")
    good = origin.commit("Side", a="side\n")
    origin.git("checkout", "--quiet", "main")
    bad = origin.commit("Bad", a="bad\n")

    made = revert(mirror(), good, bad)

    assert (made.commit, made.how) == (None, "conflict")
    assert made.note == f"{good[:7]} is no ancestor of {bad[:7]}"


def test_a_good_commit_beside_the_main_line_is_a_conflict(origin: Origin, mirror: Mirror) -> None:
    """A commit from inside a merged branch cannot be reached along the main line; no other files are passed off."""
    origin.branch("feature")
    good = origin.commit("Inside", b="inside\n")
    origin.git("checkout", "--quiet", "main")
    origin.commit("Beside", a="beside\n")
    bad = origin.merge("feature")

    made = revert(mirror(), good, bad)

    assert (made.commit, made.how) == (None, "conflict")
    assert made.note == f"reverting 2 commits of the main line does not lead back to the files of {good[:7]}"


def test_line_ends_that_git_would_convert_are_no_conflict(origin: Origin, mirror: Mirror) -> None:
    """Files stored against the repository's own rules are reverted as they are stored."""
    good = origin.commit("Windows", w="1\r\n2\r\n")
    (origin.path / ".gitattributes").write_text("* text eol=lf\n", encoding="utf-8")
    origin.git("add", ".gitattributes")
    origin.git("commit", "--quiet", "-m", "Rules")
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=origin.path, input=b"1\r\nbad\r\n", capture_output=True, check=True
    ).stdout.decode()
    origin.git("update-index", "--cacheinfo", f"100644,{blob.strip()},w")
    origin.git("commit", "--quiet", "-m", "Bad")
    bad = origin.head()

    repository = mirror()
    made = revert(repository, good, bad)

    assert made.commit is not None
    assert repository.tree(made.commit) == repository.tree(good)


def test_a_push_moves_main_forward(origin: Origin, mirror: Mirror) -> None:
    """The branch moves once; the second push finds it there."""
    good = origin.main()
    bad = origin.commit("Bad", a="bad\n")
    origin.rest()
    repository = mirror()
    made = revert(repository, good, bad)
    assert made.commit is not None

    assert repository.push(made.commit, "main", bad)
    assert not repository.push(made.commit, "main", bad)
    assert origin.main() == made.commit == repository.head("main")


def test_a_push_never_overwrites(origin: Origin, mirror: Mirror) -> None:
    """Main that moved meanwhile is drift, and stays as it is."""
    good = origin.main()
    bad = origin.commit("Bad", a="bad\n")
    made = revert(mirror(), good, bad)
    assert made.commit is not None
    moved = origin.commit("Meanwhile", b="two\n")
    origin.rest()

    with pytest.raises(DriftError, match=f"main: wanted its head at {bad[:7]}, saw {moved[:7]}"):
        mirror().push(made.commit, "main", bad)

    assert origin.main() == moved


def test_a_push_that_is_no_step_forward_is_refused(origin: Origin, mirror: Mirror) -> None:
    """A commit that does not contain the expected head is not pushed, lease or not."""
    good = origin.main()
    bad = origin.commit("Bad", a="bad\n")
    origin.rest()

    with pytest.raises(RefusedError, match="which does not"):
        mirror().push(good, "main", bad)

    assert origin.main() == bad


def test_an_origin_that_declines_is_refused(origin: Origin, mirror: Mirror) -> None:
    """A protected branch is a no, not drift."""
    good = origin.main()
    bad = origin.commit("Bad", a="bad\n")
    origin.rest()
    hook = origin.path / ".git" / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    made = revert(mirror(), good, bad)
    assert made.commit is not None

    with pytest.raises(RefusedError, match="main: wanted the origin to take"):
        mirror().push(made.commit, "main", bad)


@pytest.mark.parametrize("lost", [False, True])
def test_what_happens_during_a_push_is_found_out(origin: Origin, mirror: Mirror, lost: bool) -> None:
    """After a failed push the origin is asked: a rival's commit is drift, our own commit a lost reply."""
    good = origin.main()
    bad = origin.commit("Bad", a="bad\n")
    made = revert(mirror(), good, bad)
    assert made.commit is not None
    origin.branch("rival")
    rival = origin.commit("Rival", b="two\n")
    origin.rest()
    hook = origin.path / ".git" / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    moved = made.commit if lost else rival
    hook.write_text(f'#!/bin/sh\necho {moved} > "$GIT_DIR/refs/heads/main"\nexit 1\n', encoding="utf-8")
    hook.chmod(0o755)

    if lost:
        assert mirror().push(made.commit, "main", bad)
    else:
        with pytest.raises(DriftError):
            mirror().push(made.commit, "main", bad)

    assert origin.main() == moved


def test_an_origin_that_goes_away_is_transient(origin: Origin, mirror: Mirror, tmp_path: Path) -> None:
    """A push that cannot reach the origin may be tried again."""
    head = origin.main()
    repository = mirror()
    shutil.move(origin.path, tmp_path / "away")

    with pytest.raises(TransientError):
        repository.push(head, "main", head)
