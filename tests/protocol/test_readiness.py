"""What `crisis check` tries, on the sandbox's own world and on worlds that lack something."""

import io
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from crisis.domain.level import Level
from crisis.domain.protocol import Protocol, Slack, VercelReleases
from crisis.errors import RefusedError, TransientError
from crisis.protocol_file import load_protocol
from crisis.readiness import Check, Finding, check_readiness, render, vendor_probes, worst_exit
from crisis.sandbox.world import World
from tests.protocol.case import HERE
from tests.protocol.poor import poor_vendors

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DP"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Start a healthy sandbox."""
    with World.start() as world:
        world.shoppers(0)
        yield world


@pytest.fixture
def shop(world: World, monkeypatch: pytest.MonkeyPatch) -> Protocol:
    """Load the project's own protocol, with every reference of the sandbox in place."""
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    return load_protocol(HERE.parents[1] / "protocol.yaml")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Protocol:
    """Load a protocol whose references all resolve and whose people can prove themselves."""
    for name in ("RELEASES", "SWITCH", "TICKETS", "SID", "TOKEN"):
        monkeypatch.setenv(name, "a-long-enough-secret")
    monkeypatch.setenv("ADA", SECRET)
    monkeypatch.setenv("BEN", SECRET[::-1])
    return load_protocol(HERE / "valid.yaml")


def found(protocol: Protocol, what: str, target: str) -> Finding:
    """Try what can be tried without vendors, and return one finding."""
    findings = check_readiness(protocol, [])
    return next(one for one in findings if (one.what, one.target) == (what, target))


def check_one(protocol: Protocol, probe: Callable[[], str], mend: str = "", *, limit: float = 5) -> Finding:
    """Try one more probe, and return what it came to."""
    findings = check_readiness(protocol, [Check("extra", "probe", probe, mend)], limit=limit)
    return next(one for one in findings if one.what == "extra")


def touched(world: World) -> dict[str, object]:
    """Return what a check must leave as it was: everything written at the vendors, and every branch."""
    refs = subprocess.run(["git", "for-each-ref"], cwd=world.origin, capture_output=True, check=True).stdout
    state = world.state()
    parts = ("writes", "messages", "calls", "slack", "tickets", "deployments", "variables", "switches")
    return {"refs": refs, **{part: state[part] for part in parts}}


def test_the_sandbox_is_ready_and_unchanged(shop: Protocol, world: World) -> None:
    """Everything the example names works, and trying it sends and writes nothing."""
    before = touched(world)
    findings = check_readiness(shop, vendor_probes(shop))

    assert [finding for finding in findings if not finding.ok] == []
    assert worst_exit(findings) == 0
    assert len(findings) == len({(finding.what, finding.target) for finding in findings})
    assert touched(world) == before


def test_no_finding_shows_a_secret(shop: Protocol, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what works nor what fails tells the value behind a reference."""
    monkeypatch.setenv("CRISIS_SANDBOX_SHOP_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("CRISIS_SANDBOX_GITHUB_TOKEN", "a-token-that-is-refused")
    told = repr(check_readiness(shop, vendor_probes(shop)))
    secrets = [value for name, value in world.env.items() if not name.endswith(("_URL", "_ORIGIN"))]

    assert [secret for secret in [*secrets, "a-token-that-is-refused"] if secret in told] == []


def test_failures_come_first_with_a_way_to_mend_them(monkeypatch: pytest.MonkeyPatch, small: Protocol) -> None:
    """A missing variable is named where it is needed, before everything that works."""
    monkeypatch.delenv("BEN")
    findings = [one for one in check_readiness(small, []) if one.what != "address"]

    assert [(one.what, one.target) for one in findings if not one.ok] == [("proof", "ben"), ("reference", "env:BEN")]
    assert findings[0].says == "wanted the variable BEN, saw none"
    assert findings[0].mend == "set BEN where crisis runs"
    assert worst_exit(findings) == 2


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("not base32!", "wanted a base32 secret of 23 letters or more, saw text that is no base32"),
        ("JBSWY3DP", "wanted a base32 secret of 23 letters or more, saw one too short"),
    ],
)
def test_a_one_time_secret_must_work(secret: str, says: str, monkeypatch: pytest.MonkeyPatch, small: Protocol) -> None:
    """A secret that no authenticator app could use is refused, and not shown."""
    monkeypatch.setenv("ADA", secret)
    finding = found(small, "proof", "ada")

    assert finding == Finding(
        "proof", "ada", ok=False, says=says, mend="enrol ada again and store the secret in env:ADA"
    )


def test_a_blank_reference_is_no_secret(monkeypatch: pytest.MonkeyPatch, small: Protocol) -> None:
    """A variable that holds a space does not count."""
    monkeypatch.setenv("SWITCH", " ")

    assert found(small, "reference", "env:SWITCH").says == "wanted a secret, saw nothing in it"


def test_two_people_may_not_share_a_secret(small: Protocol) -> None:
    """One phone must not count as two people."""
    people = {**small.people, "ben": small.people["ben"].model_copy(update={"proof": small.people["ada"].proof})}
    finding = found(small.model_copy(update={"people": people}), "proof", "ben")

    assert finding.says == "wanted a secret nobody shares, saw the one of ada"


def test_who_decides_needs_a_proof_and_a_way_to_be_reached(small: Protocol) -> None:
    """A protocol built by hand gets the same questions."""
    bare = small.people["ben"].model_copy(update={"proof": None, "call": None})
    protocol = small.model_copy(update={"people": {**small.people, "ben": bare, "eve": bare}})

    assert [one for one in check_readiness(protocol, []) if one.target == "eve"] == []  # neither told nor asked
    assert found(protocol, "reach", "ben").mend == "add people.ben.sms or .call"
    assert found(protocol, "proof", "ben").mend == "add people.ben.proof"
    assert found(protocol, "gate", "destroy").says == "wanted 2 people who can prove themselves, saw fewer"


def test_a_gate_says_where_it_cannot_open(small: Protocol) -> None:
    """Level 3 has one decision maker, so what needs two people cannot be decided there."""
    assert found(small, "gate", "destroy").says.endswith("; too few people for it at level 3")


def test_an_alert_sender_needs_a_long_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret one can guess would let anybody start playbooks."""
    text = 'alerts: {grafana: {basic: {user: g, password: "env:GRAFANA"}, bearer: ["env:ALERTS"]}}\n'
    (tmp_path / "protocol.yaml").write_text((HERE / "valid.yaml").read_text(encoding="utf-8") + text, encoding="utf-8")
    protocol = load_protocol(tmp_path / "protocol.yaml")
    monkeypatch.setenv("GRAFANA", "short")
    monkeypatch.setenv("ALERTS", "a-long-enough-secret")

    assert found(protocol, "alert sender", "grafana env:GRAFANA").says == (
        "wanted 16 characters or more, saw a secret one can guess"
    )
    assert found(protocol, "alert sender", "grafana env:ALERTS").ok


def test_every_secret_of_a_sender_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a sender signs with or shows must be there and long; one of Standard Webhooks must be base64."""
    text = (
        'alerts: {github: {secret: ["env:GH"]}, pingdom: {url_secret: "env:PD"}, '
        'jsm: {header: {name: X-Key, value: "env:JSM"}}, standard-webhooks: {secret: ["env:SW", "env:SW2"]}}\n'
    )
    (tmp_path / "protocol.yaml").write_text((HERE / "valid.yaml").read_text(encoding="utf-8") + text, encoding="utf-8")
    protocol = load_protocol(tmp_path / "protocol.yaml")
    for name in ("GH", "PD", "JSM", "SW"):
        monkeypatch.setenv(name, "a-long-enough-secret")
    monkeypatch.setenv("SW2", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3")

    for target in ("github env:GH", "pingdom env:PD", "jsm env:JSM", "standard-webhooks env:SW"):
        assert found(protocol, "alert sender", target).ok
    assert not found(protocol, "signing secret", "standard-webhooks env:SW").ok
    assert found(protocol, "signing secret", "standard-webhooks env:SW2").ok


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ftp://127.0.0.1", "wanted http:// or https:// and a host, saw another kind of address"),
        ("http://127.0.0.1:port", "wanted an address, saw one with no usable port"),
        ("http://127.0.0.1:1", "wanted a server that takes connections, saw ConnectionRefusedError"),
    ],
)
def test_an_address_must_lead_somewhere(
    address: str, says: str, monkeypatch: pytest.MonkeyPatch, small: Protocol
) -> None:
    """An address from the environment is tried, and not shown."""
    monkeypatch.setenv("WHERE", address)
    messages = small.messages.model_copy(update={"url": "env:WHERE"})
    finding = found(small.model_copy(update={"messages": messages}), "address", "messages.url")

    assert finding.says == says


def test_every_vendor_that_is_away_is_one_line(shop: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing listening anywhere, each thing fails by name and says what to do."""
    for name in ("SHOP", "GITHUB", "SWITCHBOARD", "TWILIO", "SLACK"):
        monkeypatch.setenv(f"CRISIS_SANDBOX_{name}_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("CRISIS_SANDBOX_ORIGIN", "/nowhere/at/all.git")
    probes = vendor_probes(shop)
    failed = [one for one in check_readiness(shop, probes) if not one.ok and one.what != "address"]

    assert sorted((one.what, one.target) for one in failed) == sorted((one.what, one.target) for one in probes)
    assert all(one.mend and "\n" not in one.says + one.mend for one in failed)


def test_a_vendor_that_answers_may_still_not_do(small: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right that is lacking, a closed account and a nameless release are found before an incident needs them."""
    monkeypatch.setenv("SID", "AC1")
    with poor_vendors() as url:
        service = small.services["shop"].model_copy(
            update={
                "url": url,
                "releases": small.services["shop"].releases.model_copy(update={"url": url}),
                "tickets": small.services["shop"].tickets.model_copy(update={"url": url}),
            }
        )
        vercel = VercelReleases(by="vercel", url=url, project="small", token="env:RELEASES")
        services = {"shop": service, "vercel": service.model_copy(update={"releases": vercel})}
        messages = small.messages.model_copy(update={"url": url})
        findings = vendor_findings(small.model_copy(update={"services": services, "messages": messages}))

    assert findings["releases", "shop"].says == "wanted the permission push, saw none"
    assert findings["releases", "vercel"].says == "wanted a live deployment, saw none"
    assert findings["tickets", "shop"].mend == "give the token write access to the repository"
    assert findings["messages", "twilio"].says == "wanted an active account, saw another state"
    assert findings["health", "shop"].mend == "put releaseId in it, so that a rollback can be proved"
    assert findings["journey", "shop.login"].mend.startswith("walk login by hand")


def test_vercel_and_branch_are_tried(shop: Protocol) -> None:
    """Releases on Vercel can be looked at, and a branch that is not there is named."""
    vercel = VercelReleases(
        by="vercel", url="env:CRISIS_SANDBOX_VERCEL_URL", project="shop", token="env:CRISIS_SANDBOX_VERCEL_TOKEN"
    )
    repository = shop.services["shop"].repository.model_copy(update={"branch": "trunk"})
    service = shop.services["shop"].model_copy(update={"releases": vercel, "repository": repository})
    findings = vendor_findings(shop.model_copy(update={"services": {"shop": service}}))

    assert findings["releases", "shop"].says == "the live deployment can be read"
    assert findings["repository", "shop"].says == "wanted a branch trunk, saw none"
    assert findings["repository", "shop"].mend == "mend `branch` in protocol.yaml"


def test_slack_is_tried_without_a_word_to_anybody(shop: Protocol, world: World) -> None:
    """A token of another workspace, a missing scope and a refusal are named, each with what to do."""
    place = shop.slack
    assert place is not None
    elsewhere = shop.model_copy(update={"slack": place.model_copy(update={"team": "T0OTHER"})})
    says = {"ready": slack_finding(shop), "elsewhere": slack_finding(elsewhere)}
    try:
        for name, fault in (("scope", {"scopes": "chat:write"}), ("refused", {"error": "invalid_auth"})):
            world.fault("slack", fault)
            says[name] = slack_finding(shop)
    finally:
        world.fault("slack", False)

    assert says["ready"].says == "the app may open conversations, read its own and post"
    assert says["elsewhere"].says == "wanted a token of T0OTHER, saw one of another workspace"
    assert says["scope"].says == "wanted the scopes im:history, im:write, saw a token without"
    assert says["scope"].mend == "add them to the app's bot token scopes and install it again"
    assert says["refused"].mend == "renew the token and look where its reference points"


def test_a_level_that_does_not_authorise_slack_is_named(shop: Protocol) -> None:
    """Otherwise nobody would be asked on Slack there, and nobody would know."""
    levels = dict(shop.levels)
    authorised = tuple(name for name in levels[Level.MINOR].authorised if name != "ask_on_slack")
    levels[Level.MINOR] = levels[Level.MINOR].model_copy(update={"authorised": authorised})

    assert slack_finding(shop.model_copy(update={"levels": levels})).says == (
        "wanted ask_on_slack authorised, saw not at level 3"
    )


def test_slack_is_a_way_to_reach_people(small: Protocol) -> None:
    """Who has no number can be asked on Slack, where the protocol has one."""
    place = Slack(token="env:TOKEN", signing_secret="env:SID")
    ben = small.people["ben"].model_copy(update={"call": None, "slack": "U0BEN"})
    people = {**small.people, "ben": ben}

    assert found(small.model_copy(update={"people": people, "slack": place}), "reach", "ben").says == "by Slack"
    assert not found(small.model_copy(update={"people": people}), "reach", "ben").ok


def slack_finding(protocol: Protocol) -> Finding:
    """Try the Slack of a protocol alone."""
    probes = [check for check in vendor_probes(protocol) if check.what == "slack"]
    return next(one for one in check_readiness(protocol, probes) if one.what == "slack")


def vendor_findings(protocol: Protocol) -> dict[tuple[str, str], Finding]:
    """Try everything, and return what it came to by kind and place."""
    return {(one.what, one.target): one for one in check_readiness(protocol, vendor_probes(protocol))}


def test_a_probe_that_hangs_is_left_behind(small: Protocol) -> None:
    """The check ends in time, whatever a probe waits for."""
    forever = threading.Event()

    def hangs() -> str:
        forever.wait()
        return "too late"

    finding = check_one(small, hangs, "look at the shop", limit=0.2)
    forever.set()

    assert finding == Finding("extra", "probe", ok=False, says="no answer in 0.2 s", mend="look at the shop")


def test_a_foreign_error_is_named_and_not_quoted(small: Protocol) -> None:
    """What an unknown error says may hold a secret, so only its kind is told."""

    def breaks() -> str:
        raise RuntimeError(SECRET)

    assert check_one(small, breaks).says == "it broke with RuntimeError"


def test_whoever_sets_up_is_not_told_to_try_again(small: Protocol) -> None:
    """An outage is mended as the check says, a refusal as the vendor says."""

    def away() -> str:
        raise TransientError("x", vendor="v", operation="o", wanted="it", saw="nothing", then="try again")

    def refused() -> str:
        raise RefusedError("x", vendor="v", operation="o", wanted="it", saw="no", then="renew the token")

    assert check_one(small, away, "check the address").mend == "check the address"
    assert check_one(small, refused, "check the address").mend == "renew the token"


def test_the_table_shows_text_as_it_is() -> None:
    """Square brackets in a finding are text, not markup."""
    failed = Finding("health", "[red]shop", ok=False, says="saw [1]", mend="look")
    console = Console(width=120, file=io.StringIO())
    with console.capture() as shown:
        console.print(render([failed, Finding("gate", "inform", ok=True, says="asks nobody")]))

    assert "2 tried, 1 failed" in shown.get()
    assert "[red]shop" in shown.get()
    assert "saw [1]" in shown.get()
