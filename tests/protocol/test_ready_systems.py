"""What `crisis check` tries at systems that hold credentials or sessions, with and without something wrong."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text
from starlette.applications import Starlette

from crisis.domain.protocol import Protocol
from crisis.protocol_file import load_protocol
from crisis.readiness import Finding, check_readiness, system_probes
from crisis.sandbox.keyring import ADMIN, Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.third import mounts
from tests.clients.servers import Served
from tests.clients.sessions.shop import InCookie, Shop, canary_of
from tests.clients.vault.ground import Ground, stand_in
from tests.protocol.case import HERE, complaints, compose

LISTS_MOUNTS = 'path "sys/mounts" { capabilities = ["read"] }'
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DP"


@dataclass
class Place:
    """Stand-ins of a Vault, a shop and the vendors of keys."""

    vault: Ground
    shop: Shop
    shop_url: str
    third: str
    memory: Memory
    ring: Keyring


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Serve them all."""
    file = tmp_path_factory.mktemp("shop") / "config.json"
    file.write_text(json.dumps({"SECRET_KEY": "the-secret-of-the-shop", "SECRET_KEY_FALLBACKS": []}))
    shop, memory, ring = Shop(InCookie(file)), Memory(), Keyring()
    third = Starlette(routes=mounts(memory, ring))
    with stand_in("openbao") as vault, Served(shop.app) as shop_url, Served(third) as url:
        yield Place(vault, shop, shop_url, url, memory, ring)


@pytest.fixture
def place(served: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Put every secret where protocol.yaml refers to it."""
    vars(served.ring).update(vars(Keyring()))
    admin, known = secrets.token_hex(20), secrets.token_hex(20)
    served.ring.mint("sendgrid", ADMIN, admin, manages=True)
    served.ring.mint("sendgrid", "k1", known)
    engine = create_engine(f"sqlite:///{tmp_path / 'app.db'}", poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE session (sid VARCHAR PRIMARY KEY, sess VARCHAR)"))
    may = served.vault.policy(LISTS_MOUNTS)
    for name, value in {
        "ADA": SECRET, "BEN": SECRET[::-1], "THIRD": admin, "KNOWN": known, "DATABASE": str(engine.url),
        "VAULT": served.vault.token(policies=["default", may])["client_token"], "CANARY_PASSWORD": "correct horse",
        **dict.fromkeys(("RELEASES", "SWITCH", "TICKETS", "SID", "TOKEN"), "a-long-enough-secret"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return served


@pytest.fixture
def protocol(place: Place) -> Protocol:
    """Describe one system of each kind that needs no server of its own."""
    canary = canary_of(place.shop_url).model_dump(mode="json", by_alias=True)
    keeping = place.shop.keeping
    assert isinstance(keeping, InCookie)
    sendgrid = {"url": f"{place.third}/third/sendgrid", "token": "env:THIRD"}
    systems: dict[str, Any] = {
        "bao": {"kind": "vault", "url": place.vault.url, "token": "env:VAULT"},
        "mail": {"kind": "sendgrid keys", **sendgrid, "keys": [{"name": "k1", "secret": "env:KNOWN"}]},
        "leaks": {"kind": "github keys", "url": f"{place.third}/third/github", "leaked": "file:/not/there/yet"},
        "rows": {"kind": "sql sessions", "url": "env:DATABASE", "shape": "express", "canary": canary},
        "cookies": {
            "kind": "session secret", "framework": "flask", "store": f"file:{keeping.file}", "canary": canary,
        },
        "bank": {"kind": "by hand", "credentials": ["PIN"], "owner": "ben", "how": "call", "evidence": "a letter"},
    }  # fmt: skip
    small = load_protocol(HERE / "valid.yaml").model_dump(mode="json", by_alias=True)
    return Protocol.model_validate({**small, "systems": systems})


def tried(protocol: Protocol) -> dict[tuple[str, str], Finding]:
    """Try everything but the small shop's addresses, at which nobody listens."""
    found = check_readiness(protocol, system_probes(protocol))
    return {(one.what, one.target): one for one in found if one.target.startswith(("systems.", *protocol.systems))}


def test_every_system_is_tried_and_left_as_it_was(place: Place, protocol: Protocol) -> None:
    """Each says in one line what was seen; nothing is written anywhere, and nobody logs in as the canary."""
    writes, logins = place.vault.state.writes if place.vault.state else 0, place.shop.logins
    found = tried(protocol)

    assert [one for one in found.values() if not one.ok] == []
    assert found["vault", "bao"].says.startswith("OpenBao, unsealed; the token lasts ")
    assert found["sendgrid keys", "mail"].says == "keys can be listed; 1 on the first page"
    assert found["key", "mail.k1"].says == "works"
    assert found["github keys", "leaks"].says.startswith("answers; without a token of ours")
    assert found["sql sessions", "rows"].says == "the table session can be read"
    assert found["session secret", "cookies"].says == "the secret can be read"
    assert found["by hand", "bank"].says == "by hand: ben is given a task for each of 1"
    assert found["canary", "rows"].says == "what its login needs can be read; it does not log in here"
    assert place.memory.writes == []
    assert place.shop.logins == logins
    assert place.vault.state is None or place.vault.state.writes == writes


def test_what_is_wrong_is_named_with_a_way_to_mend_it(
    place: Place, protocol: Protocol, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A refused credential, a dead key, a missing table and a password that is not there: one line each, no secret."""
    monkeypatch.setenv("VAULT", "hvs.refused-by-everybody")
    monkeypatch.setenv("THIRD", "refused-by-sendgrid")
    monkeypatch.setenv("DATABASE", f"sqlite:///{tmp_path / 'empty.db'}")
    monkeypatch.delenv("CANARY_PASSWORD")
    place.ring.end("sendgrid", "k1")
    found = tried(protocol)
    failed = {where: one for where, one in found.items() if not one.ok}

    assert sorted(failed) == [
        ("canary", "cookies"), ("canary", "rows"), ("key", "mail.k1"), ("sendgrid keys", "mail"),
        ("sql sessions", "rows"), ("vault", "bao"),
    ]  # fmt: skip
    assert failed["vault", "bao"].mend == "renew the token where its reference points"
    assert failed["key", "mail.k1"].says == "wanted a key that works, saw one that is refused"
    assert failed["canary", "rows"].says == "wanted env:CANARY_PASSWORD for login.0.json.password, saw none"
    assert failed["canary", "rows"].mend == "set CANARY_PASSWORD where crisis runs"
    assert all(one.mend and "\n" not in one.says + one.mend for one in failed.values())
    assert [word for word in ("hvs.refused", "refused-by-sendgrid") if word in repr(found)] == []


def test_a_vault_that_is_sealed_or_lends_by_a_parent_is_named(
    place: Place, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sealed server can revoke nothing, and a child's token ends with its parent."""
    place.vault.breaks(sealed=True)
    try:
        sealed = tried(protocol)["vault", "bao"]
    finally:
        place.vault.breaks()
    child = place.vault.token(parent=place.vault.root, policies=["default"])
    monkeypatch.setenv("VAULT", child["client_token"])

    assert (sealed.ok, sealed.says) == (False, "wanted vault to say how it is, saw a sealed server")
    assert sealed.mend.startswith("unseal it")
    assert tried(protocol)["vault", "bao"].says == "wanted an orphan, saw one that ends with its parent"


def test_a_system_that_is_away_is_one_line(protocol: Protocol) -> None:
    """Nothing listens: the address and the system are named, whatever its client makes of it."""
    bao = protocol.systems["bao"].model_copy(update={"url": "http://127.0.0.1:2"})
    found = tried(protocol.model_copy(update={"systems": {"bao": bao}}))

    assert sorted(where for where, one in found.items() if not one.ok) == [
        ("address", "systems.bao.url"), ("vault", "bao"),
    ]  # fmt: skip
    assert found["vault", "bao"].mend == "check systems.bao: its address, and the permissions of its credential"


def test_the_owner_of_a_task_is_one_of_the_people(protocol: Protocol, tmp_path: Path) -> None:
    """Nobody else could close it: the file is refused, and so is a protocol that was made otherwise."""
    bank = protocol.systems["bank"].model_copy(update={"owner": "zoe"})
    text = (
        "systems:\n  bank: {kind: by hand, credentials: [PIN], owner: zoe, how: call, evidence: a letter}\n"
    )  # fmt: skip

    assert tried(protocol.model_copy(update={"systems": {"bank": bank}}))["by hand", "bank"].mend == "name one of them"
    assert complaints(compose(text), tmp_path) == [
        "protocol.yaml:2: systems.bank.owner: no such person 'zoe'; choose from: ada, ben"
    ]
