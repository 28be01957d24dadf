"""Legal clocks in a whole stack: they run for months without a process, and their alarms come after anything."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from crisis.domain.clock import utc_now, write_time
from crisis.domain.incident import fold_incident
from crisis.engine.booth import Booth
from crisis.engine.links import link_for
from crisis.engine.run import PARKED
from crisis.engine.stating import Person, file_receipt, state_facts
from crisis.law import library_of
from crisis.protocol_file import load_protocol
from crisis.settings import Settings
from tests.stack.conftest import Site

pytestmark = pytest.mark.timeout(300)

LAW = {
    "jurisdictions": ["EU"],
    "roles": ["controller"],
    "not_roles": [
        "processor", "nis2-entity", "nis2-trust-provider", "trust-service-provider", "qualified-trust-provider",
        "dora-financial-entity", "product-manufacturer", "eu-telecom-provider",
    ],
    "counsel": ["cleo"],
}  # fmt: skip
BREACH = {"personal_data": "yes", "risk": "risk", "people": "DE 40, elsewhere 0", "breach_of": "confidentiality"}


@pytest.fixture
def edit() -> Callable[[dict[str, Any]], None]:
    """A company of the union, whose counsel is Cleo."""
    return lambda protocol: protocol.update(law=LAW)


@pytest.fixture
def embedded() -> bool:
    """Prefect is killed with all the rest."""
    return True


def _booth(site: Site, monkeypatch: pytest.MonkeyPatch) -> tuple[Booth, Settings]:
    for name, value in site.world.env.items():
        monkeypatch.setenv(name, value)
    settings = Settings(home=site.stack.home, protocol=site.stack.home.parent / "protocol.yaml")
    return Booth.of(site.journal, load_protocol(settings.protocol_file), settings), settings


def _start(site: Site) -> str:
    """Start the playbook as a person does; return the incident."""
    api = f"{site.stack.prefect}/api"
    with httpx.Client(base_url=api, trust_env=False, timeout=15) as client:
        found = client.get("/deployments/name/disclosure/disclosure").raise_for_status().json()
        body = {"parameters": {"service": "shop", "level": 1}, "state": {"type": "SCHEDULED"}}
        client.post(f"/deployments/{found['id']}/create_flow_run", json=body).raise_for_status()
    return site.incident()


def _told(site: Site) -> list[str]:
    return [one["body"] for one in site.world.state()["messages"] if "The law's time runs out" in one["body"]]


def test_an_alarm_comes_after_everything_was_restarted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed with -9 while no process waits; half of 72 hours is gone, and counsel hears of it, once."""
    incident = _start(site)
    site.wait_for("put aside")
    booth, settings = _booth(site, monkeypatch)
    kinds = library_of(booth.protocol, settings.protocol_file).kinds
    detected = utc_now() - timedelta(hours=36) + timedelta(seconds=45)
    said = {**BREACH, "detected": write_time(detected)}
    state_facts(booth, incident, said, Person("cleo", site.world.one_time_code("cleo")), "the log of the proxy", kinds)
    aside = site.wait_for("put aside", "fact stated")
    run = aside.run
    site.wait(lambda: sum(one.kind == "put aside" for one in site.journal.entries(incident)) > 1)
    site.wait(lambda: (lease := site.leases.find(run)) is not None and lease.ended == PARKED)
    before = _told(site)
    site.stack.kill()
    site.stack.start()
    told = site.wait(lambda: _told(site), seconds=120)

    assert before == []
    assert utc_now() >= detected + timedelta(hours=36)
    assert "Notification to the supervisory authority (General Data Protection Regulation) until" in told[0]
    room = httpx.get(
        link_for(Settings(home=site.stack.home, public_url=site.stack.receiver), "cleo", incident),
        trust_env=False, follow_redirects=True, timeout=30,
    )  # fmt: skip
    assert "Legal clocks" in room.text
    site.wait(lambda: site.journal.entries(incident)[-1].kind == "put aside")
    assert len(_told(site)) == 1
    assert fold_incident(incident, site.journal.entries(incident)).ended_at is None


def test_once_everything_is_on_record_it_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt of the only notice that applies brings the run back, and it ends as told."""
    incident = _start(site)
    site.wait_for("put aside")
    booth, settings = _booth(site, monkeypatch)
    kinds = library_of(booth.protocol, settings.protocol_file).kinds
    now = utc_now()
    said = {**BREACH, "detected": write_time(now), "aware": write_time(now), "fix_available": "never"}
    state_facts(booth, incident, said, Person("cleo", site.world.one_time_code("cleo")), "the log of the proxy", kinds)
    site.wait(lambda: sum(one.kind == "put aside" for one in site.journal.entries(incident)) > 1)
    dan = Person("dan", site.world.one_time_code("dan"))
    file_receipt(booth, incident, "eu-gdpr-33", utc_now(), "case 12345 of the authority", dan)
    ended = site.wait_for("ended")

    assert (ended.body["outcome"], ended.body["says"]) == ("told", "every notice that applies is on record")
