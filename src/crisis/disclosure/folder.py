"""Folder: where the drafts of an incident are kept, each version beside what changed since the one before."""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from crisis.disclosure.drafting import Draft
from crisis.errors import ProtocolError

__all__ = ["Folder", "Kept"]

_VERSION = re.compile(r"\.v(\d+)\.md$")


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of a draft on disk, and whether it is new."""

    version: int
    markdown: Path
    new: bool


@dataclass(frozen=True, slots=True)
class Folder:
    """The drafts of one incident, readable by their owner alone."""

    root: Path

    def keep(self, draft: Draft) -> Kept:
        """
        Keep a draft as the next version, with a diff to the last; the same text again is the same version.

        Raises ProtocolError where the folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            last = self._last(draft)
            if last and self._file(draft, last).read_text(encoding="utf-8") == draft.markdown:
                return Kept(last, self._file(draft, last), new=False)
            version = last + 1
            # The diff first: a version that stands has one.
            if last:
                _write(self._file(draft, version).with_suffix(".diff"), self._diff(draft, last))
            _write(self._file(draft, version), draft.markdown)
        except OSError as error:
            saw = error.strerror or "no way to write"
            raise ProtocolError(str(self.root), wanted="a folder for drafts", saw=saw) from None
        return Kept(version, self._file(draft, version), new=True)

    def keep_paper(self, draft: Draft, version: int, ending: str, content: bytes) -> Path:
        """Keep what was printed of a version."""
        file = self._file(draft, version).with_suffix(f".{ending}")
        _write(file, content)
        return file

    def _file(self, draft: Draft, version: int) -> Path:
        return self.root / f"{draft.duty}.{draft.language}.v{version}.md"

    def _last(self, draft: Draft) -> int:
        found = (_VERSION.search(one.name) for one in self.root.glob(f"{draft.duty}.{draft.language}.v*.md"))
        return max((int(one[1]) for one in found if one), default=0)

    def _diff(self, draft: Draft, last: int) -> str:
        before = self._file(draft, last).read_text(encoding="utf-8").splitlines(keepends=True)
        names = (f"version {last}", f"version {last + 1}")
        return "".join(difflib.unified_diff(before, draft.markdown.splitlines(keepends=True), *names))


def _write(file: Path, content: str | bytes) -> None:
    """Write a file whole or not at all: a crash leaves the half under another name."""
    half = file.with_name(f".{file.name}.half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(file)
