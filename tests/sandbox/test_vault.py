"""The stand-in of a Vault behaves where our client never goes: batch tokens, seal, audit, certificates, spelling."""

from collections.abc import Iterator

import pytest

from crisis.sandbox.vault import policy
from tests.clients.vault.ground import Ground, opened, stand_in


@pytest.fixture(scope="module", params=["vault", "openbao"])
def server(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Serve either product."""
    with stand_in(request.param) as ground:
        yield opened(ground)


def test_a_batch_token_cannot_be_revoked(server: Ground) -> None:
    """It has no accessor, and lives until its parent is revoked."""
    parent = server.token(policies=["root"])
    batch = server.token(parent=parent["client_token"], policies=["default"], type="batch")
    refused = server.send("POST", "auth/token/revoke", {"token": batch["client_token"]})
    lived = server.lives(batch["client_token"])
    server.ask("POST", "auth/token/revoke-accessor", {"accessor": parent["accessor"]})

    assert (batch["accessor"], refused.status_code, lived) == ("", 400, True)
    assert not server.lives(batch["client_token"])


def test_a_sealed_server_answers_nothing_but_how_it_is(server: Ground) -> None:
    """Health is 503, everything else too, until the key is given; HEAD has no body."""
    assert server.state is not None
    server.ask("PUT", "sys/seal")
    health, other = server.send("HEAD", "sys/health"), server.send("GET", "sys/mounts")
    status = server.ask("GET", "sys/seal-status")
    server.ask("PUT", "sys/unseal", {"key": server.state.unseal_key})

    assert (health.status_code, health.content, other.status_code) == (503, b"", 503)
    assert other.json() == {"errors": ["Vault is sealed"]}
    assert status["sealed"] is True
    assert server.send("GET", "sys/health").status_code == 200


def test_audit_devices_are_no_business_of_openbaos_api(server: Ground) -> None:
    """Vault enables one on request; OpenBao refuses unless its configuration says otherwise."""
    made = server.send("PUT", "sys/audit/file", {"type": "file", "options": {"file_path": "stdout"}})

    assert made.status_code == {"Vault": 204, "OpenBao": 400}[server.product]


def test_a_certificate_is_revoked_once(server: Ground) -> None:
    """Asked again the server returns the first time; the list of revoked ones is made when asked for."""
    server.ask("POST", "sys/mounts/pki", {"type": "pki"})
    server.ask("POST", "pki/root/generate/internal", {"common_name": "drill"})
    serial = server.ask("POST", "pki/issue/web", {"common_name": "shop"})["data"]["serial_number"]
    first, second = (server.ask("POST", "pki/revoke", {"serial_number": serial})["data"] for _ in range(2))
    before = server.send("GET", "pki/certs/revoked?list=true").status_code
    server.ask("GET", "pki/crl/rotate")

    assert first["revocation_time"] == second["revocation_time"]
    assert before == 404
    assert server.ask("LIST", "pki/certs/revoked")["data"]["keys"] == [serial]


def test_a_lease_that_was_forced_away_lives_on_at_its_backend(server: Ground) -> None:
    """Forced, the record is dropped although the database keeps the user."""
    mount = server.database()
    user = server.ask("GET", f"{mount}/creds/shop")["data"]
    server.breaks(backend_broken=True)
    server.ask("PUT", f"sys/leases/revoke-force/{mount}/creds")
    server.breaks()

    assert server.send("LIST", f"sys/leases/lookup/{mount}/creds/shop").status_code == 404
    assert server.gets_in(user["username"], user["password"])


@pytest.mark.parametrize(
    ("path", "op", "may"),
    [
        ("a/b", "read", {"read"}),
        ("a/c", "read", {"update"}),
        ("a/c/d", "read", {"list"}),
        ("a/secret", "read", set()),
        ("a/b/", "list", {"read"}),
        ("other", "read", set()),
    ],
)
def test_the_most_specific_rule_alone_counts(path: str, op: str, may: set[str]) -> None:
    """Exact before `+` before `*`; deny takes all away; a LIST finds the rule without its slash."""
    text = """
    path "a/*" { capabilities = ["list"] } # a comment, with "quotes"
    path "a/+" { capabilities = ["update"] }
    path "a/b" { capabilities = ["read"] }
    path "a/secret" { capabilities = ["deny", "read"] }
    """

    assert policy.allowed([policy.parse(text)], path, op) == may


@pytest.mark.parametrize("text", ['path "a" { capabilities = ["fly"] }', "nonsense", '{"path": 3}'])
def test_a_policy_that_says_nothing_is_refused(server: Ground, text: str) -> None:
    """As it is by the real server, with a 400."""
    assert server.send("PUT", "sys/policies/acl/x", {"policy": text}).status_code == 400


def test_a_policy_may_be_json() -> None:
    """Both spellings mean the same."""
    rules = policy.parse('{"path": {"a": {"capabilities": ["read"]}}}')

    assert policy.allowed([rules], "a", "read") == {"read"}
