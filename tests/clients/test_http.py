"""The seam to web APIs turns every failure into ours, once, and without a secret."""

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse

from crisis.clients.http import Api, ThrottledError
from crisis.errors import ProtocolError, RefusedError, TransientError
from tests.clients.servers import Vendor

TOKEN = "tok-4711-secret"
ASKING: Any = {"operation": "read a thing", "target": "thing"}


@pytest.fixture
def api(vendor: Vendor) -> Iterator[Api]:
    """Open the vendor's API with a token."""
    with Api("acme", vendor.url, bearer=SecretStr(TOKEN), timeout=2) as api:
        yield api


def test_the_token_goes_out(api: Api, vendor: Vendor) -> None:
    """The token is sent as a bearer."""
    vendor.says("GET /thing", {"name": "mug"})

    assert api.ask("GET", "/thing", lambda body: body["name"], **ASKING) == "mug"
    assert vendor.headers[0]["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_trouble_that_passes_is_transient(api: Api, vendor: Vendor, status: int) -> None:
    """Statuses that may be gone on the next try are transient."""
    vendor.says("GET /thing", (status, {"message": "busy"}))

    with pytest.raises(TransientError, match=f"thing: wanted acme to read a thing, saw {status} busy; try again"):
        api.get("/thing", **ASKING)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422])
def test_a_no_is_refused(api: Api, vendor: Vendor, status: int) -> None:
    """Other statuses that were not asked for are a no."""
    vendor.says("GET /thing", (status, {"error": {"message": "no such\n thing"}}))

    with pytest.raises(RefusedError, match=f"saw {status} no such thing; ") as refusal:
        api.get("/thing", **ASKING)

    assert (refusal.value.vendor, refusal.value.operation, refusal.value.target) == ("acme", "read a thing", "thing")


def test_a_page_instead_of_an_answer_is_not_shown(api: Api, vendor: Vendor) -> None:
    """A proxy's error page brings its status and none of its text."""
    vendor.says("GET /thing", (502, "<html>proxy</html>"))

    with pytest.raises(TransientError, match="saw 502; try again"):
        api.get("/thing", **ASKING)


def test_a_status_that_was_asked_for_is_an_answer(api: Api) -> None:
    """A caller that can use a 404 gets it."""
    assert api.get("/nothing", ok=(200, 404), **ASKING).status_code == 404


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_is_kept(api: Api, vendor: Vendor, status: int) -> None:
    """When the vendor says when to come back, the error says it too, even across a process boundary."""
    vendor.says("GET /thing", JSONResponse({}, status, headers={"Retry-After": "17"}))

    with pytest.raises(ThrottledError, match="try again in 17 s") as error:
        api.get("/thing", **ASKING)

    assert pickle.loads(pickle.dumps(error.value)).retry_after == 17  # noqa: S301


def test_a_spent_limit_spelled_as_403_is_transient(api: Api, vendor: Vendor) -> None:
    """A 403 that counts no requests left is no refusal."""
    vendor.says("GET /thing", JSONResponse({}, 403, headers={"x-ratelimit-remaining": "0"}))

    with pytest.raises(TransientError):
        api.get("/thing", **ASKING)


def test_nobody_there_is_transient(nowhere: str) -> None:
    """A refused connection may work on the next try, and the error names no address."""
    with Api("acme", nowhere) as api, pytest.raises(TransientError, match="no connection") as error:
        api.get("/thing", **ASKING)

    assert "127.0.0.1" not in str(error.value)


def test_silence_is_transient(silence: str) -> None:
    """A server that accepts and never answers is left after the time-out."""
    with Api("acme", silence, timeout=0.2) as api, pytest.raises(TransientError, match="no answer in time"):
        api.get("/thing", **ASKING)


def test_an_echoed_secret_is_struck_out(api: Api, vendor: Vendor) -> None:
    """A vendor that repeats the token, or an address, does not bring it into our log."""
    vendor.says("GET /thing", (400, {"message": f"bad {TOKEN} at https://user:pw@host/x"}))

    with pytest.raises(RefusedError, match=r"bad \*\*\* at \(address\)") as refusal:
        api.get("/thing", **ASKING)

    assert TOKEN not in repr(refusal.value) + repr(api) + str(refusal.value.__dict__)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize("body", ["<html>", '["mug"]', "{}", '{"name": null}'])
def test_an_answer_of_another_shape_is_refused(api: Api, vendor: Vendor, body: str) -> None:
    """A page where JSON was promised is not half understood."""
    vendor.says("GET /thing", body)

    with pytest.raises(RefusedError, match="another shape"):
        api.ask("GET", "/thing", lambda body: body["name"].upper(), **ASKING)


@pytest.mark.parametrize("token", ["töken", "line\nbreak"])
def test_a_token_http_cannot_carry_is_our_mistake(vendor: Vendor, token: str) -> None:
    """A token with stray characters is named as such and not shown."""
    with pytest.raises(ProtocolError) as error, Api("acme", vendor.url, bearer=SecretStr(token)) as api:
        api.get("/thing", **ASKING)

    assert token not in str(error.value)
    assert error.value.__context__ is None


def test_an_address_that_is_none_is_our_mistake() -> None:
    """An address of another kind is refused before anything is sent."""
    with Api("acme", "ftp://host") as api, pytest.raises(ProtocolError):
        api.get("/thing", **ASKING)
