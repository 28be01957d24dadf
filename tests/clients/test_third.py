"""Keys of third parties: ended by each vendor's own API, and refused by it afterwards."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from crisis.clients.http import ThrottledError
from crisis.clients.third import KeyVendor, connect
from crisis.clients.third.github import GitHubKeyVendor
from crisis.domain.systems.third import (
    CloudflareTokens,
    DatadogKeys,
    GitHubKeys,
    NpmTokens,
    OpenAIKeys,
    SendGridKeys,
    SlackTokens,
    StripeKeys,
    ThirdParty,
    TwilioKeys,
)
from crisis.errors import ProtocolError, RefusedError, TransientError
from crisis.sandbox.keyring import ADMIN, Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.third import mounts
from tests.clients.servers import Served
from tests.domain.planting import github as github_token

MODELS: dict[str, tuple[type[ThirdParty], dict[str, Any]]] = {
    "stripe": (StripeKeys, {"token": "env:A_TOKEN"}),
    "twilio": (TwilioKeys, {"account": "env:A_SID", "token": "env:A_TOKEN"}),
    "sendgrid": (SendGridKeys, {"token": "env:A_TOKEN"}),
    "slack": (SlackTokens, {}),
    "datadog": (DatadogKeys, {"token": "env:A_TOKEN", "application_key": "env:A_TOKEN"}),
    "cloudflare": (CloudflareTokens, {"token": "env:A_TOKEN"}),
    "npm": (NpmTokens, {"token": "env:A_TOKEN"}),
    "openai": (OpenAIKeys, {"token": "env:A_TOKEN", "project": "proj_1"}),
    "github": (
        GitHubKeys,
        {"token": "env:A_TOKEN", "organization": "shop", "repositories": ("shop/web",)},
    ),
}
IDS = {"datadog": "application-key:k1", "github": "token:71"}
"""Ids that are spelt in a way of their own."""
LISTS = [name for name in MODELS if name != "slack"]


@dataclass
class Ground:
    """The stand-ins with their memory."""

    url: str
    memory: Memory
    ring: Keyring

    def open(self, vendor: str) -> KeyVendor:
        """Open a vendor as protocol.yaml would say."""
        model, parts = MODELS[vendor]
        return connect(model(kind=f"{vendor} {_noun(vendor)}", url=f"{self.url}/third/{vendor}", **parts))

    def leak(self, vendor: str) -> tuple[str, SecretStr]:
        """Give out a key; return its id and its secret, as a client is given it."""
        name = IDS.get(vendor, f"{vendor}-1")
        secret = github_token() if vendor == "github" else secrets.token_hex(20)
        if vendor == "twilio":
            secret = f"{name}:{secret}"
        self.ring.mint(vendor, name, secret, owner="ada")
        return name, SecretStr(secret)


def _noun(vendor: str) -> str:
    return "tokens" if vendor in ("slack", "cloudflare", "npm") else "keys"


@pytest.fixture(scope="module")
def served() -> Iterator[Ground]:
    """Serve all stand-ins."""
    memory, ring = Memory(), Keyring()
    with Served(Starlette(routes=mounts(memory, ring))) as url:
        yield Ground(url, memory, ring)


@pytest.fixture
def ground(served: Ground, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """Give a test vendors who know their managing key and nothing else."""
    served.memory.faults.clear()
    served.memory.writes.clear()
    vars(served.ring).update(vars(Keyring()))
    admin = secrets.token_hex(20)
    monkeypatch.setenv("A_TOKEN", admin)
    monkeypatch.setenv("A_SID", "AC1")
    for vendor in MODELS:
        served.ring.mint(vendor, ADMIN, f"AC1:{admin}" if vendor == "twilio" else admin, manages=True)
    return served


@pytest.mark.parametrize("vendor", MODELS)
def test_an_ended_key_is_refused(ground: Ground, vendor: str) -> None:
    """Tried before it works; ended, the vendor itself refuses it; another key goes on working."""
    name, secret = ground.leak(vendor)
    other = SecretStr("other:x" if vendor == "twilio" else "f" * 40)
    ground.ring.mint(vendor, "token:99" if vendor == "github" else "other", other.get_secret_value())
    with ground.open(vendor) as client:
        before = client.accepts(secret)
        client.end(name, secret)
        after = client.accepts(secret)
        untouched = client.accepts(other)

    assert (before, after, untouched) == (True, False, True)
    assert len(ground.memory.writes) == 1


@pytest.mark.parametrize("vendor", MODELS)
def test_a_key_that_is_ended_already_is_left(ground: Ground, vendor: str) -> None:
    """Ended twice it is ended once, and the second time is no error."""
    name, secret = ground.leak(vendor)
    with ground.open(vendor) as client:
        client.end(name, secret)
        client.end(name, secret)

        assert not client.accepts(secret)


@pytest.mark.parametrize("vendor", MODELS)
def test_a_look_changes_nothing(ground: Ground, vendor: str) -> None:
    """Our credential is tried at the vendor, and its keys live on."""
    name, _ = ground.leak(vendor)
    with ground.open(vendor) as client:
        says = client.look()

    assert says
    assert ground.memory.writes == []
    assert ground.ring.keys[vendor][name].alive


@pytest.mark.parametrize("vendor", LISTS)
def test_the_living_keys_are_listed(ground: Ground, vendor: str) -> None:
    """A key stands in the list until it is ended, by its public name; its secret never does."""
    name, secret = ground.leak(vendor)
    with ground.open(vendor) as client:
        before = client.listed()
        client.end(name, None)
        after = client.listed()

    assert [one.name for one in before or ()] == [name]
    assert after == []
    assert secret.get_secret_value() not in repr(before)


@pytest.mark.parametrize("vendor", MODELS)
def test_a_lost_reply_is_passing_and_the_key_is_dead(ground: Ground, vendor: str) -> None:
    """The vendor did it and the answer was lost: the error says try again, and trying finds it dead."""
    name, secret = ground.leak(vendor)
    ground.memory.faults["vendor_lost_reply"] = {vendor: {"times": 1}}
    with ground.open(vendor) as client:
        with pytest.raises(TransientError):
            client.end(name, secret)
        alive = client.accepts(secret)
        client.end(name, secret)

    assert not alive
    assert len(ground.memory.writes) == 1 + (vendor == "github")


@pytest.mark.parametrize("vendor", MODELS)
def test_haste_and_breakdowns_are_passing(ground: Ground, vendor: str) -> None:
    """429 says when to come back, 500 that it may work later; the key is untouched meanwhile."""
    name, secret = ground.leak(vendor)
    ground.ring.throttled[vendor] = (1, 7)
    with ground.open(vendor) as client:
        with pytest.raises(ThrottledError) as hasty:
            client.end(name, secret)
        ground.memory.faults["vendor_errors"] = {vendor: {"times": 1, "status": 500}}
        with pytest.raises(TransientError):
            client.end(name, secret)
        alive = client.accepts(secret)

    assert hasty.value.retry_after == 7
    assert alive


@pytest.mark.parametrize("vendor", MODELS)
def test_a_missing_permission_is_named(ground: Ground, vendor: str) -> None:
    """A token that may not end keys is told what it lacks, and neither secret stands in the error."""
    name, secret = ground.leak(vendor)
    ground.ring.forbidden[vendor] = "tokens:basic" if vendor == "slack" else "it"
    with ground.open(vendor) as client, pytest.raises(RefusedError) as refused:
        client.end(name, secret if vendor == "slack" else None)

    assert refused.value.then.startswith(("give the token ", "give the app the scope tokens:basic"))
    assert secret.get_secret_value() not in str(refused.value)
    assert os.environ["A_TOKEN"] not in str(refused.value)


@pytest.mark.parametrize("vendor", LISTS)
def test_a_list_that_is_forbidden_says_what_it_needs(ground: Ground, vendor: str) -> None:
    """Without the permission to read there is no empty list, but an error that names it."""
    ground.ring.forbidden[vendor] = "it"
    with ground.open(vendor) as client, pytest.raises(RefusedError) as refused:
        client.listed()

    assert refused.value.then.startswith("give the token ")


@pytest.mark.parametrize("vendor", MODELS)
def test_a_key_that_still_works_is_seen(ground: Ground, vendor: str) -> None:
    """A vendor that says "done" and does nothing is caught by trying the key."""
    name, secret = ground.leak(vendor)
    ground.ring.stubborn.add(vendor)
    with ground.open(vendor) as client:
        client.end(name, secret)

        assert client.accepts(secret)


def test_a_key_that_may_do_little_is_alive(ground: Ground) -> None:
    """403 is about a permission, not about the key: it does not count as dead."""
    _, secret = ground.leak("stripe")
    ground.memory.faults["vendor_errors"] = {"stripe": {"times": 1, "status": 403}}
    with ground.open("stripe") as client:
        assert client.accepts(secret)


def test_datadog_lists_all_pages(ground: Ground) -> None:
    """More keys than one page holds are all listed, both kinds, and listed again."""
    for number in range(230):
        ground.ring.mint("datadog", f"api-key:{number}", secrets.token_hex(16))
    ground.ring.mint("datadog", "application-key:a", secrets.token_hex(20))
    with ground.open("datadog") as client:
        first, again = client.listed(), client.listed()

    assert first is not None
    assert len(first) == 231
    assert first == again


def test_slack_needs_the_token_itself(ground: Ground) -> None:
    """Without its value nobody can end a token of Slack's; the error says what to add."""
    with ground.open("slack") as client, pytest.raises(ProtocolError, match="add `secret` to this key"):
        client.end("bot", None)


@pytest.fixture
def hub(ground: Ground) -> Iterator[GitHubKeyVendor]:
    """GitHub, as the client of its own."""
    with ground.open("github") as client:
        assert isinstance(client, GitHubKeyVendor)
        yield client


def test_a_thousand_and_one_tokens_take_two_calls(ground: Ground, hub: GitHubKeyVendor) -> None:
    """GitHub takes a thousand at a time; all are dead afterwards, and no login of ours was sent."""
    tokens = [github_token() for _ in range(1001)]
    for number, token in enumerate(tokens):
        ground.ring.mint("github", f"leaked-{number}", token)

    calls = hub.revoke([SecretStr(token) for token in tokens])

    assert (calls, ground.ring.revoke_calls) == (2, [1000, 1])
    assert ground.ring.living("github", "leaked-") == []


def test_a_deploy_key_is_deleted(ground: Ground, hub: GitHubKeyVendor) -> None:
    """A deploy key is named by its repository and its number, and is gone from the list afterwards."""
    ground.ring.mint("github", "deploy-key:shop/web:12", "ssh-ed25519 AAAA")
    before = [one.name for one in hub.listed() or ()]

    hub.end("deploy-key:shop/web:12")

    assert before == ["deploy-key:shop/web:12"]
    assert hub.listed() == []


@pytest.mark.parametrize("name", ["app-key:1", "anything"])
def test_what_github_has_no_way_for_is_said(hub: GitHubKeyVendor, name: str) -> None:
    """A key of an App cannot be ended by the API: a person does it."""
    with pytest.raises(ProtocolError, match="by hand"):
        hub.end(name)


@pytest.mark.skipif("CRISIS_LIVE_GITHUB" not in os.environ, reason="set CRISIS_LIVE_GITHUB to GitHub's address")
def test_the_real_github_refuses_an_unknown_token() -> None:
    """Against the real one: a made-up token is refused, and revoking it does no harm."""
    with connect(GitHubKeys(kind="github keys", url=os.environ["CRISIS_LIVE_GITHUB"])) as client:
        assert not client.accepts(SecretStr(github_token()))
