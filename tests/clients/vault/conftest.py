"""Servers for the Vault cases: two stand-ins, and the real ones whose addresses the environment gives."""

import os
from collections.abc import Iterator

import pytest

from tests.clients.vault.ground import Ground, opened, real, stand_in


@pytest.fixture(scope="session")
def vault_stand_in() -> Iterator[Ground]:
    """Serve a stand-in of Vault."""
    with stand_in("vault") as ground:
        yield ground


@pytest.fixture(scope="session")
def openbao_stand_in() -> Iterator[Ground]:
    """Serve a stand-in of OpenBao."""
    with stand_in("openbao") as ground:
        yield ground


@pytest.fixture(params=["vault stand-in", "openbao stand-in", "real VAULT", "real BAO"])
def server(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Give a test every server there is, one after the other; a real one is skipped where no address is set."""
    kind, _, name = str(request.param).partition(" ")
    if kind == "real":
        found = real(os.environ, name)
        if found is None:
            pytest.skip(f"set {name}_ADDR and {name}_TOKEN to run this case against a real server")
    else:
        found = request.getfixturevalue(f"{kind}_stand_in")
    ground = opened(found)
    yield ground
    ground.tidy()


@pytest.fixture(params=["vault", "openbao"])
def drill(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Give a test the stand-ins alone, for what no real server does on demand."""
    ground = opened(request.getfixturevalue(f"{request.param}_stand_in"))
    yield ground
    ground.tidy()
