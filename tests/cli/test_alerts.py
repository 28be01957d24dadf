"""`crisis alerts test`: what a saved payload would start, and why or why not."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Crisis
from tests.receiver.payloads import alert, delivery


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """Save what Alertmanager sent."""
    file = tmp_path / "payload.json"
    file.write_bytes(delivery())
    return file


def test_payload_that_fits_says_what_it_would_start(crisis: Crisis, payload: Path) -> None:
    """Fields, route and start are named; no secret and no server is needed, and nothing is written."""
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager")

    assert (said.code, said.err) == (0, "")
    assert "label       journey = checkout" in said.out
    assert "starts      bad-deploy for shop at level 1" in said.out
    assert not crisis.home.exists()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (delivery(alert(severity="warning")), "nothing: no route of alertmanager fits the alert JourneyFailing"),
        (delivery(alert(service="pump")), "nothing: the alert JourneyFailing is about pump"),
        (delivery(alert("resolved")), "nothing: it is resolved"),
        (delivery(alerts=[]), "starts nothing: it holds no alert"),
    ],
)
def test_payload_that_starts_nothing_says_why(crisis: Crisis, payload: Path, raw: bytes, why: str) -> None:
    """It is readable all the same: exit code 0."""
    payload.write_bytes(raw)
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager")

    assert said.code == 0
    assert why in said.out


def test_words_of_a_payload_do_not_steer_the_terminal(crisis: Crisis, payload: Path) -> None:
    """Neither markup nor control characters come through."""
    payload.write_bytes(delivery(alert(journey="[red]x[/nothing]\x1b]0;owned\x07")))
    said = crisis("alerts", "test", str(payload), "--sender", "alertmanager")

    assert "[red]x[/nothing]" in said.out
    assert "\x1b" not in said.out


def test_headers_say_what_a_body_is(crisis: Crisis, tmp_path: Path) -> None:
    """A sender whose body alone does not say it gets its header from the command line."""
    project = (crisis.project / "protocol.yaml").read_text(encoding="utf-8")
    rule = "alerts:\n  github: {secret: ['env:GH'], routes: [{when: {alertname: DeploymentFailed}, start: bad-deploy"
    file, body = tmp_path / "protocol.yaml", tmp_path / "body.json"
    file.write_text(project.replace("alerts:", f"{rule}, service: shop}}]}}"), encoding="utf-8")
    status = {"state": "failure", "environment": "production", "created_at": "2026-11-24T12:00:00Z"}
    body.write_text(json.dumps({"deployment_status": status, "deployment": {"id": 1}}), encoding="utf-8")
    words = ("alerts", "test", str(body), "--sender", "github", "--header")

    wanted = crisis(*words, "X-GitHub-Event=deployment_status", CRISIS_PROTOCOL=str(file))
    other = crisis(*words, "X-GitHub-Event=ping", CRISIS_PROTOCOL=str(file))
    assert (wanted.code, other.code) == (0, 0)
    assert "starts      bad-deploy for shop" in wanted.out
    assert "note: the event ping is not one that starts anything" in other.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("README.md", "--sender", "alertmanager"),
            "README.md: wanted a delivery of alertmanager, saw the body is no JSON",
        ),
        (("none.json", "--sender", "alertmanager"), "none.json: wanted a readable payload, saw No such file"),
        (("README.md", "--sender", "nobody"), "sender 'nobody': wanted one of: alertmanager"),
        (("README.md", "--sender", "alertmanager", "--header", "x"), "--header: wanted NAME=VALUE"),
    ],
)
def test_what_cannot_be_read_is_one_line(crisis: Crisis, words: tuple[str, ...], line: str) -> None:
    """One line that says what is wrong, and exit code 2."""
    said = crisis("alerts", "test", *words)

    assert said.code == 2
    assert line in said.line
