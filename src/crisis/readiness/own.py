"""Own: what can be tried without any vendor: references, addresses, people, gates and alert senders."""

import base64
import binascii
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from crisis.domain.clock import say_duration
from crisis.domain.model import REFERENCE
from crisis.domain.protocol import Gate, Protocol
from crisis.domain.systems import ByHand, RedisSessions, SqlSessions
from crisis.errors import ProtocolError
from crisis.readiness.trying import LIMIT, Check
from crisis.settings import read_address, read_reference

__all__ = ["own_probes", "strings"]

_SHORTEST_SECRET = 16
_SHORTEST_TOTP = 14  # bytes: RFC 4226 asks for 128 bits and at least 112, which is 23 base32 letters


def own_probes(protocol: Protocol) -> list[Check]:
    """List what can be tried without any vendor: references, addresses, proofs, reach, gates and alert senders."""
    return [
        *_references(protocol),
        *_addresses(protocol),
        *_people(protocol),
        *(Check("gate", kind, partial(_gate, protocol, gate)) for kind, gate in protocol.gates.items()),
        *_senders(protocol),
    ]


def strings(value: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text in a value, with the keys that lead to it."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from strings(below, (*where, str(key)))


def _references(protocol: Protocol) -> list[Check]:
    users: dict[str, list[str]] = {}
    for where, text in strings(protocol.model_dump(mode="json", by_alias=True)):
        if where[-1] != "leaked" and not _is_address(protocol, where) and re.fullmatch(REFERENCE, text):
            users.setdefault(text, []).append(".".join(where))
    return [Check("reference", name, partial(_reference, name, places)) for name, places in users.items()]


def _is_address(protocol: Protocol, where: tuple[str, ...]) -> bool:
    """Say whether a text is where something is reached; the URL of a database has a password in it: a reference."""
    if where[0] == "systems" and len(where) == len(("systems", "name", "url")):
        return where[-1] in ("url", "jwks") and not isinstance(protocol.systems[where[1]], RedisSessions | SqlSessions)
    return where[-1] == "url"


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
    for where, text in strings(protocol.model_dump(mode="json", by_alias=True)):
        if _is_address(protocol, where) and where[-2:] != ("repository", "url"):
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
        socket.create_connection((parts.hostname, port), timeout=LIMIT / 2).close()
    except OSError as error:
        saw, then = type(error).__name__, "check the address, the name server and the firewall"
        raise ProtocolError(text, wanted="a server that takes connections", saw=saw, then=then) from None
    return "takes connections"


def _people(protocol: Protocol) -> Iterator[Check]:
    must = {who for rule in protocol.levels.values() for who in _deciders(protocol, rule.decision_makers)}
    # Who ends credentials by hand closes the task with a one-time code.
    must |= {system.owner for system in protocol.systems.values() if isinstance(system, ByHand)}
    for who, person in protocol.people.items():
        if who in must or who in protocol.stakeholders:
            yield Check("reach", who, partial(_reach, protocol, who))
        if who in must or person.proof:
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
