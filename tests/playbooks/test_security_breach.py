"""The playbook for a security breach, run to its end against an AWS account, a Vault, and a service with sessions."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine

from crisis.clients import aws
from crisis.clients.aws import baseline
from crisis.clients.aws.principals import CONTAINED, CUT_OFF
from crisis.errors import CrisisError, UnprovenError
from tests.aws.account import Cloud, User
from tests.aws.conftest import served as _served
from tests.clients.servers import Served
from tests.clients.sessions.shop import InTable, Keeping, Shop, canary_of
from tests.clients.vault.ground import Ground as Safe
from tests.clients.vault.ground import stand_in
from tests.playbooks.conftest import Ground

served = _served
ANSWERS = (("ada", "end them"), ("ben", "control in force"), ("cleo", "end them"))


@dataclass
class Company:
    """What an intruder may hold: two users' keys at AWS, tokens of a Vault, and a session of the shop."""

    ground: Ground
    cloud: Cloud
    safe: Safe
    shop: Shop
    victim: User
    other: User
    token: dict[str, Any]
    session: str

    def run(self, **parameters: Any) -> CrisisError | None:
        """Run the playbook; whoever is asked says yes, the hole is said to be under control."""
        parameters = {"leaked": (self.victim.keys[0][0],), **parameters}
        with self.ground.environment():
            from flows.security_breach import security_breach  # noqa: PLC0415 - loads Prefect
        # Three people, because nobody can use their one-time code twice within half a minute.
        for number, (who, answer) in enumerate(ANSWERS, 1):
            self._answers(who, answer, number)
        return self.ground.play(security_breach, **parameters)

    def _answers(self, who: str, answer: str, number: int) -> None:
        def ready() -> bool:
            gate = self.ground.question(who, number)
            return gate is not None and len(self.ground.entries("asked")) == number

        self.ground.meanwhile(ready, lambda: self.ground.says(who, answer))

    def alive(self, token: dict[str, Any]) -> bool:
        """Whether the Vault takes a token."""
        answer = self.safe.send("GET", "auth/token/lookup-self", token=str(token["client_token"]))
        return answer.status_code == 200


@dataclass
class Forgetful:
    """A service that keeps sessions in a cache of its own, and never looks whether they still stand in the table."""

    inner: Keeping

    def begin(self, user: str) -> str:
        """Start a session."""
        return self.inner.begin(user)

    def knows(self, cookie: str) -> bool:
        """Know every session."""
        return bool(cookie)


@pytest.fixture
def company(calm: Ground, served: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """Describe all of it in the protocol."""
    monkeypatch.setattr("tasks.contain_aws._SETTLE", timedelta(seconds=0.5))  # the stand-in hears of a deny at once
    served.as_admin(monkeypatch.setenv)
    served.clear()
    _empty(served)
    engine = create_engine(f"sqlite:///{tmp_path / 'app.db'}", poolclass=NullPool)
    with sqlite3.connect(tmp_path / "app.db") as base:
        base.execute("CREATE TABLE session (sid VARCHAR PRIMARY KEY, sess VARCHAR, expire TIMESTAMP)")
    shop = Shop(InTable(engine))
    with stand_in("vault") as safe, Served(shop.app) as url:
        monkeypatch.setenv("SESSIONS_URL", f"sqlite:///{tmp_path / 'app.db'}")
        monkeypatch.setenv("CANARY_PASSWORD", "correct horse")
        monkeypatch.setenv("A_VAULT_TOKEN", safe.root)
        calm.change(lambda protocol: _describe(protocol, served, safe, url))
        made = served.user(), served.user()
        with aws.connect(served.system()) as account:
            baseline.write(account, baseline.file_of(calm.home, "cloud"))
        token = safe.token(policies=["default"])
        yield Company(calm, served, safe, shop, *made, token, shop.keeping.begin("a user"))
    served.clear()


def _empty(cloud: Cloud) -> None:
    """Take out what other tests left: everything of an account is in reach of a breach."""
    iam = cloud.boto("iam")
    for user in iam.list_users()["Users"]:
        for key in iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]:
            if key["AccessKeyId"] != cloud.admin[0]:
                iam.delete_access_key(UserName=user["UserName"], AccessKeyId=key["AccessKeyId"])


def _describe(protocol: dict[str, Any], cloud: Cloud, safe: Safe, url: str) -> None:
    account = json.loads(cloud.system().model_dump_json(exclude_none=True)) | {"patience": "20s"}
    vault = {"kind": "vault", "url": safe.url, "token": "env:A_VAULT_TOKEN", "patience": "5s"}
    canary = json.loads(canary_of(url).model_dump_json(by_alias=True, exclude_none=True))
    sessions = {"kind": "sql sessions", "url": "env:SESSIONS_URL", "shape": "express", "canary": canary}
    protocol["levels"][1]["decision_makers"] = ["ada", "ben", "cleo"]
    protocol["gates"]["destroy"] = {"ask": "decision maker"}  # two people are a matter of the gate's own tests
    protocol["systems"] = {"cloud": account, "safe": vault, "shop-users": sessions}


def test_everything_is_ended_proved_and_replaced(company: Company) -> None:
    """Old keys, tokens and sessions are refused; who needs a key has a working successor; nothing is left open."""
    assert company.run() is None

    for user in (company.victim, company.other):
        shape = company.cloud.shape(user)
        assert shape["old works"] == [False]
        assert shape["held works"] == [True]
    assert not company.alive(company.token)
    assert not company.shop.keeping.knows(company.session)
    assert company.ground.outcomes() == ["recovered"]
    left = company.cloud.boto("iam").list_user_policies(UserName=company.victim.name)["PolicyNames"]
    assert CONTAINED not in left  # nothing of the containment keeps the new key from its work
    assert CUT_OFF in left


def test_containment_waits_for_nobody(company: Company) -> None:
    """Who holds the leaked key can do nothing before anybody was asked."""
    seen = threading.Event()
    works: list[bool] = []

    def look() -> None:
        works.append(company.cloud.works(company.victim.keys[0]))
        works.append(company.cloud.works(company.other.keys[0]))
        seen.set()

    company.ground.meanwhile(lambda: company.ground.entries("asked"), look)
    assert company.run() is None

    assert seen.is_set()
    assert works == [False, True]
    kinds = [(entry.kind, entry.body.get("action")) for entry in company.ground.entries()]
    assert kinds.index(("done", "contain_aws_principal")) < kinds.index(("asked", None))


def test_what_was_rotated_while_the_hole_was_open_is_rotated_again(company: Company) -> None:
    """The first successors are refused as well."""
    company.run()
    first, second = (entry.body["facts"]["rotated"] for entry in company.ground.done("rotate_aws_keys"))
    iam = company.cloud.boto("iam")
    status = {
        key["AccessKeyId"]: key["Status"]
        for user in (company.victim, company.other)
        for key in iam.list_access_keys(UserName=user.name)["AccessKeyMetadata"]
    }

    assert set(first.values()) & set(second.values()) == set()
    assert all(status.get(key) != "Active" for key in first.values())
    assert all(status[key] == "Active" for key in second.values())


def test_a_scope_of_one_principal_leaves_the_others(company: Company) -> None:
    """Only what the leaked key's holder has is ended; sessions are, always."""
    assert company.run(scope="principal") is None

    assert not company.cloud.works(company.victim.keys[0])
    assert company.cloud.works(company.other.keys[0])
    assert company.alive(company.token)
    assert not company.shop.keeping.knows(company.session)


def test_no_secret_stands_in_what_is_kept(company: Company) -> None:
    """Neither the old keys nor the new ones, the token or the session are in the journal, the evidence or the log."""
    assert company.run() is None
    held = [company.cloud.held(name) for user in (company.victim, company.other) for name in user.secrets]
    secrets = [secret for _, secret in (*company.victim.keys, *company.other.keys)]
    secrets += [one[1] for one in held if one]
    secrets += [str(company.token["client_token"]), company.session, company.cloud.admin[1], company.safe.root]
    kept = b"".join(file.read_bytes() for file in company.ground.home.rglob("*") if file.is_file())
    kept += json.dumps([entry.body for entry in company.ground.entries()]).encode()

    assert company.victim.keys[0][0].encode() in kept  # the search finds what is there: public names are evidence
    assert [one for one in secrets if one.encode() in kept] == []


def test_a_session_that_lives_on_is_said(company: Company) -> None:
    """The service goes on taking a session that is gone from its table: the run does not end green."""
    company.shop.keeping = Forgetful(company.shop.keeping)
    error = company.run()

    assert isinstance(error, UnprovenError)
    assert "canary" in str(error)
