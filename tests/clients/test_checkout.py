"""The service of any commit is started from its files, and nothing of it stays behind."""

import os
import select
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from crisis.clients.checkout import NotStartedError, exported, fill, serve
from crisis.clients.command import run, started
from crisis.clients.git import Repository
from crisis.domain.protocol import Build
from crisis.errors import ProtocolError
from tests.clients.history import Origin
from tests.clients.shop import BUILD, open_shop

SECRET = "shopper-4711"


@pytest.fixture
def repository(origin: Origin, mirror: Callable[[], Repository], monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Mirror a shop that works."""
    monkeypatch.setenv("A_PASSWORD", SECRET)
    monkeypatch.setenv("CRISIS_SOME_TOKEN", "ours")
    open_shop(origin)
    return mirror()


def leftovers() -> set[Path]:
    """List the folders of checkouts."""
    return set(Path(tempfile.gettempdir()).glob("crisis-checkout-*"))


def test_a_commit_is_served_and_ended(repository: Repository) -> None:
    """The service answers with its release, sees none of our secrets, and is gone after the block."""
    before, head = leftovers(), repository.head("main")

    with serve(repository, BUILD, head) as address:
        seen = httpx.get(address, trust_env=False).json()

    assert seen["release"] == head
    assert "SHOP_PASSWORD" in seen["secrets"]
    assert "CRISIS_SOME_TOKEN" not in seen["secrets"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)
    assert leftovers() <= before


def test_a_service_that_ends_says_why(repository: Repository) -> None:
    """The last line it printed is told, without the secret in it."""
    code = "import os, sys; sys.exit('cannot use ' + os.environ['SHOP_PASSWORD'])"
    build = Build(serve=("{python}", "-c", code), environment=BUILD.environment)

    with pytest.raises(NotStartedError, match=r"saw exit 1: cannot use \*\*\*"), serve(repository, build, "main"):
        pass


def test_a_service_that_stays_silent_is_ended(repository: Repository) -> None:
    """Waiting for an answer is bounded, and the silent process is ended."""
    code = "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); signal.pause()"
    pid = repository.git.path.parent / "pid"
    build = Build(serve=("{python}", "-c", code, str(pid)))

    with pytest.raises(NotStartedError, match="no answer in 1 s"), serve(repository, build, "main", timeout=1):
        pass

    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_program_that_is_not_there_does_not_start(repository: Repository) -> None:
    """A missing program is a service that does not start."""
    build = Build(serve=("no-such-program",))

    with pytest.raises(NotStartedError, match="no-such-program: No such file"), serve(repository, build, "main"):
        pass


def test_a_failing_block_ends_the_service_too(repository: Repository) -> None:
    """An exception inside the block leaves no folder behind."""
    before = leftovers()

    def failing(folder: Path) -> None:
        assert (folder / "shop" / "app.py").exists()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), exported(repository, "main") as folder:
        failing(folder)

    assert leftovers() <= before


def test_places_are_filled_once() -> None:
    """A value that looks like a place is not filled again."""
    assert fill(["--port={port}", "{release}", "{other}"], port=80, release="{port}") == [
        "--port=80",
        "{port}",
        "{other}",
    ]


def test_a_program_with_children_is_ended_whole() -> None:
    """What a program started is ended with it when its time is up, even if it will not listen."""
    alive, held = os.pipe()  # at its end as soon as nobody holds it any more
    with os.fdopen(alive, "rb") as reader:
        words = ["sh", "-c", "sh -c 'trap \"\" TERM; sleep 60; sleep 60' & wait"]
        done = run(words, environment={"PATH": os.environ["PATH"]}, timeout=0.5, keep=(held,))
        os.close(held)
        ready, _, _ = select.select([reader], [], [], 5)

        assert done.code is None
        assert ready
        assert reader.read() == b""


def test_a_missing_program_is_named() -> None:
    """What is not installed is named."""
    with pytest.raises(ProtocolError, match="no-such-program"), started(["no-such-program"], environment={}):
        pass
