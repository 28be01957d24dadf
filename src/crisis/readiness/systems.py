"""Systems: is each one reached, is our credential taken, is its canary ready; by reads that change nothing."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from crisis.clients import aws, sessions, third, vault
from crisis.clients.third.github import can_be_tried
from crisis.clients.third.keys import read
from crisis.domain.clock import say_duration
from crisis.domain.model import REFERENCE
from crisis.domain.protocol import Protocol
from crisis.domain.systems import Aws, ByHand, Sessions, System, ThirdParty, Vault
from crisis.domain.systems.canary import Canary
from crisis.domain.systems.third import ThirdKey
from crisis.errors import ProtocolError
from crisis.readiness.own import strings
from crisis.readiness.trying import Check
from crisis.settings import read_reference

__all__ = ["system_probes"]


def system_probes(protocol: Protocol) -> list[Check]:
    """List what is tried at the systems that hold credentials or sessions."""
    return [check for name, system in protocol.systems.items() for check in _checks(protocol, name, system)]


def _checks(protocol: Protocol, name: str, system: System) -> Iterator[Check]:
    mend = f"check systems.{name}: its address, and the permissions of its credential"
    yield Check(system.kind, name, partial(_look, protocol, system), mend)
    if isinstance(system, Sessions):
        yield Check("canary", name, partial(_canary, system.canary), f"check systems.{name}.canary")
    if isinstance(system, ThirdParty):
        for key in system.keys:
            if key.secret is not None:
                yield Check("key", f"{name}.{key.name}", partial(_key, system, key, key.secret), mend)


def _look(protocol: Protocol, system: System) -> str:
    if isinstance(system, Aws):
        return _aws(system)
    if isinstance(system, Vault):
        return _vault(system)
    if isinstance(system, ByHand):
        return _by_hand(protocol, system)
    if isinstance(system, Sessions):
        with sessions.connect(system) as holder:
            return holder.look()
    with third.connect(system) as vendor:
        return vendor.look()


def _aws(system: Aws) -> str:
    with aws.connect(system) as account:
        return f"account {account.number()} takes the key {account.session.own_key}"


def _vault(system: Vault) -> str:
    with vault.connect(system) as client:
        client.server.unsealed()
        token = client.tokens.me()
        if not token.orphan:
            then = "make it with -orphan, or by a login"
            raise ProtocolError("token", wanted="an orphan", saw="one that ends with its parent", then=then)
        left = timedelta(seconds=token.seconds_left)
        lasts = f"lasts {say_duration(left)} more" if left else "does not expire"
        return f"{client.server.product()}, unsealed; the token {lasts}"


def _by_hand(protocol: Protocol, system: ByHand) -> str:
    if system.owner not in protocol.people:
        raise ProtocolError(system.owner, wanted="an owner from people", saw="nobody", then="name one of them")
    return f"by hand: {system.owner} is given a task for each of {len(system.credentials)}"


def _canary(canary: Canary) -> str:
    """Read what its login needs, and leave it at that: to log in would make a session."""
    for where, text in strings(canary.model_dump(mode="json", by_alias=True)):
        if where[-1] == "url" or not re.fullmatch(REFERENCE, text):
            continue
        try:
            read_reference(text)
        except ProtocolError as error:
            wanted = f"{text} for {'.'.join(where)}"
            raise ProtocolError(text, wanted=wanted, saw=error.saw, then=error.then) from None
    return "what its login needs can be read; it does not log in here"


def _key(system: ThirdParty, key: ThirdKey, reference: str) -> str:
    secret = read(reference)
    if not can_be_tried(secret):
        return "cannot be tried without using it up"
    with third.connect(system) as vendor:
        if not vendor.accepts(secret):
            # Refused before it is ended, its refusal afterwards would prove nothing.
            then = "mend its reference, or take the key out"
            raise ProtocolError(key.name, wanted="a key that works", saw="one that is refused", then=then)
    return "works"
