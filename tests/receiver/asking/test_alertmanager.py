"""A real Alertmanager: what it could not deliver, or cut off, is fetched; what is over is told."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from crisis.domain.clock import utc_now, write_time
from crisis.receiver.senders.registry import read_as
from tests.receiver.asking.conftest import LATER, SECRET, Receiver, Watch, Watching, any_port, wait_until

PROGRAM = "prometheus-alertmanager"

CONFIG = """
route:
  receiver: crisis
  group_by: [alertname, service]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
  - {matchers: ['alertname = "Elsewhere"'], receiver: the others}
receivers:
- name: crisis
  webhook_configs:
  - url: %(receiver)s/alerts/alertmanager
    max_alerts: %(most)d
    http_config: {authorization: {type: Bearer, credentials: %(token)s}}
- name: the others
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Debian's packages")


@dataclass
class Alertmanager:
    """A running Alertmanager, and what may be said to it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    began: datetime = field(default_factory=lambda: utc_now() - timedelta(seconds=30))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [
            PROGRAM,
            f"--config.file={self.folder / 'am.yml'}",
            f"--storage.path={self.folder / 'am'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
        with (self.folder / "alertmanager.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False).is_success
        except httpx.RequestError:
            return False

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def fire(self, *journeys: str, over: bool = False, **labels: str) -> None:
        """Post alerts as Prometheus does; its clock has more digits than the API of Alertmanager shows."""
        alerts = [
            {
                "labels": {
                    "alertname": "JourneyFailing", "severity": "critical", "service": "shop", "journey": one, **labels,
                },
                "annotations": {"summary": f"{one} of shop fails"},
                "startsAt": write_time(self.began).replace("Z", "789Z"),
                "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
                **({"endsAt": write_time(utc_now())} if over else {}),
            }
            for one in journeys
        ]  # fmt: skip
        self._post("/api/v2/alerts", alerts)

    def silence(self, journey: str) -> None:
        """Silence the alerts of a journey."""
        matcher = {"name": "journey", "value": journey, "isRegex": False, "isEqual": True}
        span = {"startsAt": write_time(utc_now()), "endsAt": write_time(utc_now() + timedelta(hours=1))}
        self._post("/api/v2/silences", {"matchers": [matcher], **span, "createdBy": "ada", "comment": "at it"})
        wait_until(lambda: "suppressed" in httpx.get(f"{self.url}/api/v2/alerts", trust_env=False).text)

    def _post(self, path: str, body: Any) -> None:
        httpx.post(self.url + path, json=body, trust_env=False).raise_for_status()


@dataclass
class Site:
    """An Alertmanager, the receiver that it posts to, and what is in the inbox."""

    alertmanager: Alertmanager
    receiver: Receiver
    mine: Watch

    def fire(self, *journeys: str, **more: Any) -> None:
        """Let journeys fail, and wait until Alertmanager lists them."""
        self.alertmanager.fire(*journeys, **more)

        def listed() -> bool:
            groups = httpx.get(f"{self.alertmanager.url}/api/v2/alerts/groups", trust_env=False).json()
            shown = {one["labels"]["journey"] for group in groups for one in group["alerts"]}
            return shown.isdisjoint(journeys) if more.get("over") else shown >= set(journeys)

        wait_until(listed)

    def arrive(self, *journeys: str) -> None:
        """Wait until deliveries that name these journeys have come, and have been judged."""
        wait_until(lambda: {one.labels["journey"] for one in self.mine.alerts()} >= set(journeys))
        self.mine.judge()

    def journeys(self, status: str = "firing") -> list[str]:
        """Return the journeys of all alerts in the inbox."""
        return sorted(one.labels["journey"] for one in self.mine.alerts() if one.status == status)


@pytest.fixture
def most() -> int:
    """Return how many alerts a delivery may hold; 0 is all."""
    return 0


@pytest.fixture
def site(watch: Watching, free_port: int, tmp_path: Path, most: int) -> Iterator[Site]:
    """Start an Alertmanager that posts to a receiver, which is down."""
    if shutil.which(PROGRAM) is None:
        assert not os.environ.get("CI"), f"{PROGRAM} must be installed in CI"
        pytest.skip(f"not installed: {PROGRAM}")
    alertmanager = Alertmanager(tmp_path, any_port())
    mine = watch("alertmanager", {"url": alertmanager.url, "receivers": ["crisis"]})
    receiver = Receiver(mine.context, free_port)
    said = {"receiver": receiver.url, "most": most, "token": SECRET}
    (tmp_path / "am.yml").write_text(CONFIG % said, encoding="utf-8")
    alertmanager.start()
    yield Site(alertmanager, receiver, mine)
    alertmanager.stop()
    receiver.down()


def test_what_fired_while_we_were_down_is_fetched(site: Site) -> None:
    """Alerts that Alertmanager could not deliver are read from its list, exactly as it would have sent them."""
    site.fire("login", "checkout")
    report = site.mine.round()
    fetched = site.mine.alerts()
    site.mine.judge()
    site.receiver.up()
    wait_until(lambda: {one.labels["journey"] for one in site.mine.alerts()[2:]} == {"checkout", "login"})
    site.mine.judge()

    assert (report.new, len(fetched)) == (1, 2)
    sent = {one.fingerprint: one for one in site.mine.alerts()[2:]}
    assert {one.fingerprint: one for one in fetched} == sent
    assert {one.starts_at for one in fetched} == {site.alertmanager.began.replace(microsecond=_milli(site))}
    assert [one.url for one in fetched] == ["http://prometheus.example.com/graph?g0.expr=up"] * 2
    (incident,) = site.mine.incidents()
    assert site.mine.context.sightings.total(incident) == 2


def _milli(site: Site) -> int:
    return site.alertmanager.began.microsecond // 1000 * 1000


def test_asking_twice_puts_nothing_twice(site: Site) -> None:
    """Neither the next round nor a restart puts what is there already, before it was judged and after."""
    site.fire("login", "checkout")
    assert site.mine.round().new == 1
    assert site.mine.round(LATER * 2).new == 0
    site.mine.judge()
    assert site.mine.again().round().new == 0
    site.fire("search")

    assert site.mine.again().round().new == 1
    assert site.journeys() == ["checkout", "login", "search"]


@pytest.mark.parametrize("most", [2])
def test_a_list_that_was_cut_off_is_asked_for_in_full(site: Site) -> None:
    """With `max_alerts: 2` five alerts come as two and a number; the other three are fetched at once."""
    site.receiver.up()
    site.fire("login", "checkout", "search", "reviews", "cart")
    wait_until(lambda: any(one["truncatedAlerts"] == 3 for one in site.mine.payloads()))
    site.mine.judge()
    came = site.journeys()
    cut = [read_as("alertmanager", site.mine.rule, one.raw, one.headers).cut for one in site.mine.kept()]
    site.mine.catching.hurry("alertmanager")
    report = site.mine.round()
    site.mine.judge()

    assert 3 in cut
    assert 2 <= len(set(came)) < 5  # Alertmanager may have sent a first list before all five had come to it
    assert report.new >= 1
    assert set(site.journeys()) == {"login", "checkout", "search", "reviews", "cart"}
    assert len(site.mine.alerts()) - len(came) >= 5 - len(set(came))
    (incident,) = site.mine.incidents()
    assert site.mine.context.sightings.firing(incident) == 5


def test_a_cut_off_list_that_cannot_be_asked_for_is_said(watch: Watching) -> None:
    """Without `ask_back` the note of a delivery says how many are missing, and what to do."""
    mine = watch("alertmanager", None, sender="am-eu")
    raw = json.dumps({"version": "4", "alerts": [], "truncatedAlerts": 3}).encode()
    says = "3 alerts were cut off: give alerts.am-eu.ask_back, or raise max_alerts up to 10,000"

    assert read_as("am-eu", mine.rule, raw, {}).notes == (says,)
    mine.catching.hurry("am-eu")
    assert mine.round().told == ()


def test_what_ended_while_we_were_down_is_told(site: Site) -> None:
    """An alert that is not listed any more is put in as resolved, with all that the first delivery said of it."""
    site.receiver.up()
    site.fire("login", "checkout")
    site.arrive("login", "checkout")
    site.receiver.down()
    site.fire("login", over=True)
    report = site.mine.round(LATER)
    (told,) = [one for one in site.mine.alerts() if not one.firing]
    site.mine.judge()

    assert report.new == 1
    assert told.labels["journey"] == "login"
    first = next(one for one in site.mine.alerts() if one.firing and one.labels == told.labels)
    assert (told.fingerprint, told.starts_at, told.group_key) == (first.fingerprint, first.starts_at, first.group_key)
    (incident,) = site.mine.incidents()
    assert site.mine.context.sightings.firing(incident) == 1
    assert site.mine.round(LATER * 3).new == 0


def test_what_has_just_come_is_not_taken_for_over(site: Site) -> None:
    """An alert that came a moment ago may not have reached the replica that is asked."""
    site.receiver.up()
    site.fire("login")
    site.arrive("login")
    site.receiver.down()
    site.fire("login", over=True)

    assert site.mine.round().new == 0


def test_what_is_silenced_is_neither_new_nor_over(site: Site) -> None:
    """A silenced alert still fires: it ends nothing; and one that we never heard of is not told."""
    site.receiver.up()
    site.fire("login")
    site.arrive("login")
    site.receiver.down()
    site.alertmanager.silence("login")
    site.fire("search")
    site.alertmanager.silence("search")

    assert site.mine.round(LATER).new == 0


def test_an_alertmanager_that_has_just_started_ends_nothing(site: Site) -> None:
    """It keeps alerts in memory: what Prometheus has not told it again yet is not over; ten minutes later it is."""
    site.receiver.up()
    site.fire("login")
    site.arrive("login")
    site.alertmanager.stop()
    site.alertmanager.start()

    assert site.mine.round(timedelta(minutes=2)).new == 0
    assert site.mine.round(timedelta(minutes=20)).new == 1
    assert site.journeys("resolved") == ["login"]


def test_alerts_of_other_receivers_are_not_ours(site: Site) -> None:
    """What Alertmanager sends to others is not fetched."""
    site.fire("login", alertname="Elsewhere")

    assert site.mine.round().new == 0


def test_an_alertmanager_that_is_away_is_tried_again_soon(site: Site) -> None:
    """One that cannot be reached is said once, tried again within seconds, and then asked."""
    site.fire("login")
    site.alertmanager.stop()
    (told,) = site.mine.round().told
    assert "no connection" in told.trouble
    site.mine.round(timedelta(seconds=8))
    site.alertmanager.start()
    site.alertmanager.fire("login")

    assert wait_until(lambda: site.mine.round(timedelta(seconds=60)).new) == 1
    assert len(site.mine.notes()) == 2
