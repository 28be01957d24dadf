"""Readiness: try every reference, address, permission and person that the protocol names, and change nothing."""

import base64
import binascii
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

from crisis.clients import github, slack, switchboard, twilio, vercel, web
from crisis.clients.git.plumbing import Git
from crisis.domain.clock import say_duration, utc_now
from crisis.domain.model import REFERENCE
from crisis.domain.protocol import (
    Gate,
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
from crisis.errors import CrisisError, ProtocolError, TransientError
from crisis.receiver.asking.question import Question
from crisis.receiver.senders.registry import asker_of
from crisis.settings import read_address, read_reference

__all__ = ["Check", "Finding", "Probe", "check_readiness", "own_probes", "render", "vendor_probes", "worst_exit"]

Probe = Callable[[], str]
"""Says what it saw, or raises what is wrong; it changes nothing."""

_LIMIT = 10.0
_AT_ONCE = 16
_SHORTEST_SECRET = 16
_SHORTEST_TOTP = 14  # bytes: RFC 4226 asks for 128 bits and at least 112, which is 23 base32 letters


class Check(NamedTuple):
    """One thing to try. `mend` says what to do when the error itself does not."""

    what: str
    target: str
    probe: Probe
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What trying it came to, in one line without a secret."""

    what: str
    target: str
    ok: bool
    says: str
    mend: str = ""


def check_readiness(protocol: Protocol, probes: Iterable[Check], *, limit: float = _LIMIT) -> list[Finding]:
    """Try what the protocol names, and these probes; failures first. `probes` is usually `vendor_probes(protocol)`."""
    checks = [*own_probes(protocol), *probes]
    findings: list[Finding] = []
    for start in range(0, len(checks), _AT_ONCE):
        findings += _try_together(checks[start : start + _AT_ONCE], limit)
    return sorted(findings, key=lambda found: (found.ok, found.what, found.target))


def worst_exit(findings: Iterable[Finding]) -> int:
    """Return the exit code: 0 when everything is ready, else 2."""
    return 0 if all(found.ok for found in findings) else ProtocolError.exit_code


def render(findings: Sequence[Finding]) -> Table:
    """Draw the findings for the terminal."""
    failed = sum(not found.ok for found in findings)
    table = Table(
        "", "what", "where", "says", "mend", title=f"{len(findings)} tried, {failed} failed", title_justify="left"
    )
    for found in findings:
        mark = Text("ok", "green") if found.ok else Text("failed", "bold red")
        table.add_row(mark, *(Text(part) for part in (found.what, found.target, found.says, found.mend)))
    return table


def own_probes(protocol: Protocol) -> list[Check]:
    """List what can be tried without any vendor: references, addresses, proofs, reach, gates and alert senders."""
    return [
        *_references(protocol),
        *_addresses(protocol),
        *_people(protocol),
        *(Check("gate", kind, partial(_gate, protocol, gate)) for kind, gate in protocol.gates.items()),
        *_senders(protocol),
    ]


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


class _Attempt(Thread):
    """One probe on a thread that may be left behind: a hung one must not keep `crisis check` from ending."""

    def __init__(self, check: Check) -> None:
        super().__init__(daemon=True)
        self.check = check
        self.said: str | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        with self:
            self.said = self.check.probe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> bool:
        self.error = error
        return True


def _try_together(checks: Sequence[Check], limit: float) -> list[Finding]:
    attempts = [_Attempt(check) for check in checks]
    end = time.monotonic() + limit
    for attempt in attempts:
        attempt.start()
    for attempt in attempts:
        attempt.join(max(0.0, end - time.monotonic()))
    return [_judge(attempt, limit) for attempt in attempts]


def _judge(attempt: _Attempt, limit: float) -> Finding:
    check, error, said = attempt.check, attempt.error, attempt.said
    if said is not None:
        return Finding(check.what, check.target, ok=True, says=said)
    if isinstance(error, CrisisError):
        says = ", ".join(
            part for part in (error.wanted and f"wanted {error.wanted}", error.saw and f"saw {error.saw}") if part
        )
        mend = check.mend if isinstance(error, TransientError) and check.mend else error.then or check.mend
        return Finding(check.what, check.target, ok=False, says=says or error.target, mend=mend)
    # A foreign error's text may hold a secret; its kind does not.
    says = f"no answer in {limit:g} s" if error is None else f"it broke with {type(error).__name__}"
    return Finding(check.what, check.target, ok=False, says=says, mend=check.mend or "check where it points")


def _strings(value: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _strings(below, (*where, str(key)))


def _references(protocol: Protocol) -> list[Check]:
    users: dict[str, list[str]] = {}
    for where, text in _strings(protocol.model_dump(mode="json", by_alias=True)):
        if where[-1] != "url" and re.fullmatch(REFERENCE, text):
            users.setdefault(text, []).append(".".join(where))
    return [Check("reference", name, partial(_reference, name, places)) for name, places in users.items()]


def _reference(name: str, places: Sequence[str]) -> str:
    _secret(name, shortest=1)
    return f"resolves, for {places[0]}" + (f" and {len(places) - 1} more" if len(places) > 1 else "")


def _secret(name: str, shortest: int) -> str:
    secret = read_reference(name).get_secret_value()
    if not secret.strip():
        raise ProtocolError(name, wanted="a secret", saw="nothing in it", then=f"store it where {name} points")
    if len(secret) < shortest:
        then = "replace it by a random one, at both ends"
        raise ProtocolError(name, wanted=f"{shortest} characters or more", saw="a secret one can guess", then=then)
    return secret


def _addresses(protocol: Protocol) -> list[Check]:
    found: dict[str, str] = {}
    for where, text in _strings(protocol.model_dump(mode="json", by_alias=True)):
        if where[-1] == "url" and where[-2:] != ("repository", "url"):
            found.setdefault(text, ".".join(where))
    return [Check("address", where, partial(_address, text)) for text, where in found.items()]


def _address(text: str) -> str:
    try:
        parts = urlsplit(read_address(text))
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise ProtocolError(text, wanted="an address", saw="one with no usable port", then="mend it") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ProtocolError(
            text, wanted="http:// or https:// and a host", saw="another kind of address", then="mend it"
        )
    try:
        socket.create_connection((parts.hostname, port), timeout=_LIMIT / 2).close()
    except OSError as error:
        saw, then = type(error).__name__, "check the address, the name server and the firewall"
        raise ProtocolError(text, wanted="a server that takes connections", saw=saw, then=then) from None
    return "takes connections"


def _people(protocol: Protocol) -> Iterator[Check]:
    deciders = {who for rule in protocol.levels.values() for who in _deciders(protocol, rule.decision_makers)}
    for who, person in protocol.people.items():
        if who in deciders or who in protocol.stakeholders:
            yield Check("reach", who, partial(_reach, protocol, who))
        if who in deciders or person.proof:
            yield Check("proof", who, partial(_proof, protocol, who))


def _deciders(protocol: Protocol, makers: Iterable[str]) -> list[str]:
    """List decision makers and then the deputies behind them, each once."""
    found = list(makers)
    for who in found:
        deputy = protocol.people[who].deputy
        if deputy and deputy not in found:
            found.append(deputy)
    return found


def _reach(protocol: Protocol, who: str) -> str:
    person = protocol.people[who]
    ways = [way for way, number in (("SMS", person.sms), ("call", person.call)) if number]
    ways += ["Slack"] if person.slack and protocol.slack else []
    if not ways:
        raise ProtocolError(who, wanted="a way to reach them", saw="none", then=f"add people.{who}.sms or .call")
    return f"by {' and '.join(ways)}"


def _proof(protocol: Protocol, who: str) -> str:
    proof = protocol.people[who].proof
    if proof is None:
        raise ProtocolError(who, wanted="a proof of identity", saw="none", then=f"add people.{who}.proof")
    if proof.totp is None:
        return "passkeys alone"
    twins = [
        name
        for name, other in protocol.people.items()
        if name != who and other.proof and other.proof.totp == proof.totp
    ]
    if twins:
        then = "give each person a secret of their own"
        raise ProtocolError(who, wanted="a secret nobody shares", saw=f"the one of {twins[0]}", then=then)
    secret = _secret(proof.totp, shortest=1).replace(" ", "").rstrip("=").upper()
    try:
        size = len(base64.b32decode(secret + "=" * (-len(secret) % 8)))
    except (binascii.Error, ValueError):
        size = 0
    if size < _SHORTEST_TOTP:
        saw = "one too short" if size else "text that is no base32"
        then = f"enrol {who} again and store the secret in {proof.totp}"
        raise ProtocolError(who, wanted="a base32 secret of 23 letters or more", saw=saw, then=then)
    return "one-time codes"


def _gate(protocol: Protocol, gate: Gate) -> str:
    able = {
        level: len([who for who in _deciders(protocol, rule.decision_makers) if protocol.people[who].proof])
        for level, rule in sorted(protocol.levels.items())
    }
    if not gate.needed:
        return "asks nobody"
    if all(people < gate.needed for people in able.values()):
        then = "add decision makers or deputies"
        raise ProtocolError("gate", wanted=f"{gate.needed} people who can prove themselves", saw="fewer", then=then)
    closed = [f"{level.value}" for level, people in able.items() if people < gate.needed]
    note = f"; too few people for it at level {', '.join(closed)}" if closed else ""
    return f"asks {gate.needed}, waits {say_duration(gate.wait)}, silence {_silence(gate)}{note}"


def _silence(gate: Gate) -> str:
    goes = ", ".join(gate.proceed_on_silence)
    return f"lets go ahead: {goes}" if goes else "stops safely"


def _senders(protocol: Protocol) -> Iterator[Check]:
    for sender, rule in protocol.alerts.items():
        shown = [rule.basic.password] if rule.basic else []
        shown += [rule.header.value] if rule.header else []
        shown += [rule.url_secret] if rule.url_secret else []
        for name in (*rule.secret, *rule.bearer, *shown):
            yield Check("alert sender", f"{sender} {name}", partial(_sender, name, len(rule.routes)))
        for name in rule.secret if rule.kind_as(sender) == "standard-webhooks" else ():
            yield Check("signing secret", f"{sender} {name}", partial(_base64, name))


def _sender(name: str, routes: int) -> str:
    _secret(name, shortest=_SHORTEST_SECRET)
    return f"its secret is there; {routes} route{'' if routes == 1 else 's'}"


def _base64(name: str) -> str:
    try:
        base64.b64decode(_secret(name, shortest=1).removeprefix("whsec_"), validate=True)
    except ValueError:
        then = "copy it from the sender whole, with whsec_"
        raise ProtocolError(name, wanted="whsec_ and base64", saw="text that is neither", then=then) from None
    return "can be signed with"


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
    with slack.connect(place, timeout=_LIMIT / 2) as app:
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
        if not git.text("ls-remote", "origin", f"refs/heads/{branch}", target=branch, timeout=_LIMIT / 2):
            raise ProtocolError(branch, wanted=f"a branch {branch}", saw="none", then="mend `branch` in protocol.yaml")
        # A dry run asks for the right to push and sends nothing.
        commit = git.text("commit-tree", git.text("mktree"), "-m", "readiness")
        git.text("push", "--dry-run", "--quiet", "origin", f"{commit}:refs/heads/crisis-readiness", timeout=_LIMIT / 2)
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
    return web.Probe(read_address(service.url), bypass, timeout=_LIMIT / 2)


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
