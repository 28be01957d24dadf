"""Twilio: what goes out, and how a caller sees what went out before."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from crisis.clients import twilio
from crisis.domain.protocol import Messages
from crisis.errors import RefusedError
from tests.clients.servers import Vendor

ROOT = "/2010-04-01/Accounts/AC123"
ADA = "+15005550101"


@pytest.fixture
def client(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[twilio.Twilio]:
    """Open the account as the protocol says."""
    monkeypatch.setenv("A_SID", "AC123")
    monkeypatch.setenv("A_TOKEN", "tw-secret")
    messages = Messages(by="twilio", url=vendor.url, account="env:A_SID", token="env:A_TOKEN", sender="+15005550006")
    with twilio.connect(messages) as client:
        yield client


def test_a_message_goes_out(client: twilio.Twilio, vendor: Vendor) -> None:
    """Sender, receiver and text are sent as a form, with the account's name and token."""
    vendor.says(f"POST {ROOT}/Messages.json", (201, {"sid": "SM1"}))

    assert client.send(ADA, "[INC-1 recovered] Checkout works") == "SM1"

    form = parse_qs(vendor.bodies(f"POST {ROOT}/Messages.json")[0])
    assert form == {"To": [ADA], "From": ["+15005550006"], "Body": ["[INC-1 recovered] Checkout works"]}
    assert vendor.headers[0]["authorization"] == f"Basic {b64encode(b'AC123:tw-secret').decode()}"


def test_a_long_message_is_cut(client: twilio.Twilio, vendor: Vendor) -> None:
    """A text that Twilio would refuse arrives shortened instead."""
    vendor.says(f"POST {ROOT}/Messages.json", (201, {"sid": "SM1"}))

    client.send(ADA, "x" * 2000)

    assert len(parse_qs(vendor.bodies(f"POST {ROOT}/Messages.json")[0])["Body"][0]) == 1600


def test_messages_are_listed_over_pages(client: twilio.Twilio, vendor: Vendor) -> None:
    """All pages are read, and what failed does not count as sent."""
    first = {"sid": "SM2", "body": "[INC-1 began]", "status": "delivered"}
    failed = {"sid": "SM1", "body": "[INC-1 recovered]", "status": "failed"}
    older = {"sid": "SM0", "body": None, "status": "sent"}
    after = f"{ROOT}/Messages.json?To=x&Page=1"
    vendor.says(
        f"GET {ROOT}/Messages.json",
        {"messages": [first, failed], "next_page_uri": after},
        {"messages": [older], "next_page_uri": None},
    )

    assert client.messages(ADA) == [("SM2", "[INC-1 began]"), ("SM0", "")]
    assert vendor.asked[0][1]["To"] == ADA
    assert vendor.asked[1][1] == {"To": "x", "Page": "1"}


def test_an_endless_list_is_left(client: twilio.Twilio, vendor: Vendor) -> None:
    """Pages that never end are left after five."""
    vendor.says(f"GET {ROOT}/Messages.json", {"messages": [], "next_page_uri": f"{ROOT}/Messages.json?Page=1"})

    assert client.messages(ADA) == []
    assert len(vendor.asked) == 5


def test_a_call_says_its_text(client: twilio.Twilio, vendor: Vendor) -> None:
    """The text is spoken as it is, whatever XML would make of it."""
    vendor.says(f"POST {ROOT}/Calls.json", (201, {"sid": "CA1"}))

    assert client.call(ADA, "p95 < 3 s & rising\x07") == "CA1"

    form = parse_qs(vendor.bodies(f"POST {ROOT}/Calls.json")[0])
    assert form["Twiml"] == ["<Response><Say>p95 &lt; 3 s &amp; rising </Say></Response>"]
    assert "Url" not in form


def test_calls_are_listed_with_their_time(client: twilio.Twilio, vendor: Vendor) -> None:
    """A call has no text, so its time tells whether it was ours."""
    call = {"sid": "CA1", "date_created": "Tue, 24 Nov 2026 10:00:00 +0000", "status": "completed"}
    vendor.says(f"GET {ROOT}/Calls.json", {"calls": [call]})

    assert client.calls(ADA) == [("CA1", datetime(2026, 11, 24, 10, tzinfo=UTC))]


def test_a_number_that_is_none_is_refused(client: twilio.Twilio, vendor: Vendor) -> None:
    """The error names the number and what Twilio says, and neither account nor token."""
    vendor.says(f"POST {ROOT}/Messages.json", (400, {"code": 21211, "message": "Invalid 'To' for AC123"}))

    with pytest.raises(RefusedError, match=r"\+1555: wanted twilio to send a message, saw 400 Invalid 'To' for \*\*\*"):
        client.send("+1555", "text")

    assert "tw-secret" not in repr(client)
    assert "AC123" not in repr(client)


@pytest.mark.parametrize(("status", "active"), [("active", True), ("suspended", False)])
def test_the_account_says_whether_it_may_send(client: twilio.Twilio, vendor: Vendor, status: str, active: bool) -> None:
    """A suspended account is seen before it is needed."""
    vendor.says(f"GET {ROOT}.json", {"status": status})

    assert client.account_active() is active
