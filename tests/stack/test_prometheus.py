"""From a metric to a healthy shop and back: real Prometheus, real Alertmanager, our receiver, every way it can go."""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crisis.domain.clock import utc_now
from crisis.domain.incident import HANDED_OVER, RECOVERED, fold_incident
from crisis.journal.sightings import Sightings
from tests.stack.conftest import Site
from tests.stack.monitoring import Monitoring, monitor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Debian's packages")


@pytest.fixture
def edit(request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], None]:
    """Let a test name the playbook that its alert starts, and its own rules of intake."""
    playbook, intake = getattr(request, "param", ("bad-deploy", {}))

    def change(protocol: dict[str, Any]) -> None:
        protocol["alerts"]["alertmanager"]["routes"][0]["start"] = playbook
        protocol["intake"] = intake

    return change


def token_of(site: Site) -> str:
    """Return the token that the protocol wants of Alertmanager."""
    return site.world.env["CRISIS_SANDBOX_ALERT_TOKEN"]


@pytest.fixture
def monitoring(site: Site, tmp_path: Path) -> Iterator[Monitoring]:
    """Watch gauges that the test moves."""
    with monitor(tmp_path, site.stack.receiver, token_of(site)) as both:
        yield both


def alerts(site: Site, status: str) -> int:
    """Return how many alerts of a status stand in the one incident's chain."""
    chain = site.journal.entries(site.incident())
    return sum(entry.kind == "alert" and entry.body["status"] == status for entry in chain)


def ends(site: Site) -> list[tuple[str, str]]:
    """Return playbook and outcome of every run that has ended, of all incidents."""
    chains = [site.journal.entries(name) for name in site.journal.incidents() if name.startswith("INC-")]
    found = [entry for chain in chains for entry in chain if entry.kind == "ended"]
    return [(entry.body["playbook"], entry.body["outcome"]) for entry in sorted(found, key=lambda one: one.at)]


def test_a_real_alert_starts_the_playbook(site: Site, tmp_path: Path) -> None:
    """Prometheus sees the journey fail, Alertmanager posts, the playbook runs, the shop is healthy again."""
    prober = site.world.vendors_url.removeprefix("http://")
    with monitor(tmp_path, site.stack.receiver, token_of(site), prober):
        site.world.push_bad_release()
        site.decide_when_asked()
        ended = site.wait_for("ended", seconds=90)

        assert ended.body["outcome"] == "recovered"
        assert site.wait_for("alert").body["labels"]["alertname"] == "JourneyFailing"
        assert site.wait_for("alert", "resolved").body["status"] == "resolved"
    started = [entry for entry in site.journal.entries(ended.incident) if entry.kind == "started"]
    assert len(started) == 1
    assert [name for name in site.journal.incidents() if name.startswith("INC-")] == [ended.incident]


@pytest.mark.parametrize("edit", [("hand-over", {})], indirect=True)
def test_the_last_resolution_starts_the_check(site: Site, monitoring: Monitoring) -> None:
    """Two journeys fail, people are told; one works again: nothing; both do: health is proved, and it is over."""
    monitoring.gauges.down = {"login", "checkout"}
    site.wait(lambda: alerts(site, "firing") == 2)
    site.wait(lambda: ends(site) == [("hand-over", HANDED_OVER)])

    monitoring.gauges.down = {"login"}
    site.wait(lambda: alerts(site, "resolved") == 1)
    assert Sightings(site.journal.database).firing(site.incident()) == 1
    assert ends(site) == [("hand-over", HANDED_OVER)]

    monitoring.gauges.down = set()
    site.wait(lambda: alerts(site, "resolved") == 2)
    site.wait(lambda: ends(site) == [("hand-over", HANDED_OVER), ("check-health", RECOVERED)])


@pytest.mark.parametrize("edit", [("hand-over", {})], indirect=True)
def test_a_dead_prometheus_closes_nothing(site: Site, monitoring: Monitoring) -> None:
    """Alertmanager says `resolved` when Prometheus dies; our look finds the shop broken, and people are called."""
    monitoring.gauges.down = {"checkout"}
    site.world.push_bad_release()
    site.wait(lambda: ends(site) == [("hand-over", HANDED_OVER)])
    told = len(site.world.state()["messages"])

    monitoring.kill_prometheus()
    site.wait(lambda: alerts(site, "resolved") == 1)
    site.wait(lambda: ends(site)[1:] == [("check-health", "UnprovenError")], seconds=90)

    assert fold_incident(site.incident(), site.journal.entries(site.incident())).outcome == "UnprovenError"
    assert len(site.world.state()["messages"]) > told


@pytest.mark.parametrize("edit", [("check-health", {"flapping": {"runs": 1}})], indirect=True)
def test_flaps_do_not_start_a_run_each(site: Site, monitoring: Monitoring) -> None:
    """A flap within the minute after the recovery is an echo; the next one after that is handed to people."""
    monitoring.gauges.down = {"checkout"}
    site.wait(lambda: ends(site) == [("check-health", RECOVERED)])
    for number in (1, 2):
        monitoring.gauges.down = set()
        site.wait(lambda number=number: alerts(site, "resolved") == number)  # type: ignore[misc]
        monitoring.gauges.down = {"checkout"}
        site.wait(lambda number=number: alerts(site, "firing") == number + 1)  # type: ignore[misc]
    monitoring.gauges.down = set()
    site.wait(lambda: alerts(site, "resolved") == 3)
    assert ends(site) == [("check-health", RECOVERED)]

    over = fold_incident(site.incident(), site.journal.entries(site.incident())).ended_at
    assert over is not None
    site.wait(lambda: utc_now() > over + timedelta(seconds=61), seconds=70)
    monitoring.gauges.down = {"checkout"}
    site.wait(lambda: ends(site) == [("check-health", RECOVERED), ("hand-over", HANDED_OVER)])


@pytest.mark.parametrize("edit", [("hand-over", {})], indirect=True)
def test_an_alert_waits_for_a_receiver_that_is_down(
    site: Site, monitoring: Monitoring, request: pytest.FixtureRequest
) -> None:
    """Killed before the alert fires and back a while later: Alertmanager tries until then, and one run comes of it."""
    site.stack.kill()
    monitoring.gauges.down = {"checkout"}
    away = 30 if request.config.getoption("--long") else 6
    until = time.monotonic() + away
    site.wait(lambda: time.monotonic() > until, seconds=away + 5)
    site.stack.start()
    site.stack.wait()

    site.wait(lambda: ends(site) == [("hand-over", HANDED_OVER)])
    assert alerts(site, "firing") == 1
