"""Origin: the bare git repository of the shop, and the developers who push to it."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crisis.errors import ProtocolError, RefusedError, TransientError

HISTORY = Path(__file__).parent / "history"
MAIN = "refs/heads/main"
_MINUTE = 60


@dataclass(frozen=True)
class Origin:
    """A bare repository; every write is one `git fast-import`, so no work tree is needed."""

    path: Path

    def create(self, started: int) -> list[str]:
        """Make the repository and its good history; list the heads that were released."""
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path), inside=False)
        return self._replay("good", started)

    def push_bad(self, started: int) -> str:
        """Push the bundle discount: two commits, their merge, and a harmless one on top."""
        self._replay("bad", started)
        return self.head()

    def push(self, files: dict[str, str | None], message: str, author: str, *, branch: str = "main") -> str:
        """Push one commit to main, or to a branch that starts there; None deletes a file."""
        stream = _Stream(self.branches(branch).get(branch) or self.head())
        changes = {name: None if text is None else text.encode() for name, text in files.items()}
        made = stream.commit(branch, changes, message=message, author=author, when=int(time.time()))
        return self._import(stream, keep=branch)[made]

    def branches(self, *patterns: str) -> dict[str, str]:
        """Name the commit of each branch that fits a pattern such as `fix/*`."""
        heads = self.path / "refs" / "heads"
        refs = [path for pattern in patterns for path in sorted(heads.glob(pattern)) if path.is_file()]
        found = {path.relative_to(heads).as_posix(): path.read_text(encoding="ascii").strip() for path in refs}
        return {name: sha for name, sha in found.items() if sha}  # empty: a lock file, or half written

    def head(self) -> str:
        """Name the commit main points to."""
        try:
            return (self.path / MAIN).read_text(encoding="ascii").strip()
        except FileNotFoundError:  # packed away, or the whole repository is gone
            return self._git("rev-parse", MAIN).decode().strip()

    def knows(self, sha: str) -> bool:
        """Tell whether a commit exists."""
        try:
            self._git("cat-file", "-e", f"{sha}^{{commit}}")
        except RefusedError:
            return False
        return True

    def archive(self, sha: str, to: Path) -> None:
        """Unpack the files of a commit."""
        with tarfile.open(fileobj=io.BytesIO(self._git("archive", "--format=tar", sha))) as bundle:
            # Debian 12's Python has no extraction filters yet; the archive is git's own, of our own origin.
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            bundle.extractall(to, **safely)  # type: ignore[arg-type]  # noqa: S202 - see above

    def _replay(self, part: str, started: int) -> list[str]:
        plan: list[dict[str, Any]] = json.loads((HISTORY / "history.json").read_text(encoding="utf-8"))[part]
        stream = _Stream("" if part == "good" else self.head())
        brought: dict[str, dict[str, bytes | None]] = {}
        released = []
        for step in plan:
            merge = step.get("merge", "")
            changes = dict(brought[merge]) if merge else _overlay(HISTORY / step["folder"])
            brought.setdefault(step["branch"], {}).update(changes)
            when = started - step["minutes_ago"] * _MINUTE
            mark = stream.commit(
                step["branch"], changes, message=step["message"], author=step["by"], when=when, merge=merge
            )
            released += [mark] if step.get("release") else []
        marks = self._import(stream)
        return [marks[mark] for mark in released]

    def _import(self, stream: "_Stream", *, keep: str = "main") -> dict[int, str]:
        """Write the stream; tell which mark became which commit."""
        said = self._git("fast-import", "--quiet", said=stream.finish(keep))
        return dict(enumerate(said.decode().split(), start=1))

    def _git(self, *words: str, said: bytes = b"", inside: bool = True) -> bytes:
        git = shutil.which("git")
        if git is None:
            raise ProtocolError("git", wanted="an installed git", saw="none", then="install git")
        if inside and not (self.path / "objects").is_dir():
            raise TransientError(
                "origin", vendor="git", operation=words[0], wanted="a repository", saw="none",
                then="look whether the origin is switched off",
            )  # fmt: skip
        place = ["--git-dir", str(self.path)] if inside else []
        done = subprocess.run([git, *place, *words], input=said, capture_output=True, env=_quiet(git), check=False)
        if done.returncode:
            saw = done.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise RefusedError("origin", vendor="git", operation=words[0], wanted="exit 0", saw=saw)
        return done.stdout


class _Stream:
    """A fast-import stream that asks for the name of each commit it makes."""

    def __init__(self, main: str) -> None:
        self._out = io.BytesIO()
        self._main = main
        self._tips: dict[str, str] = {"main": main} if main else {}
        self._mark = 0

    def commit(
        self, branch: str, changes: dict[str, bytes | None], *, message: str, author: str, when: int, merge: str = ""
    ) -> int:
        """Add a commit; a branch that is not known yet starts at main."""
        self._mark += 1
        parent = self._tips.get(branch) or self._tips.get("main", "")
        person = f"{author} <{author.partition(' ')[0].lower()}@slowcup.example> {when} +0000"
        text = f"{message}\n".encode()
        self._say(f"commit refs/heads/{branch}", f"mark :{self._mark}", f"author {person}", f"committer {person}")
        self._data(text)
        self._say(*([f"from {parent}"] if parent else []), *([f"merge {self._tips[merge]}"] if merge else []))
        for name, content in changes.items():
            self._file(name, content)
        self._tips[branch] = f":{self._mark}"
        return self._mark

    def finish(self, keep: str) -> bytes:
        """Drop the feature branches but one, as after a merge, and ask for the names."""
        for branch in self._tips.keys() - {"main", keep}:
            self._say(f"reset refs/heads/{branch}", f"from {'0' * 40}", "")
        for mark in range(1, self._mark + 1):
            self._say(f"get-mark :{mark}")
        self._say("done")
        return self._out.getvalue()

    def _file(self, name: str, content: bytes | None) -> None:
        if content is None:
            self._say(f"D {name}")
        else:
            self._say(f"M 100644 inline {name}")
            self._data(content)

    def _data(self, content: bytes) -> None:
        self._out.write(b"data %d\n" % len(content) + content + b"\n")

    def _say(self, *lines: str) -> None:
        self._out.write("".join(f"{line}\n" for line in lines).encode())


def _overlay(folder: Path) -> dict[str, bytes | None]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _quiet(git: str) -> dict[str, str]:
    """Keep the user's git configuration out of the drill."""
    path = os.pathsep.join([str(Path(git).parent), os.defpath])
    return {"PATH": path, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
