"""Revoke third: end keys of other companies' services, and prove that the vendor refuses them."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from pydantic import SecretStr

from crisis.clients.third import connect, github
from crisis.clients.third.keys import KeyVendor, ListedKey, read
from crisis.domain.change import Change
from crisis.domain.clock import utc_now
from crisis.domain.credential import Credential, Inventory
from crisis.domain.leak import fingerprint, fingerprint_key, recognise
from crisis.domain.systems.third import GitHubKeys, ThirdKey, ThirdParty
from crisis.engine.action import action
from crisis.engine.look import observation
from crisis.engine.run import current_run
from crisis.errors import ProtocolError, RefusedError, UnprovenError

T = TypeVar("T")

_REFUSALS = 3
"""How often in a row an old key must be refused: a vendor's machines do not all hear of it at once."""

_PAUSE = 0.5
_AT_ONCE = 8
_MOST_NAMES = 20


@observation
def list_third_party_keys(system: str) -> Inventory:
    """List the keys of a third party: those it lists itself, and those that protocol.yaml knows."""
    model, listed, unseen = _system(system), list[ListedKey](), list[str]()
    with connect(model) as vendor:
        try:
            found = vendor.listed()
            listed = found or []
            unseen = [] if found is not None else [f"{system}: its keys are not listed; those of protocol.yaml alone"]
        except RefusedError as error:
            unseen = [f"{system}: {error.saw}; {error.then}"]
        seen = {one.name for one in listed}
        unlisted = [_tried(vendor, key, lists=not unseen) for key in model.keys if key.name not in seen]
    known = {key.name: key for key in model.keys}
    keys = [_credential(system, model, one, known.get(one.name)) for one in (*listed, *unlisted)]
    return Inventory(taken_at=utc_now(), credentials=tuple(keys), unseen=tuple(unseen))


@action(kind="destroy", needs=("third-party:keys:write",), undo="none")
def end_third_party_key(system: str, key: str) -> Change:
    """
    End one key of a third party, by its public name, and prove that the vendor refuses it.

    Again  finds the key dead and changes nothing.
    Undo   none: whoever still needs it gets another key.
    Fails  RefusedError that names the missing permission; ProtocolError where the API cannot end it;
           UnprovenError when the key still works.
    """
    model = _system(system)
    known = next((one for one in model.keys if one.name == key), None)
    secret = read(known.secret) if known is not None and known.secret else None
    _check_not_ours(model, key, secret)
    with connect(model) as vendor:
        if _is_dead(vendor, key, secret):
            because = "the vendor refuses it" if secret else "it is not in the vendor's list"
            return Change.none(f"{system}/{key}", because=because, proof=because)
        vendor.end(key, secret)
        proof = _prove(vendor, f"{system}/{key}", key, secret, model.patience)
    return Change.done(f"{system}/{key}", f"ended; {proof}", proof=proof)


@action(kind="destroy", needs=("github:credentials:revoke",), undo="none")
def revoke_leaked_tokens(system: str) -> Change:
    """
    Hand every GitHub token of the text that `leaked` points to over to GitHub, which ends them whosever they are.

    Again  finds the tokens refused and hands none over.
    Undo   none: GitHub revives no revoked token.
    Fails  RefusedError when GitHub takes none; UnprovenError that counts the tokens that still work.
    """
    model = _system(system)
    if not isinstance(model, GitHubKeys) or model.leaked is None:
        raise ProtocolError(system, wanted="github keys with `leaked`", saw="none", then="say where the text is")
    incident = _incident_key()
    found = recognise(read(model.leaked).get_secret_value(), incident)
    tokens = [one.secret for one in found if one.system == "github" and one.secret is not None]
    with github.connect(model) as hub:
        tried = [one for one in tokens if github.can_be_tried(one)]
        living = _living(hub, tried)
        hopeless = [one for one in living if not github.revocable(one)]
        # A refresh token cannot be tried: it is handed over again each time, which does no harm.
        unsure = [one for one in tokens if not github.can_be_tried(one)]
        wanted = [one for one in (*living, *unsure) if github.revocable(one)]
        calls = hub.revoke(wanted) if wanted else 0
        left = _wait(lambda: _living(hub, tried), model.patience)
    if left:
        raise _still_accepted(f"{system} leaked tokens", len(left), len(tokens), len(hopeless))
    untried = len(unsure)
    proof = f"{len(tokens) - untried} of {len(tokens)} tried and refused"
    names = [fingerprint(incident, one.get_secret_value()) for one in tokens]
    facts = {"tokens": len(tokens), "calls": calls, "names": names[:_MOST_NAMES], "proof": proof}
    if not living and not untried:
        return Change.none(f"{system} leaked tokens", because=f"no token works: {proof}", **facts)
    return Change.done(f"{system} leaked tokens", f"handed {len(wanted)} tokens to GitHub; {proof}", **facts)


def _still_accepted(target: str, left: int, of: int, hopeless: int) -> UnprovenError:
    lasting = f", {hopeless} of them an installation's" if hopeless else ""
    then = "suspend the App's installation, or wait an hour" if hopeless else "revoke them in their owners' settings"
    saw = f"{left} of {of} still accepted{lasting}"
    return UnprovenError(target, wanted="every token refused", saw=saw, then=then)


def _system(name: str) -> ThirdParty:
    found = current_run().protocol.systems.get(name)
    if not isinstance(found, ThirdParty):
        then = "name one of protocol.yaml's systems"
        raise ProtocolError(name, wanted="a third party's keys", saw="none", then=then)
    return found


def _credential(system: str, model: ThirdParty, one: ListedKey, known: ThirdKey | None) -> Credential:
    return Credential(
        system=system, kind=model.kind, name=one.name, holder=one.holder, fate="revoke",
        used_by=known.used_by if known else (), alive=one.alive, note=one.note,
    )  # fmt: skip


def _tried(vendor: KeyVendor, key: ThirdKey, *, lists: bool) -> ListedKey:
    """Say of a key that its vendor does not name whether it is taken; without its value, a list without it must do."""
    note = "in protocol.yaml alone"
    alive = vendor.accepts(read(key.secret)) if key.secret is not None else not lists
    return ListedKey(key.name, alive=alive, note=note if alive else f"{note}; the vendor refuses it")


def _check_not_ours(model: ThirdParty, key: str, secret: SecretStr | None) -> None:
    """Refuse to end the key that ends keys: afterwards nothing could be looked at, and nobody else let in."""
    ours = getattr(model, "token", None)
    if ours and secret is not None and read(ours) == secret:
        then = "give this system another token first, then end this one"
        raise ProtocolError(key, wanted="a key that is not our own way in", saw="our own", then=then)


def _is_dead(vendor: KeyVendor, key: str, secret: SecretStr | None) -> bool:
    """Say whether nothing is left to do; a refused value alone is not enough where the list still has the key."""
    try:
        listed = vendor.listed()
    except RefusedError:  # a token that may end keys and not list them is enough
        listed = None
    in_list = listed is not None and any(one.name == key and one.alive for one in listed)
    if in_list or (listed is None and secret is None):
        return False
    return secret is None or not vendor.accepts(secret)


def _prove(vendor: KeyVendor, target: str, key: str, secret: SecretStr | None, patience: timedelta) -> str:
    if secret is not None:
        if _wait(lambda: vendor.accepts(secret), patience):
            then = "end it by hand, or run again: some vendors take up to an hour"
            raise UnprovenError(target, wanted="a key that is refused", saw="the vendor still accepts it", then=then)
        return f"the vendor refused it {_REFUSALS} times"
    listed = vendor.listed()
    if listed is None or any(one.name == key and one.alive for one in listed):
        raise UnprovenError(target, wanted="a key that is gone", saw="no sign of it", then="look at the vendor by hand")
    return "gone from the vendor's list; its value is not known here, so it was not tried"


def _wait(still: Callable[[], T], patience: timedelta) -> T:
    """Ask until nothing is left several times in a row, or until patience is over; return what is left."""
    deadline, refusals = time.monotonic() + patience.total_seconds(), 0
    while True:
        left = still()
        refusals = 0 if left else refusals + 1
        if refusals >= _REFUSALS or (left and time.monotonic() >= deadline):
            return left
        time.sleep(_PAUSE if left else 0.0)


def _living(hub: github.GitHubKeyVendor, tokens: list[SecretStr]) -> list[SecretStr]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [one for one, lives in zip(tokens, pool.map(hub.accepts, tokens), strict=True) if lives]


def _incident_key() -> bytes:
    run = current_run()
    return fingerprint_key(run.settings.signing_key(), run.incident)
