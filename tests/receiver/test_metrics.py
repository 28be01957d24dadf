"""What Prometheus may know: our own names as labels, what stands in the store, and nobody from outside."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from crisis.domain.alerting import Storm
from crisis.domain.clock import utc_now, write_time
from crisis.journal.inbox import JOINED, Delivery
from crisis.journal.store import Journal
from crisis.receiver.context import Context
from tests.domain.story import INCIDENT
from tests.receiver.conftest import TOKEN, damage, served
from tests.receiver.payloads import alert, delivery

BEARER = {"Authorization": f"Bearer {TOKEN}"}
METRICS_TOKEN = "a-token-for-prometheus"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_of(page: str) -> Samples:
    """Read a page of metrics."""
    found = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}


def scrape(context: Context, *before: tuple[str, str, dict[str, Any]]) -> Samples:
    """Send these requests to a receiver, then return its metrics."""

    async def visit() -> str:
        async with served(context) as client:
            for method, path, parts in before:
                await client.request(method, path, **parts)
            answer = await client.get("/metrics")
            assert answer.status_code == 200
            return answer.text

    return samples_of(asyncio.run(visit()))


def ask(context: Context, host: str = "127.0.0.1", **headers: str) -> httpx.Response:
    """Ask a receiver for its metrics from some address."""
    wire = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}

    async def visit() -> httpx.Response:
        async with served(context, host) as client:
            return await client.get("/metrics", headers=wire)

    return asyncio.run(visit())


def label(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Name a sample."""
    return name, tuple(sorted(labels.items()))


def test_answers_are_counted_by_sender(context: Context) -> None:
    """Every answer counts once, with how long it took; those that are refused as well."""
    good = ("POST", "/alerts/alertmanager", {"content": delivery(), "headers": BEARER})
    bad = ("POST", "/alerts/alertmanager", {"content": b"{", "headers": BEARER})
    found = scrape(context, good, good, bad, ("POST", "/alerts/alertmanager", {"content": delivery()}))

    counts = {answer: found[label("crisis_deliveries_total", sender="alertmanager", answer=answer)] for answer in
              ("202", "400", "401", "503")}  # fmt: skip
    assert counts == {"202": 2, "400": 1, "401": 1, "503": 0}
    assert found[label("crisis_delivery_seconds_count")] == 4
    assert found[label("crisis_inbox", state="new")] == 1


def test_stranger_makes_no_labels(context: Context) -> None:
    """Whatever name somebody posts to, it is counted as unknown."""
    few = scrape(context, ("POST", "/alerts/eve", {"content": b""}))
    many = scrape(context, *(("POST", f"/alerts/eve-{n}{'x' * n}/{n}", {"content": b""}) for n in range(100)))

    assert few.keys() == many.keys()
    assert many[label("crisis_deliveries_total", sender="unknown", answer="401")] == 100
    assert not [name for name, labels in many if "eve" in str(labels)]


def test_lost_store_is_counted_and_spoils_no_scrape(context: Context) -> None:
    """While the journal is away the scrape still tells of the answers, and that it is away."""
    damage(context, "ALTER TABLE inbox RENAME TO elsewhere")
    found = scrape(context, ("POST", "/alerts/alertmanager", {"content": delivery(), "headers": BEARER}))

    assert found[label("crisis_deliveries_total", sender="alertmanager", answer="503")] == 1
    assert found[label("crisis_deliveries_turned_away_total", short_of="store")] == 1
    assert found[label("crisis_store_readable")] == 0
    assert label("crisis_inbox", state="new") not in found


def test_inbox_is_shown_by_state_and_age(context: Context) -> None:
    """How many deliveries are in each state, and since when the oldest waits to be looked at."""
    old = write_time(utc_now() - timedelta(seconds=90))
    context.inbox.put_all([Delivery(f"d{n}", "alertmanager", old, b"{}") for n in range(3)])
    context.inbox.settle("d0", JOINED, "it joined")
    found = scrape(context)

    assert found[label("crisis_inbox", state="new")] == 2
    assert found[label("crisis_inbox", state="joined")] == 1
    assert found[label("crisis_inbox", state="held")] == 0
    assert 90 <= found[label("crisis_inbox_oldest_new_seconds")] < 120
    assert found[label("crisis_store_readable")] == 1


def open_incident(journal: Journal, name: str, playbook: str, level: int) -> None:
    """Open an incident by hand."""
    about = {"service": "shop", "playbook": playbook, "source": "cli", "requester": "", "summary": "it is broken"}
    journal.append(name, "opened", "cli", {**about, "drill": False}, key="opened")
    journal.append(name, "level", "responder", {"level": level, "because": "it fails"})


def test_open_incidents_are_shown_by_level_and_playbook(context: Context, journal: Journal) -> None:
    """Those that ended do not count; one that cannot be read hides no other; a change shows at the next scrape."""
    open_incident(journal, INCIDENT, "bad-deploy", 1)
    open_incident(journal, "INC-20261124-000001", "bad-deploy", 2)
    open_incident(journal, "INC-20261124-000002", "degraded", 2)
    open_incident(journal, "INC-20261124-000003", "degraded", 2)
    journal.append("INC-20261124-000003", "level", "responder", {"level": "no number"})

    async def visit() -> list[Samples]:
        async with served(context) as client:
            first = (await client.get("/metrics")).text
            journal.append(INCIDENT, "ended", "responder", {"outcome": "recovered"})
            return [samples_of(first), samples_of((await client.get("/metrics")).text)]

    before, after = asyncio.run(visit())
    opened = {key[1]: value for key, value in before.items() if key[0] == "crisis_incidents_open"}

    assert opened == {
        label("", level="1", playbook="bad-deploy")[1]: 1,
        label("", level="2", playbook="bad-deploy")[1]: 1,
        label("", level="2", playbook="degraded")[1]: 1,
    }
    assert label("crisis_incidents_open", level="1", playbook="bad-deploy") not in after


def test_storm_is_shown(context: Context) -> None:
    """It is 1 from the group that is one too many until it has been calm for a while."""
    intake = context.protocol.intake.model_copy(update={"storm": Storm(groups=2)})
    stormy = replace(context, protocol=context.protocol.model_copy(update={"intake": intake}))
    calm = scrape(stormy)[label("crisis_storm")]
    for group in ("a", "b", "c"):
        stormy.storm.saw(group, utc_now())

    assert calm == 0
    assert scrape(stormy)[label("crisis_storm")] == 1


def test_process_loops_and_build_are_shown(context: Context) -> None:
    """Memory, open files, when each loop last came round, and which version this is."""
    found = scrape(context)

    assert found[label("process_resident_memory_bytes")] > 10_000_000
    assert found[label("process_open_fds")] > 3
    assert 0 <= found[label("crisis_loop_age_seconds", loop="inbox")] < 60
    assert [name for name, _ in found if name == "crisis_build_info"]


def test_only_this_machine_may_look(context: Context) -> None:
    """Without a token somebody elsewhere is told what to set, in one line."""
    answer = ask(context, "10.0.0.5")

    assert answer.status_code == 403
    assert answer.text.count("\n") == 1
    assert "CRISIS_METRICS_TOKEN" in answer.text
    assert ask(context).status_code == 200
    assert ask(context, "::1", Host="[::1]:4280").status_code == 200
    assert ask(context, "::ffff:127.0.0.1", Host="localhost:4280").status_code == 200
    assert ask(context, "::ffff:10.0.0.5").status_code == 403


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "x-forwarded-anything", "X-Real-Ip", "Via"],
)
def test_proxy_on_this_machine_is_not_this_machine(context: Context, header: str) -> None:
    """What a proxy hands on comes from anybody, even though the proxy is next to us."""
    assert ask(context, **{header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("host", ["crisis.example.com", "10.0.0.5:4280", "localhost.example.com", "[::1", "", "[]"])
def test_other_name_is_not_this_machine(context: Context, host: str) -> None:
    """A proxy that hides itself still passes on the name that it was asked by; a browser may be led here by one."""
    assert ask(context, Host=host).status_code == 403


def test_token_opens_from_everywhere(context: Context) -> None:
    """With a token it alone counts, whoever asks and through whatever proxy."""
    settings = context.settings.model_copy(update={"metrics_token": SecretStr(METRICS_TOKEN)})
    guarded = replace(context, settings=settings)
    shown = f"Bearer {METRICS_TOKEN}"

    assert ask(guarded, "10.0.0.5", Authorization=shown, X_Forwarded_For="1.2.3.4", Host="x").status_code == 200
    assert ask(guarded, Authorization=shown.replace("Bearer", "bearer")).status_code == 200
    for wrong in ("", "Bearer", "Bearer ", f"{shown}x", METRICS_TOKEN, f"Basic {METRICS_TOKEN}", "Bearer \xe4"):
        answer = ask(guarded, **({"Authorization": wrong} if wrong else {}))
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert METRICS_TOKEN not in answer.text


def test_openmetrics_is_spoken_to_who_asks_for_it(context: Context) -> None:
    """Prometheus says which format it prefers."""
    answer = ask(context, Accept="application/openmetrics-text; version=1.0.0")

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_thousand_alerts_of_one_delivery_are_one_delivery(context: Context) -> None:
    """What is counted are deliveries, not what stands in them."""
    raw = delivery(*(alert(fingerprint=f"{n:016x}") for n in range(1000)))
    found = scrape(context, ("POST", "/alerts/alertmanager", {"content": raw, "headers": BEARER}))

    assert found[label("crisis_deliveries_total", sender="alertmanager", answer="202")] == 1


def test_how_to_names_what_there_is(context: Context, journal: Journal, project: Path) -> None:
    """Each metric that the how-to names is on the page, and each of ours on the page is in the how-to."""
    open_incident(journal, INCIDENT, "bad-deploy", 1)
    page = ask(context).text
    text = (project / "docs" / "how-to" / "monitor-crisis-protocols.md").read_text(encoding="utf-8")
    ours = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE crisis_")}
    ours = {name for name in ours if not name.endswith("_created")}
    named = {name.removesuffix("_bucket") for name in re.findall(r"crisis_[a-z_]+[a-z]", text)}

    assert named == ours
    assert not [line for line in page.splitlines() if line.startswith("# HELP") and len(line.split()) < 4]
