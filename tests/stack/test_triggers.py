"""Ways to start a playbook besides an alert: the command line, the Prefect UI, a schedule."""

import subprocess
import sys
from typing import Any

import httpx

from tests.stack.conftest import Site


def _crisis(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crisis", *words]
    return subprocess.run(
        command,
        env=site.stack.environment,
        cwd=site.stack.project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _deployment(site: Site, name: str) -> dict[str, Any]:
    where = f"{site.stack.prefect}/api/deployments/name/{name}/{name}"
    return dict(httpx.get(where, trust_env=False).raise_for_status().json())


def test_the_command_line_starts_a_run(site: Site) -> None:
    """`crisis run` creates a run of the deployment; who started it cannot approve it."""
    bad = site.world.push_bad_release()
    site.world.wait_until(lambda state: state["serving"] == bad, seconds=30)
    done = _crisis(site, "run", "bad-deploy", "--service", "shop", "--summary", "checkout fails", "--requester", "ada")
    assert done.returncode == 0, done.stderr
    asked = site.wait_for("asked")
    site.decide("ben")

    ended = site.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    assert asked.body["people"] == ["ben"]
    assert site.wait_for("opened").body["source"] == "command line"


def test_the_prefect_form_offers_the_known_services(lasting_site: Site) -> None:
    """The quick run in the Prefect UI has the services as a choice and needs nothing else."""
    schema = _deployment(lasting_site, "bad-deploy")["parameter_openapi_schema"]

    assert schema["properties"]["service"]["enum"] == ["shop"]
    assert schema["required"] == ["service"]


def test_a_quick_run_from_the_prefect_ui_works(site: Site) -> None:
    """A run with nothing but the service opens an incident of its own."""
    bad = site.world.push_bad_release()
    site.world.wait_until(lambda state: state["serving"] == bad, seconds=30)
    where = f"{site.stack.prefect}/api/deployments/{_deployment(site, 'bad-deploy')['id']}/create_flow_run"
    httpx.post(where, json={"parameters": {"service": "shop"}}, trust_env=False).raise_for_status()
    site.decide_when_asked()

    ended = site.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    assert site.world.state()["switches"]["mode"] == "normal"


def test_an_unknown_service_is_one_line_with_the_known_ones(lasting_site: Site) -> None:
    """Nothing starts; the command ends 2 and names the services there are."""
    done = _crisis(lasting_site, "run", "bad-deploy", "--service", "shpo")

    assert done.returncode == 2
    assert done.stderr.strip() == "crisis: service 'shpo': wanted one of: shop, saw an unknown one"


def test_an_unknown_playbook_is_one_line_with_the_known_ones(lasting_site: Site) -> None:
    """Nothing starts; the command ends 2 and names the playbooks there are."""
    done = _crisis(lasting_site, "run", "bad-depoly", "--service", "shop")

    assert done.returncode == 2
    assert "wanted one of: bad-deploy, check-health, disclosure, drill, hand-over" in done.stderr


def test_a_schedule_starts_a_drill(lasting_site: Site) -> None:
    """prefect.yaml's weekly drill is a real cron schedule of a real deployment."""
    where = f"{lasting_site.stack.prefect}/api/deployments/{_deployment(lasting_site, 'drill')['id']}/schedules"
    slots = {"schedule": {"cron": "0 10 * * 2", "timezone": "UTC"}, "active": True}

    made = httpx.post(where, json=[slots], trust_env=False)

    assert made.status_code == 201
    httpx.delete(f"{where}/{made.json()[0]['id']}", trust_env=False).raise_for_status()
