"""A tethered process never outlives its parent, and a release serves what it is given."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from crisis.sandbox import tether
from crisis.sandbox.origin import Origin


def test_orphan_does_not_even_start() -> None:
    """A process whose parent is gone already ends before it does anything."""
    done = subprocess.run(
        [sys.executable, "-m", "crisis.sandbox.tether", "1", "this"], capture_output=True, check=False
    )

    assert done.returncode == 1
    assert done.stdout == b""


def test_child_runs_the_module_with_its_arguments() -> None:
    """The module sees its own command line."""
    done = subprocess.run(tether.command("json.tool", "--compact"), input=b"[1, 2]", capture_output=True, check=True)

    assert done.stdout == b"[1,2]\n"


def test_release_serves_on_the_socket_it_was_given(tmp_path: Path) -> None:
    """A kept artefact answers on the door its starter opened, and ends on SIGTERM."""
    origin = Origin(tmp_path / "origin.git")
    [_, head] = origin.create(1_800_000_000)
    origin.archive(head, tmp_path / "shop")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port, fd = door.getsockname()[1], door.fileno()
        command = tether.command("crisis.sandbox.release", str(fd))
        process = subprocess.Popen(command, cwd=tmp_path / "shop", pass_fds=(fd,))
    health = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10).json()
    os.kill(process.pid, signal.SIGTERM)
    process.wait(10)

    assert health["status"] == "pass"
