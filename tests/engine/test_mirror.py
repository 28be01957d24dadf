"""The mirror hears what is filled in at Prefect once and for certain, however its server answers meanwhile."""

import json
import logging
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Running

from crisis.engine.mirror import PrefectMirror
from crisis.errors import JournalError

KEY = "restore-abc"
RESPONSE = f"paused-{KEY}-response"
ANSWER = {"decision": "revert", "who": "ada", "code": "123456"}


@dataclass
class Server:
    """Prefect's API around one run. `trouble` answers the next calls of a name with an error, maybe after the deed."""

    state: State[Any] = field(default_factory=Running)
    inputs: dict[str, str] = field(default_factory=dict)
    trouble: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    """By call: status, 0 for a time-out, and whether it took effect all the same."""

    def resume(self) -> None:
        """Do what the form's button does."""
        self.inputs[RESPONSE] = json.dumps(ANSWER)
        self.state = Running()

    @property
    def paused(self) -> bool:
        """Whether the run is shown as paused."""
        return self.state.is_paused()

    def read_flow_run(self, run: Any) -> FlowRun:
        """Return the run."""
        self._maybe("read_flow_run")
        return FlowRun.model_construct(id=run, flow_id=run, state=self.state)

    def set_flow_run_state(self, _run: Any, state: State[Any], *, force: bool) -> None:
        """Take a state."""
        assert force
        self.state = state
        self._maybe("set_flow_run_state")

    def create_flow_run_input(self, *, flow_run_id: Any, key: str, value: str) -> None:
        """Keep an input."""
        assert flow_run_id
        self.inputs[key] = value

    def read_flow_run_input(self, _run: Any, key: str) -> str:
        """Return an input, or 404."""
        self._maybe("read_flow_run_input")
        return self._found(key)

    def delete_flow_run_input(self, _run: Any, key: str) -> None:
        """Delete an input, or 404."""
        status, deed = self._next("delete_flow_run_input")
        if deed:
            self._found(key)
            del self.inputs[key]
        _fail(status)

    def _found(self, key: str) -> str:
        if key not in self.inputs:
            _fail(404)
        return self.inputs[key]

    def _maybe(self, call: str) -> None:
        _fail(self._next(call)[0])

    def _next(self, call: str) -> tuple[int, bool]:
        waiting = self.trouble.get(call)
        return waiting.pop(0) if waiting else (200, True)


def _fail(status: int) -> None:
    request = httpx.Request("GET", "http://prefect.test")
    if status == 0:
        raise httpx.ReadTimeout("too late", request=request)
    httpx.Response(status, request=request).raise_for_status()


@dataclass
class Form:
    """A question that remembers how it was answered."""

    settles: bool = True
    away: int = 0
    heard: list[Mapping[str, Any]] = field(default_factory=list)
    key: str = KEY
    description: str = "a plan"
    schema: dict[str, Any] = field(default_factory=dict)

    def answer(self, fields: Mapping[str, Any]) -> bool:
        """Take an answer."""
        if self.away:
            self.away -= 1
            raise JournalError("journal", wanted="to write it", saw="nothing")
        self.heard.append(fields)
        return self.settles


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A Prefect server, which the mirror's client talks to."""
    made = Server()

    @contextmanager
    def client(*, sync_client: bool) -> Any:
        assert sync_client
        yield made

    monkeypatch.setattr("prefect.client.orchestration.get_client", client)
    monkeypatch.setattr("crisis.engine.mirror._POLL_SECONDS", 0.01)
    return made


def wait(look: Any) -> None:
    """Wait until something is so, for five seconds at most."""
    until = time.monotonic() + 5
    while not look():
        assert time.monotonic() < until, "it did not happen within 5 s"
        time.sleep(0.005)


def shown(server: Server, form: Form) -> PrefectMirror:
    """Return a mirror that shows a form."""
    mirror = PrefectMirror(uuid4(), logging.getLogger("test"))
    mirror.ask(form)
    wait(lambda: server.paused)
    return mirror


@pytest.mark.parametrize(
    "trouble",
    [
        {},
        {"read_flow_run_input": [(503, False), (500, False)]},
        {"read_flow_run_input": [(0, False)]},
        {"read_flow_run": [(0, False), (503, False)]},
        {"delete_flow_run_input": [(0, True)]},
        {"delete_flow_run_input": [(0, False), (503, False)]},
    ],
    ids=str,
)
def test_an_answer_is_heard_once_and_deleted(server: Server, trouble: dict[str, list[tuple[int, bool]]]) -> None:
    """Also when Prefect's database is locked, or a call times out after it took effect."""
    form = Form()
    mirror = shown(server, form)
    server.trouble = trouble
    server.resume()
    wait(lambda: form.heard and RESPONSE not in server.inputs)
    mirror.answered(KEY)
    mirror.close()

    assert form.heard == [ANSWER]
    assert not server.paused
    assert RESPONSE not in server.inputs


def test_an_answer_that_crosses_our_own_pause_is_heard(server: Server) -> None:
    """The pause was sent again after Resume: the answer stands beside a run that is shown as paused."""
    form = Form()
    mirror = shown(server, form)
    server.inputs[RESPONSE] = json.dumps(ANSWER)
    wait(lambda: form.heard and RESPONSE not in server.inputs)
    mirror.close()

    assert form.heard == [ANSWER]


def test_an_answer_waits_for_a_store_that_is_away(server: Server) -> None:
    """It stays where it is until it can be recorded."""
    form = Form(away=3)
    mirror = shown(server, form)
    server.resume()
    wait(lambda: form.heard and RESPONSE not in server.inputs)
    mirror.close()

    assert form.heard == [ANSWER]


@pytest.mark.parametrize("said", [json.dumps(ANSWER), "[]", "{", ""])
def test_what_settles_nothing_shows_the_question_again(server: Server, said: str) -> None:
    """Also what is no answer at all."""
    form = Form(settles=False)
    mirror = shown(server, form)
    server.resume()
    server.inputs[RESPONSE] = said
    wait(lambda: RESPONSE not in server.inputs and server.paused)
    mirror.close()


def test_the_same_wrong_answer_twice_is_heard_twice(server: Server) -> None:
    """The second one is a person's second try."""
    form = Form(settles=False)
    mirror = shown(server, form)
    for _ in range(2):
        server.resume()
        wait(lambda: RESPONSE not in server.inputs and server.paused)
    mirror.close()

    assert form.heard == [ANSWER, ANSWER]


def test_it_has_listened_once_prefect_said_what_was_filled_in(server: Server) -> None:
    """Somebody pressed Resume, and Prefect is slow to say so: the run is not put aside meanwhile."""
    form, mirror = Form(settles=False), PrefectMirror(uuid4(), logging.getLogger("test"))
    server.resume()
    server.trouble = {"read_flow_run_input": [(503, False)] * 5}
    mirror.ask(form)
    before = mirror.has_listened, list(form.heard)
    wait(lambda: mirror.has_listened)
    mirror.close()

    assert before == (False, [])
    assert form.heard == [ANSWER]
