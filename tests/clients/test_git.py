"""Git, on real repositories: what is read, reverted and pushed, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
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


def test_a_mirror_is_brought_up_to_date(origin: Origin, mirror: Mirror) -> None:
    """The second look sees what was pushed after the first, and a deleted branch is gone."""
    origin.git("branch", "old")
    mirror()
    origin.git("branch", "-D", "old")
    new = origin.commit("Second", a="2\n")

    repository = mirror()

    assert repository.head("main") == new
    with pytest.raises(RefusedError):
        repository.head("old")


def test_an_address_may_stand_in_the_environment(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`env:NAME` is read when the mirror is made."""
    monkeypatch.setenv("AN_ORIGIN", str(origin.path))

    assert Repository.mirror("env:AN_ORIGIN", tmp_path / "home").head("main") == origin.main()


def test_an_origin_that_is_away_is_transient(origin: Origin, mirror: Mirror, tmp_path: Path) -> None:
    """An unreachable origin may come back, with or without a mirror from before."""
    with pytest.raises(TransientError) as never:
        Repository.mirror("http://user:pw-4711@127.0.0.1:9/x.git", tmp_path / "home")
    mirror()
    shutil.move(origin.path, tmp_path / "away")
    with pytest.raises(TransientError) as gone:
        mirror()
    shutil.move(tmp_path / "away", origin.path)

    assert (never.value.vendor, gone.value.vendor) == ("git", "git")
    assert "pw-4711" not in str(never.value)
    assert str(origin.path) not in str(gone.value)
    assert mirror().head("main") == origin.main()


@pytest.mark.parametrize("damage", ["HEAD", "objects", "everything", "lock"])
def test_a_half_made_clone_is_healed(origin: Origin, mirror: Mirror, damage: str) -> None:
    """Whatever a killed process or a lost disk left behind, the next mirror is whole."""
    path = mirror().git.path
    new = origin.commit("Second", a="2\n")
    if damage == "HEAD":
        (path / "HEAD").write_bytes(b"")
    elif damage == "objects":
        shutil.rmtree(path / "objects")
    elif damage == "everything":
        shutil.rmtree(path)
        path.mkdir()
    else:
        (path / "packed-refs.lock").touch()
        (path / "refs" / "heads" / "main.lock").touch()
        (path.parent / f"{path.name}.new-left").mkdir()

    repository = mirror()

    assert repository.head("main") == new
    assert [left.name for left in path.parent.iterdir() if ".new-" in left.name] == []


def test_a_mirror_killed_at_any_moment_is_healed(origin: Origin, tmp_path: Path) -> None:
    """A kill -9 in the middle of a first clone leaves nothing that stops the next one."""
    home = tmp_path / "home"
    code = "import sys, pathlib; from crisis.clients.git import Repository as R; print(flush=True)\n"
    code += "R.mirror(sys.argv[1], pathlib.Path(sys.argv[2]))"
    for read in range(4):
        with subprocess.Popen([sys.executable, "-c", code, str(origin.path), str(home)], stdout=subprocess.PIPE) as one:
            assert one.stdout is not None
            one.stdout.readline()
            os.sched_yield() if read % 2 else None
            one.send_signal(signal.SIGKILL)

        assert Repository.mirror(str(origin.path), home).head("main") == origin.main()
        shutil.rmtree(home)


def test_many_may_mirror_at_once(origin: Origin, mirror: Mirror) -> None:
    """Parallel first clones make one whole mirror."""
    with ThreadPoolExecutor(8) as pool:
        heads = list(pool.map(lambda _: mirror().head("main"), range(8)))

    assert set(heads) == {origin.main()}


def test_nobodys_configuration_matters(origin: Origin, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that would turn git elsewhere, or name another author, change nothing."""
    good = origin.main()
    bad = origin.commit("Second", a="2\n")
    expected = revert(mirror(), good, bad)
    monkeypatch.setenv("GIT_DIR", "nowhere")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare=maybe'")

    assert revert(mirror(), good, bad) == expected


def test_commits_come_oldest_first(origin: Origin, mirror: Mirror) -> None:
    """A range lists merged commits too; the main line alone leaves them out."""
    good = origin.main()
    origin.branch("feature")
    inside = origin.commit("Inside: a|b", f="1\n")
    merge = origin.merge("feature")
    tip = origin.commit("Tip", a="2\n")

    repository = mirror()
    found = repository.commits(good, tip)

    assert [one.sha for one in found] == [inside, merge, tip]
    assert [one.sha for one in repository.commits(good, tip, first_parent=True)] == [merge, tip]
    assert (found[0].author, found[0].subject, found[1].parents) == ("Ida Quist", "Inside: a|b", (good, inside))
    assert found[0].date < found[1].date
    assert repository.is_ancestor(inside, tip)
    assert not repository.is_ancestor(tip, inside)


def test_what_is_no_commit_is_refused(mirror: Mirror) -> None:
    """An unknown commit, or an option in its place, is a no."""
    for name in ("0" * 40, "--help", "main:a"):
        with pytest.raises(RefusedError):
            mirror().tree(name)


def test_a_replaced_line_is_one(origin: Origin, mirror: Mirror) -> None:
    """Size counts lines, an empty file and a renamed one as well, and a binary is never small."""
    first = origin.main()
    second = origin.commit("One line", a="1\ntwo\n3\n")
    third = origin.commit("A file", empty="")
    (origin.path / "picture").write_bytes(b"\0\1\2")
    fourth = origin.commit("A picture")

    repository = mirror()

    assert repository.diff_size(first, second) == 1
    assert repository.diff_size(second, third) == 1
    assert repository.diff_size(third, fourth) >= 1000
    assert repository.diff_size(first, first) == 0


def test_changed_lines_are_those_of_the_new_file(origin: Origin, mirror: Mirror) -> None:
    """Added and changed lines are numbered in the new file; a line that looks like a header misleads nobody."""
    sha = origin.commit("Change", a="0\n1\n2\n3\n", b="one\n++ b/other\n", shop__ünï_py="x\n")
    origin.git("rm", "--quiet", "a")
    gone = origin.commit("Remove", b="++ b/other\n")

    repository = mirror()

    assert repository.changed_lines(sha) == {"a": {1}, "b": {2}, "shop/ünï.py": {1}}
    assert repository.changed_lines(gone) == {}


def test_changed_lines_of_a_merge_are_what_it_brought(origin: Origin, mirror: Mirror) -> None:
    """A merge is compared with its first parent, and a first commit with nothing."""
    first = origin.main()
    origin.branch("feature")
    origin.commit("Inside", f="1\n2\n")
    origin.git("checkout", "--quiet", "main")
    origin.commit("Beside", b="two\n")

    merge = origin.merge("feature")

    assert mirror().changed_lines(merge) == {"f": {1, 2}}
    assert mirror().changed_lines(first) == {"a": {1, 2, 3}, "b": {1}}


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


def test_an_origin_that_goes_away_is_transient(origin: Origin, mirror: Mirror, tmp_path: Path) -> None:
    """A push that cannot reach the origin may be tried again."""
    head = origin.main()
    repository = mirror()
    shutil.move(origin.path, tmp_path / "away")

    with pytest.raises(TransientError):
        repository.push(head, "main", head)


def test_an_export_has_all_files_and_no_history(origin: Origin, mirror: Mirror, tmp_path: Path) -> None:
    """What .gitattributes leaves out of archives, often the tests, is exported too."""
    (origin.path / ".gitattributes").write_text("tests export-ignore\n", encoding="utf-8")
    sha = origin.commit("Tests", tests__test_a_py="assert 1\n", package=json.dumps({"name": "shop"}))

    mirror().export(sha, tmp_path / "out")

    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*"))
    assert found == [".gitattributes", "a", "b", "package", "tests", "tests/test_a.py"]
