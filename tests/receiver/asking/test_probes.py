"""What `crisis check` says of a sender that is to be asked: whether it answers, without changing anything there."""

from collections.abc import Iterator
from typing import Any

import pytest

from crisis.domain.clock import utc_now
from crisis.domain.protocol import Protocol
from crisis.errors import ProtocolError
from crisis.readiness import Finding, check_readiness, vendor_probes
from crisis.receiver.asking.question import Question
from crisis.receiver.senders.registry import kind_named
from tests.clients.servers import Served, Vendor
from tests.receiver.asking.conftest import API_TOKEN, SECRET, Watching
from tests.receiver.asking.hub import Hub, failed_run
from tests.receiver.asking.sentinel import Sentinel


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Start a GitHub."""
    hub = Hub(API_TOKEN, SECRET)
    with Served(hub.app()) as hub.url:
        yield hub


def found(protocol: Protocol) -> Finding:
    """Return what is found about the one sender that is to be asked."""
    probes = [one for one in vendor_probes(protocol) if one.what == "ask back"]
    (finding,) = [one for one in check_readiness(protocol, probes) if one.what == "ask back"]
    return finding


def test_alertmanager_must_have_our_receivers(watch: Watching, vendor: Vendor) -> None:
    """A receiver that Alertmanager does not know would be asked for in vain."""
    place = {"url": vendor.url, "receivers": ["crisis", "crisis-eu"]}
    protocol = watch("alertmanager", place).context.protocol
    vendor.says("GET /api/v2/receivers", [{"name": "crisis"}], [{"name": "crisis"}, {"name": "crisis-eu"}])
    vendor.says("GET /api/v2/alerts/groups", [])
    missing, there = found(protocol), found(protocol)

    assert (missing.ok, missing.says) == (False, "wanted a receiver crisis-eu, saw none of that name")
    assert missing.mend == "mend alerts.alertmanager.ask_back.receivers"
    assert there == Finding("ask back", "alertmanager", ok=True, says="what fires can be listed: 0 groups now")
    assert dict(vendor.asked[-1][1])["receiver"] == r"crisis|crisis\-eu"


def test_grafana_is_asked_at_its_own_place(watch: Watching, vendor: Vendor) -> None:
    """Grafana's own Alertmanager has the same list elsewhere."""
    protocol = watch("grafana", {"url": vendor.url, "receivers": ["crisis"]}).context.protocol
    vendor.says("GET /api/alertmanager/grafana/api/v2/alerts/groups", [])

    assert found(protocol).ok


def test_github_must_have_our_webhook(watch: Watching, hub: Hub) -> None:
    """The webhook is looked for, and its deliveries are listed; nothing is sent again."""
    place = {"url": hub.url, "token": "env:API_TOKEN", "repository": "acme/shop"}
    protocol = watch("github", place).context.protocol
    assert found(protocol).says == "wanted an active webhook to /alerts/github, saw none among 0"
    hub.post_to("http://127.0.0.1:9/alerts/github")
    hub.deliver(failed_run(1))

    assert found(protocol) == Finding("ask back", "github", ok=True, says="the deliveries of our webhook can be listed")
    assert [one for one in hub.asked if one.startswith("POST")] == []


@pytest.mark.parametrize(
    ("there", "says"),
    [(True, "issues can be listed, and metric alerts"), (False, "issues can be listed; it has no metric alerts")],
)
def test_sentry_must_list_issues(there: bool, says: str, watch: Watching) -> None:
    """Whether it has metric alerts as well is said."""
    sentinel = Sentinel(API_TOKEN, has_metric_alerts=there)
    with Served(sentinel.app()) as url:
        place = {"url": url, "token": "env:API_TOKEN", "organization": "acme"}
        protocol = watch("sentry", place).context.protocol

        assert found(protocol) == Finding("ask back", "sentry", ok=True, says=says)


def test_a_token_that_is_refused_is_named(watch: Watching) -> None:
    """What the sender says is shown, and the token is not."""
    with Served(Sentinel("another-token").app()) as url:
        place = {"url": url, "token": "env:API_TOKEN", "organization": "acme"}
        finding = found(watch("sentry", place).context.protocol)

    assert finding.says == "wanted sentry to list issues, saw 401 Invalid token"
    assert finding.mend == "renew the token and look where its reference points"


@pytest.mark.parametrize("kind", ["alertmanager", "github", "grafana", "sentry"])
def test_a_sender_without_a_place_cannot_be_asked(kind: str, watch: Watching) -> None:
    """Whoever asks all the same is told what is missing."""
    rule = watch(kind, None).rule
    asker: Any = kind_named(kind).asker

    with pytest.raises(ProtocolError, match=r"saw none; add alerts\.mine\.ask_back"):
        asker.ask(Question("mine", rule, utc_now(), utc_now()))


def test_basic_authentication_is_shown(watch: Watching, vendor: Vendor) -> None:
    """An Alertmanager behind a name and a password is asked with them."""
    basic = {"user": "crisis", "password": "env:API_TOKEN"}
    protocol = watch("alertmanager", {"url": vendor.url, "receivers": ["crisis"], "basic": basic}).context.protocol
    vendor.says("GET /api/v2/receivers", [{"name": "crisis"}])
    vendor.says("GET /api/v2/alerts/groups", [])

    assert found(protocol).ok
    assert vendor.headers[0]["authorization"].startswith("Basic ")
