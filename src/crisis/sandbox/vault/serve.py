"""Serve: the stand-in as a process of its own; `python -m crisis.sandbox.vault.serve --flavour openbao`."""

import argparse
import asyncio
import secrets
import socket
import sys

import uvicorn

from crisis.sandbox.vault.app import build
from crisis.sandbox.vault.state import State

__all__ = ["main", "make_root"]


def make_root(state: State, token: str = "") -> str:
    """Give the server its first token, a root token without an end, and return it."""
    made = state.make_token(policies=["root"], path="auth/token/root", display_name="root")
    if token:
        del state.tokens[made.id]
        made.id = token
        state.tokens[token] = made
    return made.id


def main() -> None:
    """Print the address and the root token, for `eval`, and serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m crisis.sandbox.vault.serve", description=__doc__)
    parser.add_argument("--flavour", choices=["vault", "openbao"], default="vault")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--root-token", default="", help="by default a random one")
    asked = parser.parse_args()
    state = State(asked.flavour)
    token = make_root(state, asked.root_token or secrets.token_urlsafe(24))
    with socket.create_server(("127.0.0.1", asked.port)) as door:
        name = "VAULT" if asked.flavour == "vault" else "BAO"
        lines = [f"export {name}_ADDR=http://127.0.0.1:{door.getsockname()[1]}\n", f"export {name}_TOKEN={token}\n"]
        sys.stdout.writelines(lines)
        sys.stdout.flush()
        # h11 takes Vault's own verb LIST, which httptools turns down.
        config = uvicorn.Config(build(state), log_level="warning", access_log=False, lifespan="off", http="h11")
        asyncio.run(uvicorn.Server(config).serve(sockets=[door]))


if __name__ == "__main__":
    main()
