"""Revoking: GitHub tokens that somebody pasted as leaked are ended here, because the run never sees them."""

import getpass
import time
from collections.abc import Callable, Sequence

from pydantic import SecretStr
from rich.console import Console

from crisis.clients.third import github
from crisis.commands.leaking import Pasted
from crisis.domain.leak import Leaked
from crisis.domain.systems.third import GitHubKeys
from crisis.errors import CrisisError, ProtocolError, UnprovenError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["start_and_revoke"]

_REFUSED = "revoked: GitHub refuses it"
_UNTRIED = "handed over; a refresh token cannot be tried"
_LASTING = "STILL ACCEPTED: an installation's, which lasts an hour; suspend the installation"
_ACCEPTED = "STILL ACCEPTED: revoke it in its owner's settings"
_REFUSALS, _PAUSE, _MOST = 3, 0.2, 20


def start_and_revoke(
    settings: Settings, pasted: Pasted, requester: str | None, start: Callable[[], None], console: Console
) -> None:
    """
    Start the run, hand the tokens to GitHub, try each, and put what came of it on the incident's record.

    They are revoked although the run cannot be started: no leaked token should live. UnprovenError when one still does.
    """
    if not pasted.tokens:
        then = "paste them into `--leaked -`, or leave --revoke out"
        raise ProtocolError("--revoke", wanted="a text with GitHub tokens", saw="none", then=then)
    try:
        start()
    except CrisisError:
        _revoke(settings, pasted.tokens, console)
        raise
    fates = _revoke(settings, pasted.tokens, console)
    alive = [name for name, fate in fates.items() if fate not in (_REFUSED, _UNTRIED)]
    listed = "; ".join(f"{name} {fate}" for name, fate in list(fates.items())[:_MOST])
    says = f"{getpass.getuser()} handed {_count(fates)} that had leaked to GitHub, by crisis run --revoke: {listed}"
    journal = Journal.open(settings.journal)
    journal.append(str(pasted.parameters["incident"]), "note", requester or "command line", {"says": says})
    journal.close()
    if alive:
        saw = f"{len(alive)} of {len(fates)} still accepted, or not tried"
        raise UnprovenError("GitHub tokens", wanted="every token refused", saw=saw, then="end them by hand, now")


def _revoke(settings: Settings, tokens: Sequence[Leaked], console: Console) -> dict[str, str]:
    """Return the fate of each token, by its public name; one that lives at any GitHub of ours counts as alive."""
    known = load_protocol(settings.protocol_file).systems.values()
    hubs = {one.url: one for one in known if isinstance(one, GitHubKeys)} or {"": GitHubKeys(kind="github keys")}
    fates = dict.fromkeys((one.name for one in tokens), _REFUSED)
    for hub in hubs.values():
        try:
            fates |= _end(hub, tokens)
        except CrisisError as error:
            fates |= dict.fromkeys(fates, f"NOT PROVED: wanted {error.wanted}, saw {error.saw}")
    for name, fate in fates.items():
        console.print(f"{name}: {fate}", highlight=False, markup=False)
    return fates


def _end(hub: GitHubKeys, tokens: Sequence[Leaked]) -> dict[str, str]:
    """Hand the tokens to one GitHub, and return the fate of each that it does not refuse afterwards."""
    secrets = {one.name: one.secret for one in tokens if one.secret is not None}
    wanted = [secret for secret in secrets.values() if github.revocable(secret)]
    tried = {name: secret for name, secret in secrets.items() if github.can_be_tried(secret)}
    with github.connect(hub.model_copy(update={"token": None})) as door:  # takes no login
        if wanted:
            door.revoke(wanted)
        left = _left(door, tried, hub.patience.total_seconds())
    alive = {name: _ACCEPTED if github.revocable(secrets[name]) else _LASTING for name in left}
    return alive | dict.fromkeys(secrets.keys() - tried.keys(), _UNTRIED)


def _left(door: github.GitHubKeyVendor, tried: dict[str, SecretStr], patience: float) -> list[str]:
    """Try each until all are refused some times in a row, or patience is over; return which are accepted."""
    until, refusals = time.monotonic() + patience, 0
    while True:
        left = [name for name, secret in tried.items() if door.accepts(secret)]
        refusals = 0 if left else refusals + 1
        if refusals >= _REFUSALS or (left and time.monotonic() > until):
            return left
        time.sleep(_PAUSE if left else 0)


def _count(tokens: Sequence[object] | dict[str, str]) -> str:
    return f"{len(tokens)} GitHub token{'' if len(tokens) == 1 else 's'}"
