"""Plumbing: one git command, bounded, untouched by anybody's configuration; its failures are translated here."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack

from pydantic import SecretStr

from crisis.clients.command import Finished, run
from crisis.errors import RefusedError, TransientError
from crisis.settings import host_environment

__all__ = ["Git", "How"]

_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Crisis Protocols"), ("EMAIL", "crisis@localhost"))
}
_QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "LC_ALL": "C",
}
# Without `gc` an unreachable commit, such as a prepared revert, stays until it is pushed.
_CONFIG = {
    "gc.auto": "0", "maintenance.auto": "false", "core.hooksPath": os.devnull, "core.quotePath": "false",
    "core.autocrlf": "false", "advice.detachedHead": "false",
}  # fmt: skip
_ALLOWED = {"GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"}
_LONGEST = 200


class How(TypedDict, total=False):
    """How to run a command: what it is told, more environment, where, how long, and which files it inherits."""

    said: bytes
    more: Mapping[str, str]
    folder: Path
    timeout: float
    keep: Sequence[int]


@dataclass(frozen=True)
class Git:
    """A git directory, and the origin it mirrors. The origin's address stays out of argv, disk and every text."""

    path: Path
    url: SecretStr = field(repr=False)

    def text(self, *words: str, target: str = "repository", **how: Unpack[How]) -> str:
        """Run a command that must succeed; return what it printed."""
        return self.bytes(*words, target=target, **how).decode(errors="replace").strip()

    def bytes(self, *words: str, target: str = "repository", **how: Unpack[How]) -> bytes:
        """Run a command that must succeed; return the bytes it printed."""
        done = self.attempt(*words, **how)
        if done.code == 0:
            return done.out
        if done.code is None:
            saw = "none in time"
            raise TransientError(target, vendor="git", operation=words[0], wanted="an end", saw=saw, then="try again")
        raise RefusedError(
            target, vendor="git", operation=words[0], wanted=f"git {words[0]} to succeed",
            saw=self.complaint(done) or f"exit {done.code}", then="look at the repository",
        )  # fmt: skip

    def attempt(self, *words: str, **how: Unpack[How]) -> Finished:
        """Run a command that may fail, in the mirror or in another folder."""
        place = [] if "folder" in how else ["--git-dir", str(self.path)]
        return run(
            ["git", *place, *words], environment={**self._environment(), **how.get("more", {})},
            said=how.get("said", b""), folder=how.get("folder"), timeout=how.get("timeout", 60.0),
            keep=how.get("keep", ()),
        )  # fmt: skip

    def complaint(self, done: Finished) -> str:
        """Return the first line of what git complained about, without the origin's address."""
        text = done.err.decode(errors="replace").replace(self.url.get_secret_value(), "origin")
        line = next((line for line in text.splitlines() if line.strip()), "")
        return re.sub(r"\w+://\S+", "origin", line).strip()[:_LONGEST]

    def _environment(self) -> dict[str, str]:
        host = {name: value for name, value in host_environment().items() if _kept(name)}
        config = {**_CONFIG, "remote.origin.url": self.url.get_secret_value()}
        spelled = {"GIT_CONFIG_COUNT": str(len(config))}
        for index, (name, value) in enumerate(config.items()):
            spelled |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": value}
        return {**_QUIET, **host, **_IDENTITY, **spelled}


def _kept(name: str) -> bool:
    return (not name.startswith("GIT_") or name in _ALLOWED) and name not in _QUIET.keys() - _ALLOWED
