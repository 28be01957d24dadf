"""Secrets of every kind, planted where they turn up in a breach: nothing that is kept or shown of a run has one."""

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from crisis.domain.entry import Entry
from crisis.drill.canaries import make, search, search_text, sinks, text_of
from crisis.engine.booth import Answer
from crisis.engine.closing import Claim, close_task
from crisis.engine.masked import MaskedError
from crisis.engine.votes import cast
from crisis.errors import RefusedError, UnprovenError
from tests.domain.planting import github
from tests.playbooks.conftest import Ground
from tests.playbooks.test_security_breach import Company
from tests.playbooks.test_security_breach import company as _company
from tests.playbooks.test_security_breach import served as _served

company, served = _company, _served


def held(company: Company) -> dict[str, str]:
    """Return what the run itself has had in hand: keys old and new, a token, a session, what the protocol names."""
    users = (company.victim, company.other)
    keys = {key: secret for user in users for key, secret in user.keys}
    new = {f"new of {name}": found[1] for user in users for name in user.secrets if (found := company.cloud.held(name))}
    others = {"token": str(company.token["client_token"]), "session": company.session, "root": company.safe.root}
    named = {
        name: value
        for name, value in company.ground.world.env.items()
        if any(word in name for word in ("TOKEN", "PASSWORD", "TOTP", "SECRET"))
    }
    return {**keys, **new, **others, **named, "admin": company.cloud.admin[1]}


def plant(company: Company, canaries: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let people, vendors and senders write secrets wherever they can write something."""
    ground = company.ground

    def says(who: str, answer: str) -> None:
        gate = ground.question()
        assert gate is not None
        cast(ground.booth(), gate, Answer(who, answer, ground.world.one_time_code(who), text, "command line"))

    def refused(_where: object) -> NoReturn:
        raise RefusedError("a message", vendor="twilio", operation="send", saw=f"400: {text}")

    monkeypatch.setattr(ground, "says", says)
    monkeypatch.setattr("crisis.clients.twilio.connect", refused)
    company.safe.token(policies=["default"], display_name=canaries["github oauth"])
    labels = {"password": canaries["password"], "note": text, text: "a name"}
    ground.journal.append(ground.incident, "alert", "alertmanager", {"labels": labels, "summary": text})


def kept(ground: Ground) -> list[Path]:
    """Return the folders with all that ours and Prefect keep, once Prefect has sent everything."""
    APILogWorker.drain_all()
    EventsWorker.drain_all()
    return [ground.home, Path(os.environ["PREFECT_HOME"]).parent]


def test_no_sink_shows_a_secret(
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A name, a reason, an alert, an error, a note, evidence: journal, evidence, logs, Prefect's database are clean."""
    canaries = make()
    text = text_of(canaries)
    plant(company, canaries, text, monkeypatch)
    monkeypatch.setattr("tasks.checklist._PATIENCE_SECONDS", 0.5)
    error = company.run(leaked=(company.victim.keys[0][0], text, github()), summary=text)
    ground = company.ground
    task = next(entry for entry in ground.done("open_task_for_key")).body["facts"]["task"]["name"]
    booth = ground.booth()
    with ground.environment():
        closed = close_task(booth, ground.incident, task, Claim("dan", text, ground.world.one_time_code("dan")))
    canaries |= held(company)
    shown = capfd.readouterr()

    assert isinstance(error, UnprovenError)
    assert isinstance(closed, Entry)
    whole = json.dumps([entry.as_dict() for entry in ground.entries()])
    for kind in ("alert", "voted", "failed", "task closed"):
        assert "[stripe key]" in json.dumps([entry.as_dict() for entry in ground.entries(kind)]), kind
    assert "hmac:" in json.dumps([entry.body for entry in ground.entries("started")])
    assert len(sinks(kept(ground))) > 3
    assert search(canaries, kept(ground)) == []
    assert search_text(canaries, whole + str(error) + shown.out + shown.err + caplog.text) == []


def test_an_error_of_somebody_else_is_masked(
    calm: Ground, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in a playbook: its text goes into Prefect's state and its traceback into the logs, without secrets."""
    canaries = make()
    text = text_of(canaries)

    def broken_body(service: str) -> None:
        raise ValueError(f"{service}: {text}")

    with pytest.raises(MaskedError, match=r"(?s)ValueError: shop: .*\[stripe key\]") as raised:
        calm.play_body(broken_body)
    shown = capfd.readouterr()

    assert calm.outcomes() == ["fault"]
    assert "[stripe key]" in caplog.text
    assert search(canaries, kept(calm)) == []
    assert search_text(canaries, str(raised.value) + shown.out + shown.err + caplog.text) == []
