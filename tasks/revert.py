"""Revert: put the last known good release back, exactly as it was decided."""

from datetime import timedelta
from pathlib import Path

from crisis.clients import github, vercel
from crisis.clients.git import Repository
from crisis.domain.change import Change
from crisis.domain.clock import utc_now
from crisis.domain.plan import Choice, Plan
from crisis.domain.protocol import GitHubReleases, Service
from crisis.engine.action import action, step
from crisis.engine.look import observation
from crisis.engine.run import current_run
from crisis.errors import DriftError, RefusedError, UnprovenError
from crisis.settings import read_address
from tasks.freeze import allow_release
from tasks.verify import Release

_TAKES = timedelta(minutes=2)
_FIXES = ("fix/*", "hotfix/*")
_KEPT = "a clean revert is not possible ({}); the kept artefact goes back, main stays as it is"


@observation
def plan_revert(service: str, good: Release) -> Plan:
    """Work out the revert to the last known good release without pushing it, and weigh a fix forward."""
    entry = current_run().protocol.services[service]
    repository = clone(entry)
    head = repository.head(entry.repository.branch)
    commits = repository.commits(good.commit, head) if _on_a_branch(repository, good.commit) else []
    back, notes = _way_back(service, entry, repository, head, good)
    fixes, refused = _ways_forward(service, entry, repository, head, good)
    dropped = [f"{one.sha[:10]} {one.subject}" for one in commits if len(one.parents) < 2]  # noqa: PLR2004
    return Plan(
        gate="revert",
        title=f"Put {service} back to {good.commit[:10]}",
        choices=(back, *fixes),
        blast_radius=(
            f"every user of {service}: they see the maintenance page until the good release is proved",
            f"{len(commits)} commits leave production: {'; '.join(dropped) or 'none that the repository can name'}",
        ),
        notes=(*notes, *refused),
        takes=_TAKES,
        on_no=f"{service} stays in maintenance mode, deployments stay frozen, and people are called to take over",
    )


@action(kind="restore", needs=("git:push", "github:variables:write"), undo="none")
def revert_release(service: str, commit: str, onto: str, good: str) -> Change:
    """
    Push a prepared revert to the main branch; its tree is the good release's, byte for byte.

    Again  finds the commit on the branch and pushes nothing.
    Undo   none by itself: revert the revert, once the cause is mended and tested.
    Fails  DriftError when the branch moved since the plan; UnprovenError when the trees differ.
    """
    entry = current_run().protocol.services[service]
    repository = clone(entry)
    _prepare_again(repository, service, commit, onto, good)
    if isinstance(entry.releases, GitHubReleases):
        allow_release(entry.releases, commit)
    pushed = repository.push(commit, entry.repository.branch, onto)
    now = clone(entry).head(entry.repository.branch)
    if now != commit or repository.tree(now) != repository.tree(good):
        raise UnprovenError(f"{service} main branch", wanted=f"the tree of {good[:10]}", saw=f"{now[:10]}")
    facts = {"release": commit, "good": good, "bad": onto}
    if not pushed:
        return Change.none(service, because=f"{commit[:10]} is on the branch already", **facts)
    return Change.done(service, f"pushed {commit[:10]}: the tree equals {good[:10]}", **facts)


@action(kind="restore", needs=("github:deployments:write", "vercel:deployments"), undo="none")
def roll_back_release(service: str, deployment: str, commit: str, bad: str) -> Change:
    """
    Release the kept artefact of a good deployment again; the main branch stays as it is.

    Again  finds that release in production and asks for nothing.
    Undo   none by itself: the next release replaces it.
    Fails  DriftError when another release came since the plan; RefusedError when the vendor has no such artefact.
    """
    entry = current_run().protocol.services[service]
    facts = {"release": commit, "good": commit, "bad": bad}
    newest = _newest_release(entry)
    if newest is not None and not {newest.commit, newest.deployment} & {commit, deployment, bad}:
        saw, then = newest.commit[:10] or newest.deployment, "the plan is made and asked again"
        raise DriftError(f"{service} production", wanted=f"{bad[:10]}, as planned", saw=saw, then=then)
    if isinstance(entry.releases, GitHubReleases):
        allow_release(entry.releases, commit)
        if newest is not None and newest.commit == commit:
            return Change.none(service, because=f"{commit[:10]} is the newest deployment already", **facts)
        with github.connect(entry.releases) as client:
            client.deploy(commit, f"roll back for {current_run().incident}")
        return Change.done(service, f"asked for the artefact of {commit[:10]} again", **facts)
    if newest is not None and newest.deployment == deployment:
        return Change.none(service, because=f"{deployment} is in production already", **facts)
    with vercel.connect(entry.releases) as vendor:
        vendor.rollback(deployment, f"roll back for {current_run().incident}")
    return Change.done(service, f"rolled back to {deployment}", **facts)


@action(kind="restore", needs=("git:push", "github:variables:write"), undo="none")
def merge_fix(service: str, commit: str, onto: str, good: str) -> Change:
    """
    Fast-forward the main branch to a tested one-line fix.

    Again  finds the commit on the branch and pushes nothing.
    Undo   none by itself: revert it.
    Fails  DriftError when the branch moved since the plan.
    """
    entry = current_run().protocol.services[service]
    repository = clone(entry)
    if isinstance(entry.releases, GitHubReleases):
        allow_release(entry.releases, commit)
    pushed = repository.push(commit, entry.repository.branch, onto)
    facts = {"release": commit, "good": good, "bad": onto}
    if not pushed:
        return Change.none(service, because=f"{commit[:10]} is on the branch already", **facts)
    return Change.done(service, f"pushed the one-line fix {commit[:10]}", **facts)


def clone(entry: Service) -> Repository:
    """Bring our copy of the service's repository up to date and return it."""
    run = current_run()
    url = entry.repository.url
    return Repository.mirror(read_address(url) if url.startswith("env:") else url, Path(run.settings.home) / "clones")


def _way_back(
    service: str, entry: Service, repository: Repository, head: str, good: Release
) -> tuple[Choice, tuple[str, ...]]:
    lost = not _on_a_branch(repository, good.commit)
    if not lost and repository.tree(head) == repository.tree(good.commit):
        then = "the code is not the cause: look at data, configuration and dependencies"
        raise UnprovenError(f"{service} main branch", wanted="something to revert", saw="the good tree", then=then)
    if not isinstance(entry.releases, GitHubReleases):
        return _roll_back(service, entry, good, head), ()
    if lost:
        return _roll_back(service, entry, good, head), (_KEPT.format(f"{good.commit[:10]} is on no branch any more"),)
    prepared = repository.prepare_revert(
        good.commit, head, _message(good), current_run().state().opened_at or utc_now()
    )
    if prepared.commit is None:
        return _roll_back(service, entry, good, head), (_KEPT.format(prepared.note),)
    way = step(
        revert_release,
        service=service,
        commit=prepared.commit,
        onto=head,
        good=good.commit,
        now=f"main is {head[:10]}",
        wanted=f"main is {prepared.commit[:10]}, its tree that of {good.commit[:10]}",
    )
    summary = f"Revert everything since {good.commit[:10]}, the last release that passed every journey."
    return Choice(name="revert", summary=summary, steps=(way,)), ()


def _on_a_branch(repository: Repository, commit: str) -> bool:
    """Tell whether the mirror has a commit; it has none that a rewritten branch left behind."""
    try:
        repository.commit(commit)
    except RefusedError:
        return False
    return True


def _newest_release(entry: Service) -> Release | None:
    """Return the release that a rollback takes the place of: GitHub's newest, or the one that Vercel shows."""
    releases = entry.releases
    if isinstance(releases, GitHubReleases):
        with github.connect(releases) as client:
            return next((Release(one.sha, str(one.id)) for one in client.deployments(releases.environment)), None)
    with vercel.connect(releases) as vendor:
        current = vendor.current()
        if current is None:
            return None
        return Release(next((one.sha for one in vendor.deployments() if one.id == current), ""), current)


def _roll_back(service: str, entry: Service, good: Release, head: str) -> Choice:
    newest = _newest_release(entry)
    bad = head if newest is None else newest.commit or newest.deployment
    way = step(
        roll_back_release,
        service=service,
        deployment=good.deployment,
        commit=good.commit,
        bad=bad,
        now=f"the newest release is {bad[:10]}",
        wanted=f"production serves {good.commit[:10]}",
    )
    return Choice(name="roll-back", summary=f"Release the kept artefact of {good.commit[:10]} again.", steps=(way,))


def _ways_forward(
    service: str, entry: Service, repository: Repository, head: str, good: Release
) -> tuple[tuple[Choice, ...], tuple[str, ...]]:
    """Offer a fix only when it is one changed line and CI passed on that very commit; say why another is refused."""
    releases = entry.releases
    offered, refused = list[Choice](), list[str]()
    for branch, tip in sorted(repository.branches(*_FIXES).items()):
        if tip == head or not repository.is_ancestor(head, tip):
            continue
        size = repository.diff_size(head, tip)
        ci = "unknown"
        if isinstance(releases, GitHubReleases):
            with github.connect(releases) as client:
                ci = client.ci(tip).conclusion
        if size > 1:
            refused.append(f"fix forward by {branch} refused: {size} changed lines, at most one is allowed")
        elif ci != "success":
            refused.append(f"fix forward by {branch} refused: CI on {tip[:10]} is {ci}, not success")
        elif offered:
            refused.append(f"fix forward by {branch} left out: one fix is offered already")
        else:
            now, wanted = f"main is {head[:10]}", f"main is {tip[:10]}"
            way = step(merge_fix, service=service, commit=tip, onto=head, good=good.commit, now=now, wanted=wanted)
            summary = f"Release {branch}: one changed line, CI passed on {tip[:10]}."
            wrote = {name for one in repository.commits(head, tip) for name in (one.author, one.email)}
            offered.append(Choice(name="fix-forward", summary=summary, steps=(way,), authors=tuple(sorted(wrote))))
    if not offered and not refused:
        refused.append("no fix branch offers a tested one-line fix")
    return tuple(offered), tuple(refused)


def _prepare_again(repository: Repository, service: str, commit: str, onto: str, good: str) -> None:
    """Make the decided commit again: the same inputs give the same commit, also after a crash on another machine."""
    run = current_run()
    made = repository.prepare_revert(good, onto, _message(Release(good, "")), run.state().opened_at or utc_now())
    if made.commit != commit:
        saw = (made.commit or made.note)[:60]
        raise DriftError(f"{service} revert", wanted=commit[:10], saw=saw, then="the plan is made and asked again")


def _message(good: Release) -> str:
    run = current_run()
    return (
        f"Revert to {good.commit[:10]}, the last known good release\n\n"
        f"Incident {run.incident}. The tree equals that of {good.commit}.\n"
        "To bring the dropped changes back, revert this commit first: merging their branches again does not.\n"
    )
