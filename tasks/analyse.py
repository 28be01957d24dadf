"""Analyse: why the tests passed although users could not get through. Reads and runs copies; changes nothing."""

from dataclasses import dataclass

from crisis.clients import github
from crisis.clients.culprit import Culprit, first_bad
from crisis.clients.git import Repository
from crisis.clients.replay import Proof, prove_test, replay_path, replay_test
from crisis.clients.untested import Untested, untested_lines
from crisis.domain.protocol import Build, GitHubReleases, Service
from crisis.engine.look import observation, progress
from crisis.engine.run import current_run
from crisis.errors import UnprovenError
from tasks.revert import clone

_PHASES = 3


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the tests missed, as a ticket: its title, and a report with a test that would have caught it."""

    title: str
    report: str
    says: str


@dataclass(frozen=True, slots=True)
class _Findings:
    journey: str
    culprit: Culprit
    untested: Untested
    test: str
    proof: Proof
    ci: str


@observation
def analyse_escape(service: str, good: str, bad: str) -> Analysis:
    """Find the commit that broke a journey, its lines that no test ran, and a test that catches it."""
    run = current_run()
    entry = run.protocol.services[service]
    if entry.build is None:
        raise UnprovenError(f"{service} analysis", wanted="a build in protocol.yaml", saw="none", then="add one")
    found = _look(clone(entry), service, entry, entry.build, good, bad)
    analysis = _write(run.incident, service, found, good, bad)
    run.mirror.show(f"analysis-{run.incident.lower()}", "markdown", analysis.report, "Why the tests passed")
    return analysis


def _look(repository: Repository, service: str, entry: Service, build: Build, good: str, bad: str) -> _Findings:
    incident = current_run().incident
    progress(0, _PHASES, "looking for the commit that broke a journey")
    journey, culprit = _broken(repository, service, entry, build, good, bad)
    if culprit.commit is None:
        raise UnprovenError(f"{service} analysis", wanted="a commit that broke a journey", saw=culprit.why or "none")
    progress(1, _PHASES, f"running the tests of {culprit.commit.sha[:10]} under coverage")
    untested = untested_lines(repository, build, culprit.commit.sha)
    progress(2, _PHASES, "running the missing test on both releases")
    test = replay_test(build, entry.journeys[journey], incident, journey)
    proof = prove_test(repository, build, test, good, bad)
    progress(_PHASES, _PHASES, "analysed")
    return _Findings(journey, culprit, untested, test, proof, _ci(entry, bad))


def _broken(
    repository: Repository, service: str, entry: Service, build: Build, good: str, bad: str
) -> tuple[str, Culprit]:
    """Bisect with each journey until one shows the fault."""
    last = Culprit(None, [], why=f"no journey of {service} fails on {bad[:10]} here")
    for name, journey in entry.journeys.items():
        last = first_bad(repository, build, good, bad, journey)
        if last.commit is not None:
            return name, last
    return "", last


def _ci(entry: Service, bad: str) -> str:
    if not isinstance(entry.releases, GitHubReleases):
        return "unknown"
    with github.connect(entry.releases) as client:
        result = client.ci(bad)
    return f"{result.conclusion} ({result.summary})" if result.summary else result.conclusion


def _write(incident: str, service: str, found: _Findings, good: str, bad: str) -> Analysis:
    commit = found.culprit.commit
    if commit is None:
        raise UnprovenError(f"{service} analysis", wanted="a commit that broke a journey", saw="none")
    missed = sum(len(lines) for lines in found.untested.untested.values())
    proved, suite = found.proof.fails_on_bad and found.proof.passes_on_good, found.untested.suite
    lines = [
        f"# Why the tests passed: {service}, {incident}",
        "",
        f"The journey `{found.journey}` works on {good[:10]} and fails on {bad[:10]}. CI on {bad[:10]}: {found.ci}.",
        "",
        f"**The change that broke it:** {commit.sha[:10]} \u201c{commit.subject}\u201d",
        "",
        f"**What no test ran:** {missed} of the {found.untested.changed} statements it changed ({suite}).",
        "",
        *(f"- `{path}`: {_ranges(numbers)}" for path, numbers in found.untested.untested.items()),
        "",
        "| commit | journey | saw |",
        "| --- | --- | --- |",
        *(f"| {one.sha[:10]} | {one.verdict} | {one.saw} |" for one in found.culprit.tried),
        "",
        *_offer(incident, found, proved=proved),
        "",
        "Before the dropped changes come back: revert the revert, add the test, let CI pass.",
    ]
    offered = "a test that catches it" if proved else "no test could be proved"
    says = f"{commit.sha[:10]} broke {found.journey}; {missed} changed statements no test ran; {offered}"
    return Analysis(f"{service}: {found.journey} broke and no test saw it ({incident})", "\n".join(lines), says)


def _offer(incident: str, found: _Findings, *, proved: bool) -> list[str]:
    if not proved:
        return ["**No test is offered:** the replay did not fail on the bad release and pass on the good one.", "",
                "```", found.proof.output.strip(), "```"]  # fmt: skip
    where = replay_path(incident, found.journey)
    return [
        f"**The missing test** (`{where}`): it fails on the bad release and passes on the good one; both were run.",
        "",
        "```python",
        found.test.rstrip(),
        "```",
    ]


def _ranges(numbers: list[int]) -> str:
    """Write line numbers as `12-15, 20`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
