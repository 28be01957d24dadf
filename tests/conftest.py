"""What every test may use: an empty environment of ours, and the project's own folders."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """No test sees what the machine it runs on has set for us or for Prefect."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("CRISIS_", "PREFECT_"))}
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return PROJECT
