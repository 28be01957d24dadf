"""Company: start what a breach may reach, describe it as protocol.yaml does, and leave nothing behind."""

import json
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from crisis.errors import UnprovenError
from crisis.sandbox import tether

__all__ = ["Company"]

_START_TAKES = 90
_STOP_TAKES = 10
_TICK = 0.02
_NAMED = "CRISIS_SANDBOX_"


class Company:
    """An AWS account, a Vault, a members' area and vendors' keys, on free ports of this machine."""

    def __init__(self, home: Path, child: "subprocess.Popen[bytes]") -> None:
        known = json.loads((home / "company.json").read_text(encoding="utf-8"))
        self.home = home
        self.loot: dict[str, str] = known["loot"]
        """What somebody has stolen: addresses and the secrets that open them."""
        self._secrets: dict[str, str] = known["secrets"]
        self._env: dict[str, str] = known["env"]
        self._control: str = known["control"]
        self._door: str = known["door"]
        self._child = child

    @classmethod
    def start(cls, project: Path) -> Self:
        """Start a company; it is furnished when this returns. `project` has the policies for crisis's own keys."""
        home = Path(tempfile.mkdtemp(prefix="crisis-company-"))
        arguments = ["--home", str(home), "--project", str(project.resolve())]
        with (home / "serve.log").open("wb") as log:
            child = subprocess.Popen(
                tether.command("crisis.sandbox.company.serve", *arguments),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        with ExitStack() as unless_it_starts:
            unless_it_starts.callback(_end, child, home)
            _wait_until_furnished(home, child)
            company = cls(home, child)
            unless_it_starts.pop_all()
        return company

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._child, self.home)

    @property
    def env(self) -> dict[str, str]:
        """Name every secret and address that `systems` refers to."""
        return {f"{_NAMED}{name}": value for name, value in self._env.items()}

    def secrets(self) -> dict[str, str]:
        """Return every secret there was when it opened, and there is now: for a search that must find none of them."""
        answer = httpx.get(f"{self._control}/_sandbox/{self._door}", trust_env=False, timeout=30)
        return {**self._secrets, **answer.raise_for_status().json()}

    def shape(self) -> dict[str, Any]:
        """Look at who may do what, in a form that can be compared with another company's."""
        answer = httpx.get(f"{self._control}/_sandbox/shape", trust_env=False, timeout=30)
        return dict(answer.raise_for_status().json())

    @property
    def systems(self) -> dict[str, Any]:
        """Describe it for protocol.yaml. The order in which keys end is not this one: it is the kinds'."""
        return {
            "account": {
                "kind": "aws", "url": _ref("AWS_URL"), "regions": ["us-east-1"], "access_key_id": _ref("AWS_ID"),
                "secret_access_key": _ref("AWS_SECRET"), "patience": "20s",
            },
            "safe": {
                "kind": "vault", "url": _ref("VAULT_URL"), "token": _ref("VAULT_TOKEN"), "patience": "10s",
                "prefixes": ["database/creds/shop", "auth/approle"],
                "approles": [{"role": "shop", "kept_in": "secret", "kept_at": "approle/shop"}],
            },
            "members": self._members(),
            "payments": _keys("stripe", {"token": _ref("STRIPE_TOKEN")}, {"rk_shop": "checkout", "rk_reports": ""}),
            "mail": _keys("sendgrid", {"token": _ref("SENDGRID_TOKEN")}, {"mailer": "mailer"}),
            "monitoring": _keys(
                "datadog", {"token": _ref("DATADOG_TOKEN"), "application_key": _ref("DATADOG_APP")},
                {"api-key:agents": "agents"},
            ),
            "registrar": {
                "kind": "by hand", "credentials": ["account password"], "owner": "dan",
                "how": "log in at the registrar, change the password, end all other sessions",
                "evidence": "the old password is refused",
            },
        }  # fmt: skip

    def _members(self) -> dict[str, Any]:
        canary = {
            "url": _ref("MEMBERS_URL"),
            "login": [
                {"request": "POST /login", "json": {"user": "canary", "password": _ref("MEMBERS_PASSWORD")}}
            ],
            "opens": [
                {
                    "request": "GET /account", "accepted": {"status": [200], "text": "of the member"},
                    "refused": {"status": [303], "text": "^/login"},
                }
            ],
        }  # fmt: skip
        where = {"url": _ref("SESSIONS_URL"), "canary": canary}
        if self._env["SESSIONS_URL"].startswith("sqlite"):
            return {"kind": "sql sessions", "shape": "express", **where}
        return {"kind": "redis sessions", "prefixes": ["sess:"], "epoch": "auth:epoch", **where}


def _ref(name: str) -> str:
    return f"env:{_NAMED}{name}"


def _keys(vendor: str, about: dict[str, str], keys: dict[str, str]) -> dict[str, Any]:
    listed = [
        {
            "name": name, "secret": _ref(f"KEY_{name.partition(':')[2] or name}".upper()),
            "used_by": [user] if user else [],
        }
        for name, user in keys.items()
    ]  # fmt: skip
    return {"kind": f"{vendor} keys", "url": _ref(f"{vendor.upper()}_URL"), "keys": listed, **about}


def _wait_until_furnished(home: Path, child: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_TAKES
    while not (home / "company.json").exists():
        if child.poll() is not None or time.monotonic() > until:
            lines = (home / "serve.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            saw = lines[-1] if lines else f"nothing within {_START_TAKES} s"
            raise UnprovenError("sandbox company", wanted="its servers up", saw=saw, then="run it once more")
        time.sleep(_TICK)


def _end(child: "subprocess.Popen[bytes]", home: Path) -> None:
    child.terminate()
    try:
        child.wait(_STOP_TAKES)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    shutil.rmtree(home, ignore_errors=True)
