"""Serve: the one child process that is the company; `python -m crisis.sandbox.company.serve --home DIR …`."""

import argparse
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
import uvicorn
from moto.moto_server.werkzeug_app import MotoRequestHandler
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug.serving import make_server

from crisis.sandbox import tether
from crisis.sandbox.aws.app import Account
from crisis.sandbox.company import account, safe
from crisis.sandbox.company.members import InRedis, InTable, Keeping, members_area
from crisis.sandbox.company.shape import secrets_of, shape_of
from crisis.sandbox.keyring import Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vault.app import build as build_vault
from crisis.sandbox.vault.serve import make_root
from crisis.sandbox.vault.state import State
from crisis.sandbox.vendors import third
from crisis.sandbox.vendors.desk import Refusal

_MEMBERS = 500
_LAG = {"dead_key": 1.0, "new_key": 0.5}
"""How late the account is with keys that die and keys that are new, in seconds: AWS is late too."""
_REDIS_SECONDS = 20
_KEYS = (("stripe", "rk_shop"), ("stripe", "rk_reports"), ("sendgrid", "mailer"), ("datadog", "api-key:agents"))


class _Company:
    """Everything that lives in the child, and what opens it: for crisis, for members, and for whoever stole it."""

    def __init__(self, home: Path, project: Path) -> None:
        self.home, self.deployments = home, project / "deployments"
        self.env: dict[str, str] = {}
        self.loot: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.control = ""
        self._state = State("openbao")
        self._door = secrets.token_urlsafe(24)
        """Behind it are all secrets, so nobody on this machine can guess it."""
        self._kept: Keeping

    def open(self) -> None:
        """Open every door, fill what is behind it, and say so in company.json."""
        for furnish in (self._account, self._vault, self._members, self._vendors):
            furnish()
        body = {
            "env": self.env,
            "loot": self.loot,
            "secrets": self.secrets,
            "control": self.control,
            "door": self._door,
        }
        half = self.home / ".company.json"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(body, file)
        half.rename(self.home / "company.json")

    def _account(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        ours = Account()
        server = make_server("127.0.0.1", 0, ours, threaded=True, request_handler=MotoRequestHandler)
        threading.Thread(target=server.serve_forever, name="aws", daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        staged = account.furnish(url, self.deployments / "aws")
        ours.lag.dead_key, ours.lag.new_key = _LAG["dead_key"], _LAG["new_key"]
        self.env |= {"AWS_URL": url, "AWS_ID": staged.own.id, "AWS_SECRET": staged.own.secret}
        self.loot |= {"aws_url": url, "aws_id": staged.leaked.id, "aws_secret": staged.leaked.secret}
        self.secrets |= staged.secrets

    def _vault(self) -> None:
        state = self._state
        root = make_root(state, secrets.token_urlsafe(24))
        # h11 takes Vault's own verb LIST, which httptools turns down.
        url = _serve(build_vault(state), http="h11")
        staged = safe.furnish(url, root, self.deployments / "vault")
        self.env |= {"VAULT_URL": url, "VAULT_TOKEN": staged.own}
        self.loot |= {"vault_url": url, "vault_token": staged.stolen}
        self.secrets |= staged.secrets

    def _members(self) -> None:
        password = secrets.token_urlsafe(16)
        keeping, address = self._keeping()
        self._kept = keeping
        url = _serve(members_area(keeping, password), http="auto")
        for number in range(_MEMBERS):
            cookie = keeping.begin(f"member-{number}")
        self.secrets |= {"members password": password, "a member's session": cookie}
        self.env |= {"MEMBERS_URL": url, "MEMBERS_PASSWORD": password, "SESSIONS_URL": address}
        self.loot |= {"members_url": url, "cookie": cookie}

    def _keeping(self) -> tuple[Keeping, str]:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            return InTable(self.home / "members.db"), f"sqlite:///{self.home / 'members.db'}"
        door = self.home / "redis.sock"
        settings = ["--port", "0", "--unixsocket", str(door), "--unixsocketperm", "700", "--save", ""]
        said = ["--logfile", str(self.home / "redis.log"), "--dir", str(self.home)]
        subprocess.Popen(tether.program(program, *settings, *said), stdin=subprocess.DEVNULL)
        _wait(door.exists)
        return InRedis(redis.Redis(unix_socket_path=str(door))), f"unix://{door}"

    def _vendors(self) -> None:
        ring = Keyring()
        for vendor, name in _KEYS:
            key = ring.mint(vendor, name, owner="shop")
            self.env[f"KEY_{name.partition(':')[2] or name}".upper()] = key.secret
            self.secrets[f"{vendor} key {name}"] = key.secret
            if name == "rk_shop":
                self.loot["stripe_key"] = key.secret
        for vendor in ("stripe", "sendgrid"):
            self.env[f"{vendor.upper()}_TOKEN"] = ring.mint(vendor, "admin", manages=True).secret
        self.env["DATADOG_TOKEN"] = ring.mint("datadog", "api-key:ours", manages=True).secret
        self.env["DATADOG_APP"] = ring.mint("datadog", "application-key:ours", manages=True).secret

        async def refuse(_: Any, error: Exception) -> JSONResponse:
            if not isinstance(error, Refusal):
                raise error
            return JSONResponse(error.body, error.status, error.headers)

        async def shape(_: Any) -> JSONResponse:
            return JSONResponse(shape_of(self._state, ring, self._kept))

        async def every_secret(_: Any) -> JSONResponse:
            return JSONResponse(secrets_of(self._state, ring))

        doors = [Route("/_sandbox/shape", shape), Route(f"/_sandbox/{self._door}", every_secret)]
        routes = [*third.mounts(Memory(), ring), *doors]
        app = Starlette(routes=routes, exception_handlers={Refusal: refuse})
        url = _serve(app, http="auto")
        self.env |= {f"{vendor.upper()}_URL": f"{url}/third/{vendor}" for vendor in ("stripe", "sendgrid", "datadog")}
        self.loot["stripe_url"] = f"{url}/third/stripe"
        self.control = url


def _serve(app: Starlette, *, http: Any) -> str:
    door = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", http=http, ws="none")
    )
    threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="door", daemon=True).start()
    _wait(lambda: server.started)
    return f"http://127.0.0.1:{door.getsockname()[1]}"


def _wait(fact: Callable[[], object]) -> None:
    until = time.monotonic() + _REDIS_SECONDS
    while not fact():
        if time.monotonic() > until:
            raise SystemExit("a server of the company did not start in time")
        time.sleep(0.01)


def main() -> None:
    """Open the company and stay, until the process that started it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--project", type=Path, required=True, help="where deployments/ is")
    asked = parser.parse_args()
    _Company(asked.home, asked.project).open()
    threading.Event().wait()


if __name__ == "__main__":
    main()
