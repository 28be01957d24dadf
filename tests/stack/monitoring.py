"""Monitoring: a real Prometheus and a real Alertmanager, over gauges that a test moves."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PROGRAMS = ("prometheus", "prometheus-alertmanager")
_STOP_SECONDS = 20

ALERTMANAGER = """
route: {receiver: crisis, group_by: [alertname, service], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: crisis
  webhook_configs:
  - url: %(receiver)s/alerts/alertmanager
    http_config: {authorization: {credentials: %(token)s}}
"""
PROMETHEUS = """
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:%(alertmanager)s']}]}]}
rule_files: [rules.yml]
scrape_configs:
- {job_name: prober, static_configs: [{targets: [%(targets)s]}]}
"""
RULES = """
groups:
- name: journeys
  rules:
  - alert: JourneyFailing
    expr: crisis_journey_up == 0
    for: 1s
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.journey }} of {{ $labels.service }} fails"}
"""


@dataclass
class Gauges:
    """Journeys as Prometheus scrapes them: up unless a test takes one down."""

    down: set[str] = field(default_factory=set)
    journeys: tuple[str, ...] = ("login", "checkout")

    def text(self) -> str:
        """Return them in Prometheus' text format."""
        return "".join(
            f'crisis_journey_up{{service="shop",journey="{name}"}} {int(name not in self.down)}\n'
            for name in self.journeys
        )


@dataclass
class Monitoring:
    """The two servers, and the means to move what they see."""

    gauges: Gauges
    prometheus: subprocess.Popen[bytes]
    alertmanager: subprocess.Popen[bytes]

    def kill_prometheus(self) -> None:
        """Kill it as a power cut would: nobody tells Alertmanager that it is gone."""
        self.prometheus.send_signal(signal.SIGKILL)
        self.prometheus.wait(_STOP_SECONDS)


@contextmanager
def monitor(folder: Path, receiver: str, token: str, *targets: str) -> Iterator[Monitoring]:
    """Run both over our gauges, or over other targets that have gauges of the same name; skips where not installed."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        assert not os.environ.get("CI"), f"{', '.join(missing)} must be installed in CI"
        pytest.skip(f"not installed: {', '.join(missing)}")
    gauges = Gauges()
    with _serve(gauges) as port, (folder / "monitoring.log").open("wb") as log:
        ports = {"prometheus": free_port(), "alertmanager": free_port()}
        named = ", ".join(f"'{target}'" for target in targets or (f"127.0.0.1:{port}",))
        (folder / "am.yml").write_text(ALERTMANAGER % {"receiver": receiver, "token": token})
        (folder / "prom.yml").write_text(PROMETHEUS % {"alertmanager": ports["alertmanager"], "targets": named})
        (folder / "rules.yml").write_text(RULES)
        alertmanager = [
            "prometheus-alertmanager",
            f"--config.file={folder / 'am.yml'}",
            f"--storage.path={folder / 'am'}",
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
            "--cluster.listen-address=",
        ]
        prometheus = [
            "prometheus",
            f"--config.file={folder / 'prom.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
            # An alert counts as over when nothing is heard of it for four times this long.
            "--rules.alert.resend-delay=1s",
        ]
        both = [subprocess.Popen(command, stdout=log, stderr=log) for command in (prometheus, alertmanager)]
        try:
            yield Monitoring(gauges, both[0], both[1])
        finally:
            for process in both:
                process.terminate()
                process.wait(_STOP_SECONDS)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _serve(gauges: Gauges) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = gauges.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: Prometheus asks twice a second."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
