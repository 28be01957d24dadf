"""No entry shows a secret, wherever in its body somebody wrote one; what we and vendors call things stays."""

import json

import pytest
from pydantic import SecretStr

from crisis.domain.entry import canonical
from crisis.domain.leak import fingerprint, public_name
from crisis.domain.redaction import TOUCHED
from crisis.drill.canaries import make, search_text, text_of
from crisis.journal.store import Journal
from tests.domain.planting import mixed
from tests.journal.conftest import INCIDENT

COMMIT = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"

OURS = {
    "run": "8c5c1b1e-0d0b-4a57-9a39-0a9d7c1f2e3d",
    "call": "8c5c1b1e-0d0b-4a57-9a39-0a9d7c1f2e3d:0:revoke_vault_token:0a1b2c3d4e5f6071:1",
    "seal": "9f" * 32,
    "nonce": "pWvIT4aEq0fXEWbJ2xq0lqD5nHhHn0aZ",
    "says": f"AKIAIOSFODNN7EXAMPL2 was used at commit {COMMIT}",
    "secret": "5b" * 32,
    "target": "cloud/secret/arn:aws:secretsmanager:eu-central-1:123456789012:secret:deploy-key-2024-aB3dE6",
    "passkey": {
        "credential": "dGhpcyBpcyBhIGNyZWRlbnRpYWwgaWQ",
        "signature": "MEUCIQDa1b2c3d4e5f6071829304a5b6c7d8e9f0",
    },
    "plan": {"choices": [{"steps": [{"arguments": {"credential": "datadog-app-key-2024", "accessor": mixed(24)}}]}]},
    "facts": {"rotated": {"deploy/AKIAIOSFODNN7EXAMPL2": "deploy/AKIAIOSFODNN7EXAMPL3"}, "file": "a.json"},
    "labels": {"service": "shop", "key_id": "AKIAIOSFODNN7EXAMPL2", "commit": COMMIT},
    "hmac": fingerprint(b"incident", "a leaked one"),
}
"""What looks random and is no secret: names of calls, seals, one-time numbers, ids of keys, commits."""


def test_no_entry_shows_a_canary(journal: Journal) -> None:
    """In values, names of fields, lists and mappings, at any depth; the entry that is returned shows none either."""
    canaries = make()
    text = text_of(canaries)
    body = {"says": text, "facts": {"list": [{"deep": [text]}], text: 1}, "labels": {"note": text}}
    entry = journal.append(INCIDENT, "note", "ada", body)

    assert search_text(canaries, json.dumps(body))
    assert search_text(canaries, json.dumps(entry.as_dict())) == []
    assert journal.entries(INCIDENT) == [entry]
    assert list(journal.verify(INCIDENT)) == []


def test_what_the_run_has_had_in_hand_is_masked(journal: Journal) -> None:
    """A secret that looks like nothing is known by its value."""
    secret = f"correct {mixed(12)} staple"
    TOUCHED.add(SecretStr(secret))
    entry = journal.append(INCIDENT, "note", "ada", {"facts": {"saw": [f"it answered {secret}!"]}})

    assert entry.body == {"facts": {"saw": ["it answered [touched secret]!"]}}


def test_the_name_of_a_label_tells_what_its_value_is(journal: Journal) -> None:
    """Senders choose these names; those of all other fields are ours, and tell nothing."""
    body = {"labels": {"db_password": "hunter2 hunter2", "token": mixed(20)}, "token": "a-name-of-a-token-17"}
    entry = journal.append(INCIDENT, "alert", "alertmanager", body)

    assert entry.body == {
        "labels": {"db_password": "[named secret]", "token": "[named secret]"}, "token": "a-name-of-a-token-17"
    }  # fmt: skip


def test_what_is_no_secret_is_recorded_as_it_is(journal: Journal) -> None:
    """Also beside a secret, which alone is masked: a changed seal or call would stop a run for good."""
    alone = journal.append(INCIDENT, "note", "ada", OURS)
    beside = journal.append(INCIDENT, "note", "ada", {**OURS, "reason": "hvs.0123456789abcdefghijKLMN"})

    assert canonical(alone.body) == canonical(OURS)
    assert canonical(beside.body) == canonical({**OURS, "reason": "[vault token]"})


def test_an_account_that_a_reference_names_is_no_secret(journal: Journal) -> None:
    """Settings read it like a secret; it is a public name, and evidence."""
    TOUCHED.add(SecretStr("AKIAIOSFODNN7EXAMPL4"))
    entry = journal.append(INCIDENT, "note", "ada", {"says": "AKIAIOSFODNN7EXAMPL4 was denied"})

    assert entry.body == {"says": "AKIAIOSFODNN7EXAMPL4 was denied"}


@pytest.mark.parametrize("given", ["AKIAIOSFODNN7EXAMPL2", "deploy", fingerprint(b"a", "b")])
def test_a_public_name_stays(given: str) -> None:
    """Also the fingerprint that a run finds when it starts again: it stands for what leaked, and not for a leak."""
    assert public_name(given, b"incident") == given
