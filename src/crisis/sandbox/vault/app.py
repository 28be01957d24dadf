"""App: one server over HTTP: every request through seal, faults, token and policy, to the engine it is for."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crisis.sandbox.vault import approle, database, identity, kv, pki, policy, system, tokens, transit
from crisis.sandbox.vault import state as memory
from crisis.sandbox.vault.control import Control
from crisis.sandbox.vault.desk import Call, Page, Pages, Refused, Reply

__all__ = ["VERBS", "build"]

VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "LIST"]
"""LIST is a verb of Vault's own."""

_OPS = {"GET": "read", "HEAD": "read", "PUT": "update", "POST": "update", "DELETE": "delete", "LIST": "list"}
_WRITES = {"create", "update", "delete", "patch"}
_ENGINES: Mapping[str, Pages] = {
    "system": system.PAGES, "token": tokens.PAGES, "approle": approle.PAGES, "kv": kv.PAGES,
    "transit": transit.PAGES, "database": database.PAGES, "identity": identity.PAGES, "pki": pki.PAGES,
}  # fmt: skip
_SUDO = {"system": system.SUDO, "token": tokens.SUDO, "pki": ("root",)}
_OPEN = {"approle": approle.OPEN}
_NOWHERE = re.compile(r"(?!)")


@dataclass(frozen=True)
class _Place:
    """Where a path leads: the engine, and what is left of the path there."""

    mount: memory.Mount
    mounted: str
    rest: str

    def is_sudo(self) -> bool:
        """Whether the path is for `sudo` alone."""
        asked = _SUDO.get(self.mount.kind, ())
        return any(self.rest.startswith(one[:-1]) if one.endswith("*") else self.rest == one for one in asked)

    def is_open(self) -> bool:
        """Whether one comes here without a token."""
        return self.rest in _OPEN.get(self.mount.kind, ())


class _Server:
    def __init__(self, state: memory.State) -> None:
        self.state = state
        fixed = {"sys/": "system", "identity/": "identity"}
        state.mounts.update({name: memory.Mount(kind) for name, kind in fixed.items()})
        state.auth["token/"] = memory.Mount("token")

    async def answer(self, request: Request) -> Response:
        """Answer one request of the API."""
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError:
            return _sent(Reply(400, {"errors": ["error parsing JSON"]}))
        reply = self._reply(request, body if isinstance(body, dict) else {})
        return _sent(reply, bare=request.method == "HEAD")

    def _reply(self, request: Request, body: dict[str, Any]) -> Reply:
        path, state = request.path_params["path"], self.state
        state.settle()
        op = "list" if request.query_params.get("list") == "true" else _OPS.get(request.method, "patch")
        try:
            if path == "sys/health":
                return system.health(state, request.query_params)
            self._check_weather(path)
            call, page = self._understand(request, path, op, body)
            reply = self._perform(call, page, path)
        except Refused as refused:
            return Reply(refused.status, refused.body or {"errors": refused.errors})
        if call.op in _WRITES:
            state.writes.append(f"{call.op} {path}")
            if state.faults.lost_replies and state.faults.only_on in path:
                state.faults.lost_replies -= 1
                return Reply(504, {"errors": ["gateway time-out"]})
        return reply

    def _check_weather(self, path: str) -> None:
        faults = self.state.faults
        if faults.sealed and path not in system.OPEN:
            raise Refused(503, "Vault is sealed")
        if faults.standby and path not in system.OPEN:
            raise Refused(faults.standby, "standby node cannot serve this request")
        if faults.statuses and faults.only_on in path:
            raise Refused(faults.statuses.pop(0), "the drill said so")

    def _understand(self, request: Request, path: str, op: str, body: dict[str, Any]) -> tuple[Call, Page]:
        state = self.state
        token = state.find(request.headers.get("x-vault-token", ""))
        place = self._place(path)
        if path in system.OPEN or (place is not None and place.is_open()):
            token = token or memory.Token("", "", [], "")
        elif token is None or self._is_disabled(token):
            raise Refused(403, "permission denied")
        full = path.rstrip("/") + "/" if op == "list" else path
        self._check_missing(full, op)
        if place is None:
            self._authorise(token, full, op, sudo=False)
            raise Refused(404, f'no handler for route "{path}". route entry not found.')
        rest = place.rest.rstrip("/") + "/" if op == "list" else place.rest
        found = _ENGINES[place.mount.kind].find(rest.lstrip("/") if rest == "/" else rest)
        call = Call(state, op, full, body, request.query_params, token, place.mount, place.mounted)
        page, call.parts = found if found is not None else (Page(_NOWHERE, {}), {})
        if op == "update" and page.exists is not None and not page.exists(call):
            call.op = "create"
        if path not in system.OPEN and not place.is_open():
            self._authorise(token, full, call.op, sudo=place.is_sudo())
        return call, page

    def _perform(self, call: Call, page: Page, path: str) -> Reply:
        answer = page.answers.get(call.op)
        if answer is None:
            if page.answers:
                raise Refused(405, "1 error occurred:\n\t* unsupported operation\n\n")
            raise Refused(404, f'no handler for route "{path}"')
        return answer(call)

    def _place(self, path: str) -> _Place | None:
        tables = {**{f"auth/{name}": one for name, one in self.state.auth.items()}, **self.state.mounts}
        fits = [name for name in tables if f"{path}/".startswith(name)]
        if not fits:
            return None
        name = max(fits, key=len)
        return _Place(tables[name], name.removeprefix("auth/"), path[len(name) :])

    def _is_disabled(self, token: memory.Token) -> bool:
        entity = self.state.entities.get(token.entity_id)
        return entity is not None and entity.disabled

    def _check_missing(self, path: str, op: str) -> None:
        for one in self.state.faults.missing:
            wanted, _, where = one.rpartition(":")
            if path.rstrip("/") == where.rstrip("/") and wanted in ("", op):
                raise Refused(403, "1 error occurred:\n\t* permission denied\n\n")

    def _authorise(self, token: memory.Token, path: str, op: str, *, sudo: bool) -> None:
        if "root" in token.policies:
            return
        has = policy.allowed(list(self.state.rules_of(token)), path, op)
        if op not in has or (sudo and "sudo" not in has):
            raise Refused(403, "1 error occurred:\n\t* permission denied\n\n")


def build(state: memory.State) -> Starlette:
    """Serve one Vault, with its levers beside it."""
    server = _Server(state)
    return Starlette(routes=[*Control(state).routes(), Route("/v1/{path:path}", server.answer, methods=VERBS)])


def _sent(reply: Reply, *, bare: bool = False) -> Response:
    # A body behind a HEAD or a 204 would be read as the next answer on the same connection.
    if bare or reply.body is None:
        return Response(status_code=reply.status)
    return JSONResponse(reply.body, reply.status)
