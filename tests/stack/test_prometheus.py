"""Real Prometheus and Alertmanager fire at the shop and start the playbook."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.conftest import Site

PROGRAMS = ("prometheus", "prometheus-alertmanager")

ALERTMANAGER = """
route: {receiver: crisis, group_by: [alertname, service], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: crisis
  webhook_configs:
  - url: %(receiver)s/alerts/alertmanager
    http_config: {authorization: {type: Bearer, credentials: %(token)s}}
"""
PROMETHEUS = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:%(alertmanager)d']}]}]}
rule_files: [rules.yml]
scrape_configs: [{job_name: prober, static_configs: [{targets: ['%(vendors)s']}]}]
"""
RULES = """
groups:
- name: journeys
  rules:
  - alert: JourneyFailing
    expr: crisis_journey_up{service="shop"} == 0
    for: 1s
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.journey }} of {{ $labels.service }} fails"}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def monitoring(site: Site, tmp_path: Path) -> Iterator[None]:
    """Prometheus scraping the prober, and Alertmanager posting to our receiver."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        assert not os.environ.get("CI"), f"{', '.join(missing)} must be installed in CI"
        pytest.skip(f"not installed: {', '.join(missing)}")
    ports = {"prometheus": _free_port(), "alertmanager": _free_port()}
    token = site.world.env["CRISIS_SANDBOX_ALERT_TOKEN"]
    (tmp_path / "am.yml").write_text(ALERTMANAGER % {"receiver": site.stack.receiver, "token": token})
    vendors = site.world.vendors_url.removeprefix("http://")
    (tmp_path / "prom.yml").write_text(PROMETHEUS % {"alertmanager": ports["alertmanager"], "vendors": vendors})
    (tmp_path / "rules.yml").write_text(RULES)
    commands = [
        [
            "prometheus-alertmanager",
            f"--config.file={tmp_path / 'am.yml'}",
            f"--storage.path={tmp_path / 'am'}",
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
            "--cluster.listen-address=",
        ],
        [
            "prometheus",
            f"--config.file={tmp_path / 'prom.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        ],
    ]
    log = (tmp_path / "monitoring.log").open("wb")
    started = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
    yield
    for process in started:
        process.terminate()
        process.wait(timeout=20)
    log.close()


@pytest.mark.skipif(sys.platform != "linux", reason="Debian's packages")
@pytest.mark.usefixtures("monitoring")
def test_a_real_alert_starts_the_playbook(site: Site) -> None:
    """Prometheus sees the journey fail, Alertmanager posts, the playbook runs, the shop is healthy again."""
    site.world.push_bad_release()
    site.decide_when_asked()

    ended = site.wait_for("ended", seconds=90)

    assert ended.body["outcome"] == "recovered"
    assert site.wait_for("alert").body["labels"]["alertname"] == "JourneyFailing"
    assert site.wait_for("alert", "resolved").body["status"] == "resolved"
    started = [entry for entry in site.journal.entries(ended.incident) if entry.kind == "started"]
    assert len(started) == 1
    assert [name for name in site.journal.incidents() if name.startswith("INC-")] == [ended.incident]
