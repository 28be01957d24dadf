"""A world starts quickly, can be reached, and leaves nothing behind."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from crisis.errors import ProtocolError, RefusedError, UnprovenError
from crisis.sandbox.world import World

Processes = Callable[[int], list[int]]

STARTER = """
import json, sys, time
from crisis.sandbox.world import World
world = World.start()
print(json.dumps([str(world.home), world.state()["unix"]]), flush=True)
time.sleep(600)
"""


def child_of(home: Path) -> int:
    """Read which process hosts a world; it leads a session of its own."""
    return int(json.loads((home / "world.json").read_text())["pid"])


def test_starts_and_leaves_nothing(processes: Processes) -> None:
    """The shop answers at once; afterwards there is no process and no file."""
    with World.start() as world:
        child = child_of(world.home)
        health = httpx.get(f"{world.shop_url}/healthz").json()
        assert processes(child)

    assert health["status"] == "pass"
    assert not processes(child)
    assert not world.home.exists()


def test_killed_starter_takes_its_world_along(processes: Processes, wait_until: Callable[..., None]) -> None:
    """Also kill -9 of the starter leaves no process and no file."""
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        home = Path(json.loads(starter.stdout.readline())[0])
        child = child_of(home)
        os.kill(starter.pid, signal.SIGKILL)

    wait_until(lambda: not processes(child) and not home.exists())


def test_killed_child_takes_its_releases_along(processes: Processes, wait_until: Callable[..., None]) -> None:
    """When the child itself is killed, no release lives on, and the starter removes the files."""
    with World.start() as world:
        child = child_of(world.home)
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: not processes(child))

    assert not world.home.exists()


def test_starter_thread_may_end() -> None:
    """A world outlives the thread that started it, as long as its process lives."""
    worlds: list[World] = []
    thread = threading.Thread(target=lambda: worlds.append(World.start()))
    thread.start()
    thread.join()

    with worlds[0] as world:
        assert world.wait_until(lambda state: state["shoppers"]["ok"] >= 2)


def test_secrets_stay_private(tmp_path: Path) -> None:
    """world.json is for its owner only, no secret is in a command line or in the state."""
    with World.start(tmp_path / "home") as world:
        mode = stat.S_IMODE((world.home / "world.json").stat().st_mode)
        command = Path(f"/proc/{child_of(world.home)}/cmdline").read_text()
        shown = httpx.get(f"{world.vendors_url}/_sandbox/state").text
        secrets = [value for name, value in world.env.items() if name.endswith(("TOKEN", "PASSWORD"))]
        secrets += [value for name, value in world.env.items() if "TOTP" in name]

    assert mode == 0o600
    assert len(secrets) == 12
    assert not [secret for secret in secrets if secret in command or secret in shown]


def test_given_home_stays_without_its_secrets(tmp_path: Path) -> None:
    """A home that the caller chose is kept for a look afterwards, but nobody can attach to it."""
    with World.start(tmp_path / "home") as world:
        assert (world.home / "origin.git").is_dir()

    assert list((tmp_path / "home" / "releases").iterdir())
    with pytest.raises(ProtocolError, match=r"no world\.json"):
        World.attach(tmp_path / "home")


def test_used_home_is_refused(tmp_path: Path) -> None:
    """A folder with files in it is nobody's drill ground."""
    (tmp_path / "diary.txt").touch()

    with pytest.raises(ProtocolError, match="an empty folder"):
        World.start(tmp_path)


def test_taken_port_is_named(shared: World) -> None:
    """A port that is taken fails the start at once, with the reason, and leaves nothing."""
    port = int(shared.shop_url.rpartition(":")[2])

    with pytest.raises(UnprovenError, match="ddress already in use"):
        World.start(shop_port=port)


def test_second_process_can_attach(shared: World) -> None:
    """Whoever may read world.json has the same world, and does not end it."""
    other = World.attach(shared.home)
    assert other.env == shared.env
    assert other.one_time_code("ada") == shared.one_time_code("ada")
    other.stop()

    assert shared.state()["serving"]


def test_everyone_has_a_code_of_their_own(shared: World) -> None:
    """Four people, four different six-digit codes."""
    codes = {shared.one_time_code(who) for who in ("ada", "ben", "cleo", "dan")}

    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert len(codes) == 4


def test_unknown_fault_is_refused(shared: World) -> None:
    """A misspelt fault does not pass for a working one."""
    with pytest.raises(RefusedError, match="no such fault: git_dwon"):
        shared.fault("git_dwon", True)


def test_patience_ends(shared: World) -> None:
    """Waiting for what never comes is an error."""
    with pytest.raises(UnprovenError, match=r"none within 0\.05 s"):
        shared.wait_until(lambda state: state["calls"], seconds=0.05)


def test_two_good_releases_stand_by(shared: World) -> None:
    """Two heads were released and are known to be good; the live one is the newer."""
    state = shared.state()
    first, second = state["deployments"]

    assert [first["state"], second["state"]] == ["success", "success"]
    assert state["serving"] == second["sha"]
    for one in (first, second):
        assert state["statuses"][one["sha"]][0]["context"] == "crisis/journeys"
        assert state["statuses"][one["sha"]][0]["state"] == "success"


def test_command_prints_the_way_in_and_waits() -> None:
    """`python -m crisis.sandbox` prints lines for eval, and ends on Ctrl-C with nothing left."""
    command = [sys.executable, "-m", "crisis.sandbox"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("#"):
            lines.append(process.stdout.readline())
        home = Path(lines[-1].split("home: ")[1].split()[0])
        assert home.is_dir()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0

    assert any(line.startswith("export CRISIS_SANDBOX_SHOP_URL=http://127.0.0.1:") for line in lines)
    assert len(lines) == 22
    assert not home.exists()
