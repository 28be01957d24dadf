"""A real repository with a history that a test writes."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

EPOCH = 1_760_000_000


@dataclass
class Origin:
    """A real repository that developers commit and merge in, one second after the other."""

    path: Path
    clock: int = EPOCH

    def git(self, *words: str) -> str:
        """Run git as a developer would, without anybody's configuration."""
        self.clock += 1
        date = f"{self.clock} +0000"
        who = {f"GIT_{role}_NAME": "Ida Quist" for role in ("AUTHOR", "COMMITTER")}
        mail = {f"GIT_{role}_EMAIL": "ida@example.com" for role in ("AUTHOR", "COMMITTER")}
        environment = {
            **who, **mail, "PATH": os.environ["PATH"], "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date,
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        done = subprocess.run(
            ["git", *words], cwd=self.path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str, **files: str) -> str:
        """Commit files (`shop__app_py` is shop/app.py) and return the commit; no files make an empty commit."""
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_py", ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def branch(self, name: str, start: str = "main") -> None:
        """Start a branch and work on it."""
        self.git("checkout", "--quiet", "-b", name, start)

    def merge(self, name: str) -> str:
        """Merge a branch into main and return the merge."""
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "-m", f"Merge {name}", name)
        return self.head()

    def head(self) -> str:
        """Return the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def main(self) -> str:
        """Return the commit main points to."""
        return self.git("rev-parse", "main")

    def rest(self) -> None:
        """Check out no branch, so that main can be pushed to."""
        self.git("checkout", "--quiet", "--detach")
