"""Git, on real repositories: what is read, reverted and pushed, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crisis.clients.git import Repository
from crisis.errors import RefusedError, TransientError
from tests.clients.history import Origin

Mirror = Callable[[], Repository]


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


def test_branches_are_found_by_pattern(origin: Origin, mirror: Mirror) -> None:
    """Only the branches that fit are listed, with their commits."""
    origin.git("branch", "fix/one")

    assert mirror().branches("fix/*") == {"fix/one": origin.main()}
    assert mirror().branches("no/*") == {}


def test_a_command_that_takes_too_long_is_transient(mirror: Mirror) -> None:
    """Every git command is bounded."""
    with pytest.raises(TransientError, match="none in time"):
        mirror().git.text("log", timeout=0)


def test_lines_without_a_common_commit_have_no_fork(origin: Origin, mirror: Mirror) -> None:
    """Two histories that never met have no fork."""
    first = origin.main()
    origin.git("checkout", "--quiet", "--orphan", "other")
    other = origin.commit("Another shop")

    assert mirror().fork(first, other) is None


def test_an_export_has_all_files_and_no_history(origin: Origin, mirror: Mirror, tmp_path: Path) -> None:
    """What .gitattributes leaves out of archives, often the tests, is exported too."""
    (origin.path / ".gitattributes").write_text("tests export-ignore\n", encoding="utf-8")
    sha = origin.commit("Tests", tests__test_a_py="assert 1\n", package=json.dumps({"name": "shop"}))

    mirror().export(sha, tmp_path / "out")

    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*"))
    assert found == [".gitattributes", "a", "b", "package", "tests", "tests/test_a.py"]
