"""Verify: look at production from outside and say only what was seen."""

import time
from dataclasses import dataclass
from datetime import timedelta

from crisis.clients import github, vercel
from crisis.clients.web import Probe, p95
from crisis.domain.clock import say_duration
from crisis.domain.protocol import GitHubReleases, Service
from crisis.engine.look import observation, progress
from crisis.engine.run import current_run
from crisis.errors import UnprovenError
from crisis.settings import read_address, read_reference

JOURNEYS = "crisis/journeys"
"""The commit status that says whether a release passed every primary journey in production."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of production: its commit, and its deployment's id at the vendor."""

    commit: str
    deployment: str

    @property
    def says(self) -> str:
        """The release in one line."""
        return f"last known good is {self.commit[:10]}"


@dataclass(frozen=True, slots=True)
class Served:
    """What production itself says it serves."""

    commit: str

    @property
    def says(self) -> str:
        """The proof in one line."""
        return f"production serves {self.commit[:10]}"


@dataclass(frozen=True, slots=True)
class Health:
    """What a series of rounds from outside saw."""

    rounds: int
    requests: int
    p95: float
    failing: str = ""

    @property
    def says(self) -> str:
        """The rounds in one line."""
        times = say_duration(timedelta(seconds=self.p95))
        return f"{self.rounds} rounds in a row passed from outside, {self.requests} journeys, p95 {times}"


@observation
def find_last_known_good(service: str) -> Release:
    """Find the newest release that passed every journey and is not the one that answers now."""
    entry = current_run().protocol.services[service]
    released = _releases(entry)
    serving = _serving(entry) or next((one.commit for one in released), "")  # a silent one is the newest
    with github.connect(entry.tickets) as marks:
        for release in released:
            if release.commit != serving and marks.commit_status(release.commit, JOURNEYS) == "success":
                return release
    raise UnprovenError(
        f"{service} releases", wanted="one that passed every journey", saw="none", then="roll back by hand, or fix"
    )


@observation
def verify_release(service: str, commit: str) -> Served:
    """Wait until production itself says that it serves a commit; a pipeline's word does not count."""
    entry = current_run().protocol.services[service]
    began, until = time.monotonic(), time.monotonic() + entry.verify.give_up_after.total_seconds()
    serving = ""
    while time.monotonic() < until:
        serving = _serving(entry)
        if serving == commit:
            return Served(commit)
        progress(int(time.monotonic() - began), int(until - began), f"waiting for {commit[:10]} in production")
        time.sleep(0.1)
    then = "the pipeline may say otherwise; look at it by hand" + _word_of_pipeline(entry, commit)
    raise UnprovenError(f"{service} production", wanted=commit[:10], saw=serving[:10] or "no release", then=then)


@observation
def verify_recovery(service: str) -> Health:
    """Probe health and every primary journey until enough rounds in a row pass; behind the maintenance page."""
    entry = current_run().protocol.services[service]
    seen = _rounds_in_a_row(_probe(entry), entry, entry.verify.passes)
    if seen.failing:
        raise UnprovenError(f"{service} health", wanted=f"{entry.verify.passes} good rounds in a row", saw=seen.failing)
    if seen.p95 > entry.verify.p95.total_seconds():
        bound = say_duration(entry.verify.p95)
        saw = f"p95 {say_duration(timedelta(seconds=seen.p95))}"
        raise UnprovenError(f"{service} speed", wanted=f"p95 under {bound}", saw=saw)
    return seen


@observation
def verify_open(service: str) -> Health:
    """Walk every journey as any user would, with the maintenance page gone."""
    return _as_users(service, 1)


@observation
def verify_users(service: str) -> Health:
    """Walk every journey as any user would, until enough rounds in a row pass; a maintenance page is a failure."""
    return _as_users(service, current_run().protocol.services[service].verify.passes)


def affected_services(service: str) -> list[str]:
    """Return the services that the alerts of this incident are about, the given one first."""
    run = current_run()
    told = [str(entry.body.get("service") or "") for entry in run.entries() if entry.kind == "alert"]
    return [one for one in dict.fromkeys([service, *told]) if one in run.protocol.services]


def _as_users(service: str, rounds: int) -> Health:
    entry = current_run().protocol.services[service]
    seen = _rounds_in_a_row(Probe(read_address(entry.url)), entry, rounds)
    if seen.failing:
        raise UnprovenError(f"{service} for users", wanted="every journey to work", saw=seen.failing)
    return seen


def _rounds_in_a_row(probe: Probe, entry: Service, wanted: int) -> Health:
    until = time.monotonic() + entry.verify.give_up_after.total_seconds()
    good, times, failing = 0, list[float](), "no round"
    while time.monotonic() < until:
        failing, seconds = _round(probe, entry)
        good, times = (0, []) if failing else (good + 1, times + seconds)
        if good >= wanted:
            return Health(good, len(times), p95(times))
        progress(good, wanted, f"{good} of {wanted} rounds in a row")
        time.sleep(entry.verify.every.total_seconds())
    return Health(good, len(times), p95(times) if times else 0.0, failing or f"only {good} good rounds in time")


def _round(probe: Probe, entry: Service) -> tuple[str, list[float]]:
    """Walk health and all journeys once; return what failed (or nothing) and the seconds each took."""
    health = probe.health(entry.health)
    if not health.ok:
        return health.saw, []
    seconds = []
    for name, journey in entry.journeys.items():
        walk = probe.walk(name, journey)
        if not walk.ok:
            return f"{name}: {walk.saw}", []
        seconds.append(walk.seconds)
    return "", seconds


def _serving(entry: Service) -> str:
    return _probe(entry).health(entry.health).release


def _probe(entry: Service) -> Probe:
    """Look through the maintenance page, which may hide the health document too."""
    bypass = read_reference(entry.maintenance_bypass) if entry.maintenance_bypass else None
    return Probe(read_address(entry.url), bypass)


def _releases(entry: Service) -> list[Release]:
    releases = entry.releases
    if isinstance(releases, GitHubReleases):
        with github.connect(releases) as client:
            found = client.deployments(releases.environment)
        return [Release(one.sha, str(one.id)) for one in found if one.state in ("success", "inactive")]
    with vercel.connect(releases) as vendor:
        return [Release(one.sha, one.id) for one in vendor.deployments() if one.state == "READY"]


def _word_of_pipeline(entry: Service, commit: str) -> str:
    releases = entry.releases
    if not isinstance(releases, GitHubReleases):
        return ""
    with github.connect(releases) as client:
        state = next((one.state for one in client.deployments(releases.environment) if one.sha == commit), "nothing")
    return f" (it says {state})"
