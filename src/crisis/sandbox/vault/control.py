"""Control: levers under `/_sandbox` that are no part of any Vault."""

from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from crisis.sandbox.vault.state import Database, Faults, State

__all__ = ["Control"]


class Control:
    """Look at everything and break things."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[Mount]:
        """List the addresses."""
        inner = [
            Route("/state", self.state),
            Route("/faults", self.faults, methods=["POST"]),
            Route("/databases/{name}", self.database, methods=["POST"]),
            Route("/databases/{name}/login", self.login, methods=["POST"]),
        ]
        return [Mount("/_sandbox", routes=inner)]

    async def state(self, _: Request) -> Response:
        """Show what there is, and no secret."""
        state = self._state
        state.settle()
        leases = state.leases.values()
        return JSONResponse(
            {
                "flavour": state.flavour,
                "accessors": [one.accessor for one in state.tokens.values() if state.find(one.id)],
                "leases": {one.id: one.irrevocable or ("queued" if one.due else "lent") for one in leases},
                "users": {name: sorted(one.accounts) for name, one in state.databases.items()},
                "entities": {one.id: one.disabled for one in state.entities.values()},
                "audit": sorted(state.audit),
                "faults": asdict(state.faults),
                "writes": state.writes,
            }
        )

    async def faults(self, request: Request) -> Response:
        """Switch faults; `{}` mends everything. What is not named stays, but `null` is its default."""
        asked: dict[str, Any] = await request.json()
        blank, known = Faults(), {one.name for one in fields(Faults)}
        if strange := sorted(set(asked) - known):
            return JSONResponse({"error": f"no such fault: {', '.join(strange)}", "faults": sorted(known)}, 422)
        if not asked:
            self._state.faults = blank
        for name, value in asked.items():
            setattr(self._state.faults, name, getattr(blank, name) if value is None else value)
        return JSONResponse(asdict(self._state.faults))

    async def database(self, request: Request) -> Response:
        """Set up a database server: its root account, or whether it answers."""
        asked = await request.json()
        database = self._state.databases.setdefault(request.path_params["name"], Database())
        if "username" in asked:
            database.accounts[asked["username"]] = asked["password"]
        database.broken = bool(asked.get("broken", database.broken))
        return JSONResponse({"users": sorted(database.accounts)})

    async def login(self, request: Request) -> Response:
        """Log in to a database, as whoever holds its credentials would: 200 or 401."""
        asked = await request.json()
        self._state.settle()
        database = self._state.databases.get(request.path_params["name"], Database())
        gets_in = database.login(asked.get("username", ""), asked.get("password", ""))
        return JSONResponse({"in": gets_in}, 200 if gets_in else 401)
