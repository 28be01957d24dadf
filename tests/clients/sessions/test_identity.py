"""Identity vendors: stand-ins over real HTTP that keep sessions, and really refuse them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import TypeAdapter
from starlette.applications import Starlette

from crisis.clients.http import ThrottledError
from crisis.clients.sessions import Holder, canary, connect
from crisis.domain.systems import System
from crisis.errors import ProtocolError, RefusedError, TransientError
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors import auth0, firebase, keycloak, okta
from crisis.sandbox.vendors.directory import Directory
from tests.clients.servers import Served

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PASSWORD = "env:CANARY_PASSWORD"
VENDORS = ["keycloak", "auth0", "okta", "firebase"]


@dataclass
class Building:
    """All four stand-ins, and what each remembers."""

    url: str = ""
    memory: Memory = field(default_factory=Memory)
    directories: dict[str, Directory] = field(default_factory=lambda: {name: Directory() for name in VENDORS})

    def app(self) -> Starlette:
        """Serve them."""
        halls = self.directories
        return Starlette(
            routes=[
                keycloak.mount(self.memory, halls["keycloak"], "crisis", "kc-secret"),
                auth0.mount(self.memory, halls["auth0"], "a0-secret"),
                okta.mount(self.memory, halls["okta"], "ok-secret"),
                firebase.mount(self.memory, halls["firebase"], KEY.public_key()),
            ]
        )


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    """Open all four, each with twelve users who are logged in."""
    built = Building()
    for directory in built.directories.values():
        directory.add(12)
    with Served(built.app()) as url:
        built.url = url
        account = {"client_email": "us@shop", "private_key": PEM, "token_uri": f"{url}/firebase/oauth/token"}
        for name, value in {
            "KC_SECRET": "kc-secret", "A0_TOKEN": "a0-secret", "OK_TOKEN": "ok-secret",
            "CANARY_PASSWORD": "correct horse", "FB_ACCOUNT": json.dumps(account),
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield built


_REFRESH = {"keep": {"refresh": '"refresh_?[Tt]oken": ?"([^"]+)"'}}
CANARIES: dict[str, dict[str, Any]] = {
    "keycloak": {
        "login": [{
            "request": "POST /realms/shop/protocol/openid-connect/token",
            "form": {
                "grant_type": "password", "client_id": "crisis", "client_secret": "env:KC_SECRET",
                "username": "user-1", "password": PASSWORD,
            },
            "keep": {"access": '"access_token": ?"([^"]+)"'},
        }],
        "opens": [{
            "request": "GET /realms/shop/protocol/openid-connect/userinfo",
            "headers": {"Authorization": "Bearer {kept:access}"},
        }],
    },
    "auth0": {
        "login": [{
            "request": "POST /oauth/token",
            "json": {"grant_type": "password", "username": "user-1", "password": PASSWORD}, **_REFRESH,
        }],
        "opens": [{
            "request": "POST /oauth/token",
            "json": {"grant_type": "refresh_token", "refresh_token": "{kept:refresh}"},
            "refused": {"status": [403], "text": "invalid_grant"},
        }],
    },
    "okta": {
        "login": [
            {
                "request": "POST /api/v1/authn", "json": {"username": "user-1", "password": PASSWORD},
                "keep": {"session": '"sessionToken": ?"([^"]+)"'},
            },
            {"request": "GET /login/sessionCookieRedirect?token={kept:session}&redirectUrl=/"},
        ],
        "opens": [{"request": "GET /api/v1/sessions/me", "refused": {"status": [404], "text": "E0000007"}}],
    },
    "firebase": {
        "login": [{
            "request": "POST /v1/accounts:signInWithPassword", "json": {"email": "user-1", "password": PASSWORD},
            **_REFRESH,
        }],
        "opens": [{
            "request": "POST /v1/token",
            "form": {"grant_type": "refresh_token", "refresh_token": "{kept:refresh}"},
            "refused": {"status": [400], "text": "TOKEN_EXPIRED"},
        }],
    },
}  # fmt: skip
"""Each vendor's canary, as protocol.yaml describes it."""


@pytest.fixture
def describe(building: Building) -> Callable[..., Any]:
    """Describe a vendor as protocol.yaml does."""

    def described(vendor: str, **more: Any) -> Any:
        url = f"{building.url}/{vendor}"
        own: dict[str, dict[str, Any]] = {
            "keycloak": {"realm": "shop", "client": "crisis", "secret": "env:KC_SECRET"},
            "auth0": {"token": "env:A0_TOKEN"},
            "okta": {"token": "env:OK_TOKEN"},
            "firebase": {"project": "shop", "account": "env:FB_ACCOUNT"},
        }
        body = {"kind": vendor, "url": url, "canary": {"url": url, **CANARIES[vendor]}, **own[vendor], **more}
        return TypeAdapter(System).validate_python(body)

    return described


def end(system: Holder) -> tuple[int, str]:
    """End everything, as the action does: the not-before time first."""
    with connect(system) as store:
        if store.has_epoch:
            store.set_epoch(4_000_000_000)
        ended = store.end(store.mark(), lambda _count, _says: None)
    return ended.count, ended.note


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_canary_is_refused_afterwards(building: Building, describe: Callable[..., Any], vendor: str) -> None:
    """Each vendor's session works before, and its own server refuses it after; nobody else's lives either."""
    system = describe(vendor)
    jar = canary.take(system.canary, vendor)
    before = canary.judge(system.canary, jar, vendor).says

    count, _ = end(system)

    directory = building.directories[vendor]
    assert (before, canary.judge(system.canary, jar, vendor).says) == ("accepted", "refused")
    assert count == (13 if vendor == "keycloak" else 12)
    assert [one for one in directory.sessions if not (one.tokens_ended or directory.is_stale(one))] == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_look_changes_nothing(building: Building, describe: Callable[..., Any], vendor: str) -> None:
    """Our credential is tried at the vendor, and everybody stays logged in."""
    before = len(building.memory.writes)
    with connect(describe(vendor)) as store:
        says = store.look()

    assert "can be" in says
    assert len(building.memory.writes) == before
    assert [one for one in building.directories[vendor].sessions if one.tokens_ended] == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_that_lies_is_caught_by_the_canary(
    building: Building, describe: Callable[..., Any], vendor: str
) -> None:
    """A server that says yes and ends nothing still opens for the canary."""
    system = describe(vendor)
    jar = canary.take(system.canary, vendor)
    building.directories[vendor].deaf = True

    if vendor == "keycloak":
        with pytest.raises(Exception, match="notBefore"):
            end(system)
    else:
        end(system)

    assert canary.judge(system.canary, jar, vendor).says == "accepted"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_token_that_is_refused_is_a_refusal(
    building: Building, describe: Callable[..., Any], vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong admin secret ends nothing, is not tried again, and is not shown."""
    system = describe(vendor)
    for name in ("KC_SECRET", "A0_TOKEN", "OK_TOKEN"):
        monkeypatch.setenv(name, "wrong-secret")
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "client_email": "us@shop", "private_key": other.decode(), "token_uri": f"{building.url}/firebase/oauth/token",
    }  # fmt: skip
    monkeypatch.setenv("FB_ACCOUNT", json.dumps(account))

    with pytest.raises(RefusedError, match=r"40[01]") as raised:
        end(system)
    with pytest.raises(RefusedError, match=r"40[01]"), connect(system) as store:
        store.look()

    assert "wrong-secret" not in str(raised.value)
    assert [one for one in building.directories[vendor].sessions if one.tokens_ended or one.cookie_ended] == []


@pytest.mark.parametrize("vendor", ["auth0", "okta", "firebase"])
def test_429_is_waited_out(building: Building, describe: Callable[..., Any], vendor: str) -> None:
    """Calls that are refused for a moment are made again, and every user is logged out once."""
    building.directories[vendor].throttle = 3

    count, _ = end(describe(vendor))

    assert count == 12
    assert building.directories[vendor].throttle == 0


def test_a_429_that_asks_for_too_long_is_told(building: Building, describe: Callable[..., Any]) -> None:
    """Who is told to wait for an hour says so instead of waiting."""
    building.directories["okta"].throttle, building.directories["okta"].retry_after = 9, "3600"

    with pytest.raises(ThrottledError, match="try again in 3600 s"):
        end(describe("okta"))


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_answer_that_is_lost_after_the_effect_is_tried_again(
    building: Building, describe: Callable[..., Any], vendor: str
) -> None:
    """A gateway's time-out is transient; the second try ends the same sessions and says so."""
    system = describe(vendor)
    building.memory.faults["vendor_lost_reply"] = {vendor: {"times": 1, "status": 504}}

    with pytest.raises(TransientError, match="504"):
        end(system)
    count, _ = end(system)

    assert count == 12


def test_more_users_than_one_search_shows_are_all_found(building: Building, describe: Callable[..., Any]) -> None:
    """Auth0 shows a thousand users of one search; the others are found by their time."""
    building.directories["auth0"].users.clear()
    building.directories["auth0"].add(1150)

    count, _ = end(describe("auth0"))

    assert count == 1150


@pytest.mark.parametrize(("vendor", "page"), [("okta", 450), ("firebase", 1100)])
def test_every_page_is_read(building: Building, describe: Callable[..., Any], vendor: str, page: int) -> None:
    """Users on later pages are logged out too."""
    building.directories[vendor].add(page)

    count, _ = end(describe(vendor))

    assert count == page + 12


def test_an_application_that_keycloak_cannot_reach_is_named(building: Building, describe: Callable[..., Any]) -> None:
    """The push says whom it did not reach, and so does the note."""
    building.directories["keycloak"].unreached = ["http://billing"]

    _, note = end(describe("keycloak"))

    assert "log out there by hand: http://billing" in note


def test_an_account_that_is_no_key_is_told_by_its_reference(
    describe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the reference and shows nothing of what stands there."""
    monkeypatch.setenv("FB_ACCOUNT", '{"private_key": "hunter2"}')

    with pytest.raises(ProtocolError, match="env:FB_ACCOUNT: wanted a service account's key"):
        end(describe("firebase"))
