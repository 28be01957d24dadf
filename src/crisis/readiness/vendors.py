"""Vendors: what is tried at the vendors and at the services, from outside."""

import tempfile
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from crisis.clients import github, slack, switchboard, twilio, vercel, web
from crisis.clients.git.plumbing import Git
from crisis.domain.clock import utc_now
from crisis.domain.protocol import (
    Journey,
    Messages,
    Protocol,
    Releases,
    Repository,
    Service,
    Slack,
    Tickets,
    VercelReleases,
)
from crisis.domain.protocol import Switchboard as SwitchboardPlace
from crisis.errors import ProtocolError
from crisis.readiness.trying import LIMIT, Check
from crisis.receiver.asking.question import Question
from crisis.receiver.senders.registry import asker_of
from crisis.settings import read_address, read_reference

__all__ = ["vendor_probes"]


def vendor_probes(protocol: Protocol) -> list[Check]:
    """List what is tried at the vendors and at the services, from outside."""
    found = [Check("messages", "twilio", partial(_messages, protocol.messages), "look at the account at Twilio")]
    if protocol.slack is not None:
        found.append(Check("slack", "slack", partial(_slack, protocol), "check the app at Slack, and its address"))
    for name, service in protocol.services.items():
        found += [
            Check("repository", name, partial(_repository, service.repository), "check its address and credentials"),
            Check("releases", name, partial(_releases, service.releases), "check the token and its permissions"),
            Check("tickets", name, partial(_tickets, service.tickets), "check the token and its permissions"),
            Check("switchboard", name, partial(_switchboard, service.switchboard), "check that it is served"),
            Check("health", name, partial(_health, service), "check that the service runs and serves it"),
        ]
        for kind, journeys in (("journey", service.journeys), ("feature", service.features)):
            for title, journey in journeys.items():
                mend = f"walk {title} by hand; mend the service or the {kind} in protocol.yaml"
                found.append(Check(kind, f"{name}.{title}", partial(_walk, service, title, journey), mend))
    for sender, rule in protocol.alerts.items():
        if (asker := asker_of(sender, rule)) is not None:
            question = Question(sender, rule, since=utc_now(), now=utc_now())
            mend = f"check alerts.{sender}.ask_back: its address, and the permissions of its token"
            found.append(Check("ask back", sender, partial(asker.probe, question), mend))
    return found


def _messages(messages: Messages) -> str:
    with twilio.connect(messages) as client:
        if not client.account_active():
            raise ProtocolError(
                "twilio", wanted="an active account", saw="another state", then="reactivate it at Twilio"
            )
    return "the account is active"


def _slack(protocol: Protocol) -> str:
    place = protocol.slack
    if place is None:
        return "not used"
    with slack.connect(place, timeout=LIMIT / 2) as app:
        team, scopes = app.identity()
    _slack_fits(place, team, scopes)
    levels = [
        f"{level.value}" for level, rule in sorted(protocol.levels.items()) if "ask_on_slack" not in rule.authorised
    ]
    if levels:
        then = "add it to `authorised`, or nobody is asked on Slack there"
        raise ProtocolError(
            "slack", wanted="ask_on_slack authorised", saw=f"not at level {', '.join(levels)}", then=then
        )
    return "the app may open conversations, read its own and post"


def _slack_fits(place: Slack, team: str, scopes: tuple[str, ...] | None) -> None:
    if place.team is not None and team != place.team:
        then = "mend `team`, or install the app in that workspace"
        raise ProtocolError("slack", wanted=f"a token of {place.team}", saw="one of another workspace", then=then)
    missing = [scope for scope in slack.SCOPES if scopes is not None and scope not in scopes]
    if missing:
        then = "add them to the app's bot token scopes and install it again"
        raise ProtocolError("slack", wanted=f"the scopes {', '.join(missing)}", saw="a token without", then=then)


def _repository(repository: Repository) -> str:
    branch = repository.branch
    with tempfile.TemporaryDirectory(prefix="crisis-check-") as folder:
        git = Git(Path(folder) / "git", SecretStr(read_address(repository.url)))
        git.text("init", "--quiet", "--bare", str(git.path), folder=Path(folder))
        if not git.text("ls-remote", "origin", f"refs/heads/{branch}", target=branch, timeout=LIMIT / 2):
            raise ProtocolError(branch, wanted=f"a branch {branch}", saw="none", then="mend `branch` in protocol.yaml")
        # A dry run asks for the right to push and sends nothing.
        commit = git.text("commit-tree", git.text("mktree"), "-m", "readiness")
        git.text("push", "--dry-run", "--quiet", "origin", f"{commit}:refs/heads/crisis-readiness", timeout=LIMIT / 2)
    return f"{branch} can be read, and pushed to"


def _releases(releases: Releases) -> str:
    if isinstance(releases, VercelReleases):
        with vercel.connect(releases) as project:
            if project.current() is None:
                raise ProtocolError("vercel", wanted="a live deployment", saw="none", then="check `project` and `team`")
        return "the live deployment can be read"
    with github.connect(releases) as client:
        _may_push(client)
        client.deployments(limit=1)
    return "may push; deployments can be read"


def _tickets(tickets: Tickets) -> str:
    with github.connect(tickets) as client:
        _may_push(client)
    return "may file and label tickets"


def _may_push(client: github.GitHub) -> None:
    if not client.permissions().get("push"):
        then = "give the token write access to the repository"
        raise ProtocolError("token", wanted="the permission push", saw="none", then=then)


def _switchboard(place: SwitchboardPlace) -> str:
    with switchboard.connect(place) as client:
        document, _ = client.read()
    return f"says {document['mode']}"


def _user(service: Service) -> web.Probe:
    bypass = read_reference(service.maintenance_bypass) if service.maintenance_bypass else None
    return web.Probe(read_address(service.url), bypass, timeout=LIMIT / 2)


def _health(service: Service) -> str:
    health = _user(service).health(service.health)
    if not health.ok:
        raise ProtocolError("health", wanted="a healthy service", saw=health.saw)
    if not health.release:
        then = "put releaseId in it, so that a rollback can be proved"
        raise ProtocolError("health", wanted="the release's name", saw="none", then=then)
    return health.saw


def _walk(service: Service, title: str, journey: Journey) -> str:
    walk = _user(service).walk(title, journey)
    if not walk.ok:
        raise ProtocolError(title, wanted="every answer as written", saw=walk.saw)
    return f"walked in {walk.seconds:.2f} s"
