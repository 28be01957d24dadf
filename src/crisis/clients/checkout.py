"""Checkout: the files of one commit, and the service started from them."""

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from crisis.clients.command import Finished, run, started, tethered
from crisis.clients.git import Repository
from crisis.clients.web import is_reference
from crisis.domain.protocol import Build
from crisis.errors import RefusedError
from crisis.settings import host_environment, read_reference

__all__ = ["NotStartedError", "environment_of", "exported", "fill", "last_line", "run_in", "serve"]

# What a commit's code may see of us. Our own environment holds the keys of every vendor.
_KEPT = {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TMPDIR", "TZ", "VIRTUAL_ENV"}
_LOOK_AGAIN = 0.05


class NotStartedError(RefusedError):
    """The service of a commit did not start, so nothing can be said about it."""


def fill(words: Sequence[str], *, port: int = 0, release: str = "") -> list[str]:
    """Put values in the place of `{python}`, `{port}` and `{release}`."""
    values = {"{python}": sys.executable, "{port}": str(port), "{release}": release}
    return [re.sub(r"\{(python|port|release)\}", lambda found: values[found[0]], word) for word in words]


def environment_of(build: Build, *, port: int = 0, release: str = "") -> tuple[dict[str, str], list[str]]:
    """Return the environment of a build's processes, and the secrets in it, which no text may show."""
    kept = {name: value for name, value in host_environment().items() if name in _KEPT}
    secrets = {
        name: read_reference(value).get_secret_value()
        for name, value in build.environment.items()
        if is_reference(value)
    }
    names = [name for name in build.environment if name not in secrets]
    plain = dict(zip(names, fill([build.environment[name] for name in names], port=port, release=release), strict=True))
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **plain, **secrets}, list(secrets.values())


@contextmanager
def exported(repository: Repository, sha: str) -> Iterator[Path]:
    """Write a commit's files into a folder that is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="crisis-checkout-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "checkout"
        repository.export(sha, folder)
        yield folder


@contextmanager
def serve(repository: Repository, build: Build, sha: str, *, health: str = "/", timeout: float = 20.0) -> Iterator[str]:
    """
    Start the service of a commit on a free port and yield its address; end it with the block.

    Fails  NotStartedError when it ends by itself or gives no HTTP answer in time.
    """
    with exported(repository, sha) as folder, (folder.parent / "output").open("w+b") as output:
        port = _free_port()
        environment, secrets = environment_of(build, port=port, release=sha)
        words = tethered(fill(build.serve, port=port, release=sha))
        with started(words, environment=environment, folder=folder, stdout=output, stderr=output) as child:
            address = f"http://127.0.0.1:{port}"
            saw = _wait(child, address + health, timeout)
            if saw:
                output.seek(0)
                said = last_line(output.read(), secrets)
                raise NotStartedError(
                    sha[:7], vendor="build", operation="serve", wanted="a service that answers",
                    saw=f"{saw}: {said}" if said else saw, then="start it by hand from this commit",
                )  # fmt: skip
            yield address


def run_in(folder: Path, build: Build, words: Sequence[str], *, more: dict[str, str], timeout: float) -> Finished:
    """Run one of a build's programs in a checkout; what its texts show of secrets is struck out."""
    environment, secrets = environment_of(build)
    hidden = [*secrets, *more.values()]
    done = run(tethered(words), environment={**environment, **more}, folder=folder, timeout=timeout)
    return Finished(done.code, _hide(done.out, hidden), _hide(done.err, hidden))


def last_line(text: bytes, secrets: Sequence[str] = ()) -> str:
    """Return the last line that says something, without secrets."""
    lines = [line.strip() for line in _hide(text, secrets).decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def _wait(child: subprocess.Popen[bytes], address: str, timeout: float) -> str:
    """Wait for any HTTP answer; return what was seen instead, or nothing."""
    end = time.monotonic() + timeout
    with httpx.Client(trust_env=False, timeout=timeout, verify=False) as client:  # noqa: S501 - plain http on loopback
        while time.monotonic() < end:
            if child.poll() is not None:
                return f"exit {child.returncode}"
            try:
                client.get(address)
            except httpx.TransportError:
                time.sleep(_LOOK_AGAIN)
            else:
                return "" if child.poll() is None else f"exit {child.returncode}"
    return f"no answer in {timeout:g} s"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _hide(text: bytes, secrets: Sequence[str]) -> bytes:
    for secret in filter(None, secrets):
        text = text.replace(secret.encode(), b"***")
    return text
