"""World: start the drill ground, break it, look at it, and leave nothing behind."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx
import pyotp

import crisis
from crisis.errors import ProtocolError, RefusedError, UnprovenError
from crisis.sandbox.keys import Keys
from crisis.sandbox.origin import Origin

__all__ = ["World"]

_START_TAKES = 30
_STOP_TAKES = 10
_TICK = 0.01
_CODE = Path(crisis.__file__).parents[1]  # `-m` looks here first, so the child finds the same package


class World:
    """
    A shop that can break, its origin, its deployer and its vendors.

    `World.start()` owns what it starts: leaving the `with` block ends it. `World.attach(home)` only looks and acts.
    """

    def __init__(self, home: Path, *, child: subprocess.Popen[bytes] | None = None, own_home: bool = False) -> None:
        known = json.loads((home / "world.json").read_text(encoding="utf-8"))
        self.home = home
        self.shop_url: str = known["shop_url"]
        self.vendors_url: str = known["vendors_url"]
        self.origin = home / "origin.git"
        self._keys = Keys(**known["keys"])
        self._started: int = known["started"]
        self._child, self._own_home = child, own_home
        self._http = httpx.Client(base_url=self.vendors_url, trust_env=False, timeout=10)

    @classmethod
    def start(
        cls, home: Path | None = None, *, shop_port: int = 0, vendors_port: int = 0, webhook: str | None = None
    ) -> Self:
        """Start a world; it is ready and its newest release is known to be good when this returns."""
        own_home = home is None
        home = Path(tempfile.mkdtemp(prefix="crisis-sandbox-")) if home is None else _empty(home)
        for name in ("releases", "logs"):
            (home / name).mkdir(parents=True)
        order = {
            "keys": asdict(Keys()), "shop_port": shop_port, "vendors_port": vendors_port,
            "webhook": webhook, "starter": os.getpid(),
        }  # fmt: skip
        child = _spawn(home, order, own_home=own_home)
        with ExitStack() as unless_it_starts:
            unless_it_starts.callback(_remove, home, own_home=own_home)
            unless_it_starts.callback(_end, child)
            _wait_for_birth(home, child)
            world = cls(home, child=child, own_home=own_home)
            unless_it_starts.pop_all()
        return world

    @classmethod
    def attach(cls, home: Path) -> Self:
        """Reach a world that somebody else started."""
        if not (home / "world.json").is_file():
            raise ProtocolError(str(home), wanted="a running sandbox", saw="no world.json", then="start one")
        return cls(home)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def env(self) -> dict[str, str]:
        """Name everything that protocol.yaml refers to."""
        return self._keys.env(shop=self.shop_url, vendors=self.vendors_url, origin=str(self.origin))

    def one_time_code(self, person: str) -> str:
        """Read the code that the person's phone shows now."""
        return pyotp.TOTP(self._keys.totp[person]).now()

    def state(self) -> dict[str, Any]:
        """Look at everything."""
        answer = self._http.get("/_sandbox/state")
        return dict(answer.raise_for_status().json())

    def fault(self, name: str, value: Any = True) -> None:  # noqa: FBT002 - reads as "fault git_down true"
        """Break something, or mend it with False."""
        self._control("faults", {name: value})

    def alert(self, webhook: str | None) -> None:
        """Say where the prober posts its alerts."""
        self._control("prober", {"webhook": webhook})

    def shoppers(self, per_second: float) -> None:
        """Say how many shoppers come each second."""
        self._control("shoppers", {"per_second": per_second})

    def hooks(self, **urls: str) -> None:
        """Say where Slack and Twilio hand on what people do: `slack` and `sms`."""
        self._control("phone/hooks", urls)

    def text(self, number: str, body: str) -> str:
        """Send an SMS from somebody's phone; return what comes back."""
        return str(self._phone("text", number=number, body=body)["reply"])

    def pick_up(self, number: str) -> str:
        """Take the last call to a number; return what is said."""
        return str(self._phone("pick-up", number=number)["says"])

    def press(self, number: str, digits: str) -> str:
        """Press keys in the call that was picked up, then hash; return what is said."""
        return str(self._phone("press", number=number, digits=digits)["says"])

    def click(self, person: str, answer: str) -> dict[str, Any]:
        """Click a button of the newest question on somebody's Slack; return the dialogue that opens."""
        return self._phone("click", member=f"U0SAND{person.upper()}", answer=answer)

    def submit(self, person: str, code: str, reason: str = "") -> dict[str, Any]:
        """Send the open dialogue on somebody's Slack; return what it shows then."""
        return self._phone("submit", member=f"U0SAND{person.upper()}", code=code, reason=reason)

    def reset_counters(self) -> None:
        """Count from zero."""
        self._control("reset-counters", {})

    def push(
        self, files: dict[str, str | None], message: str, author: str = "Ravi Menon", *, branch: str = "main"
    ) -> str:
        """Push a developer's commit to main, or to a branch that starts there; None deletes a file."""
        return Origin(self.origin).push(files, message, author, branch=branch)

    def push_bad_release(self) -> str:
        """Push the release that breaks the checkout of more than one product; it passes CI."""
        return Origin(self.origin).push_bad(self._started)

    def wait_until(self, fact: Callable[[dict[str, Any]], object], *, seconds: float = 15) -> dict[str, Any]:
        """Look until the fact holds of the state."""
        until = time.monotonic() + seconds
        while not fact(state := self.state()):
            if time.monotonic() > until:
                raise UnprovenError("sandbox", wanted="the awaited state", saw=f"none within {seconds:g} s")
            time.sleep(_TICK)
        return state

    def stop(self) -> None:
        """End the child and all it started, and remove a home that was made for it; attached worlds go on."""
        self._http.close()
        if self._child is not None:
            _end(self._child)
            self._child = None
            _remove(self.home, own_home=self._own_home)

    def _phone(self, what: str, **said: str) -> dict[str, Any]:
        return self._control(f"phone/{what}", said)

    def _control(self, lever: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(f"/_sandbox/{lever}", json=body)
        if answer.is_error:
            raise RefusedError(
                "sandbox", vendor="sandbox", operation=lever, wanted="a lever that exists", saw=answer.text
            )
        return dict(answer.json())


def _empty(home: Path) -> Path:
    home = home.resolve()
    if home.exists() and any(home.iterdir()):
        raise ProtocolError(str(home), wanted="an empty folder", saw="files in it", then="choose another home")
    return home


def _spawn(home: Path, order: dict[str, Any], *, own_home: bool) -> subprocess.Popen[bytes]:
    """Start the child; the pipe to it is also its lifeline, so it ends with us however we end."""
    command = [sys.executable, "-m", "crisis.sandbox.serve", "--home", str(home)]
    command += ["--own-home"] if own_home else []
    with (home / "serve.log").open("wb") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=_CODE, start_new_session=True
        )
    _pipe(child).write(json.dumps(order).encode() + b"\n")
    _pipe(child).flush()
    return child


def _pipe(child: subprocess.Popen[bytes]) -> IO[bytes]:
    if child.stdin is None:
        raise UnprovenError("sandbox", wanted="a pipe to the child", saw="none")
    return child.stdin


def _wait_for_birth(home: Path, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_TAKES
    while not (home / "world.json").exists():
        if child.poll() is not None or time.monotonic() > until:
            lines = (home / "serve.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            saw = lines[-1] if lines else f"nothing within {_START_TAKES} s"
            raise UnprovenError("sandbox", wanted="a shop that answers", saw=saw, then="run it once more")
        time.sleep(_TICK)


def _end(child: subprocess.Popen[bytes]) -> None:
    _pipe(child).close()
    try:
        child.wait(_STOP_TAKES)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _remove(home: Path, *, own_home: bool) -> None:
    if own_home:
        shutil.rmtree(home, ignore_errors=True)
    else:
        (home / "world.json").unlink(missing_ok=True)  # it holds secrets, and nobody can attach any more
