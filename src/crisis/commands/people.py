"""People: who has which proofs, and how they get them. Secrets go to a file or to the screen, and nowhere else."""

import getpass
from contextlib import suppress
from datetime import datetime

import pyotp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.domain.clock import utc_now
from crisis.domain.passkey import Codes, Link, Passkey, fold_passkeys, works_at
from crisis.domain.person import PEOPLE
from crisis.domain.protocol import Person, Protocol
from crisis.engine.booth import Booth
from crisis.engine.passkeys import remove
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.enrol import codes_file, confirm_codes, make_link, otpauth, pending_secret, qr_matrix
from crisis.settings import Settings, make_home, read_reference

__all__ = ["enrol_person", "list_people", "remove_passkey"]

_TRIES = 3
_SOURCE = "terminal"
_STORES = {
    "env": "set the variable {0} where crisis runs",
    "vault": "write it to Vault as {0}",
    "block": "put it into the Prefect Secret block {0}",
}


def enrol_person(settings: Settings, name: str, *, replace: bool, print_secret: bool, console: Console) -> None:
    """Make a link by which a person enrols, and set up their one-time codes here where we may write them."""
    booth = _booth(settings)
    who = _who(booth.protocol, name)
    person = booth.protocol.people[who]
    if person.proof is None:
        then = "say there how they prove who they are"
        raise ProtocolError(f"people.{who}", wanted="a proof in protocol.yaml", saw="none", then=then)
    codes = _codes(person, replace=replace)
    link, address = make_link(booth, settings, who, codes, f"{_SOURCE}, {getpass.getuser()}")
    _say_link(settings, person, link, address, console)
    if codes:
        _confirm(booth, settings, link, console)
    elif codes_file(person) is not None:
        console.print("One-time codes: there are some already; --replace makes new ones.", highlight=False)
    else:
        _say_where(booth.protocol, who, console, print_secret=print_secret)


def list_people(settings: Settings, console: Console) -> None:
    """Print who is who, and with what each of them can prove it."""
    booth, now = _booth(settings), utc_now()
    passkeys = fold_passkeys(booth.journal.entries(PEOPLE), booth.key).values()
    table = Table(box=None, pad_edge=False)
    for title in ("name", "who", "one-time codes", "passkeys", "also known as", "away"):
        table.add_column(title, no_wrap=title == "name", overflow="fold")
    for who, person in booth.protocol.people.items():
        mine = [one for one in passkeys if one.who == who]
        held = "\n".join(f"{one.short}  {one.label}, {one.since:%Y-%m-%d}" for one in mine)
        cells = [who, f"{person.name} ({person.role})", _say_codes(person), held or _no_passkey(person)]
        table.add_row(*map(Text, [*cells, ", ".join(person.aliases) or "-", _say_away(person, now)]))
    console.print(table)


def remove_passkey(settings: Settings, name: str, short: str, console: Console) -> None:
    """Take a passkey out of force, for good."""
    booth = _booth(settings)
    who = _who(booth.protocol, name)
    passkeys = fold_passkeys(booth.journal.entries(PEOPLE), booth.key).values()
    found: Passkey | None = next((one for one in passkeys if (one.who, one.short) == (who, short)), None)
    if found is None:
        known = ", ".join(one.short for one in passkeys if one.who == who) or "none"
        raise ProtocolError(f"passkey {short[:20]!r} of {who}", wanted=f"one of: {known}", saw="no such passkey")
    remove(booth, found, f"{_SOURCE}, {getpass.getuser()}")
    console.print(Text(f"removed: passkey {found.short} ({found.label}) of {who}; it proves nothing any more"))


def _booth(settings: Settings) -> Booth:
    protocol = load_protocol(settings.protocol_file)
    make_home(settings.home)
    return Booth.of(Journal.open(settings.journal), protocol, settings)


def _who(protocol: Protocol, name: str) -> str:
    who = protocol.person(name)
    if who is None:
        known = ", ".join(protocol.people)
        raise ProtocolError(
            f"person {name[:40]!r}", wanted=f"one of: {known}", saw="a stranger", then="see protocol.yaml"
        )
    return who


def _codes(person: Person, *, replace: bool) -> Codes:
    file = codes_file(person)
    if file is None:
        return ""
    if not file.exists():
        return "new"
    return "replace" if replace else ""


def _say_link(settings: Settings, person: Person, link: Link, address: str, console: Console) -> None:
    console.print(Text(f"For {person.name} alone, until {link.ends:%H:%M} UTC, once:"))
    console.print(Text(address), soft_wrap=True)
    _picture(address, console)
    if not (person.proof and person.proof.passkeys):
        console.print("Passkeys: protocol.yaml admits none for them.", highlight=False)
    elif not works_at(settings.address):
        says = "Passkeys: browsers use none at this address; set CRISIS_PUBLIC_URL to one with a name and https."
        console.print(says, style="yellow", highlight=False)


def _confirm(booth: Booth, settings: Settings, link: Link, console: Console) -> None:
    """Show the secret as a picture, and put it into force when its first code is typed back."""
    console.print(Text("One-time codes: scan this with the authenticator, or do it on the page."))
    _picture(otpauth(booth.protocol, link.who, pending_secret(settings, link)), console)
    says = ""
    for _ in range(_TRIES):
        code = "".join(getpass.getpass("The code that it shows now (nothing: later, on the page): ").split())
        if not code:
            console.print("No code: they count once one was typed on the page.", style="yellow", highlight=False)
            return
        refusal = confirm_codes(booth, settings, link, code, f"{_SOURCE}, {getpass.getuser()}", utc_now())
        if refusal is None:
            console.print("One-time codes: set up.", style="bold green", highlight=False)
            return
        says = refusal
        console.print(Text(says, style="red"))
    raise UnauthorisedError(f"codes of {link.who}", wanted="the code of the new secret", saw=says, then="enrol again")


def _say_where(protocol: Protocol, who: str, console: Console, *, print_secret: bool) -> None:
    person = protocol.people[who]
    if person.proof is None or person.proof.totp is None:
        console.print("One-time codes: protocol.yaml names no place for them.", highlight=False)
        return
    kind, _, where = person.proof.totp.partition(":")
    store = _STORES[kind].format(where)
    how = "" if print_secret else "; --print-secret makes one and prints it"
    console.print(Text(f"One-time codes: we cannot write there. Store a base32 secret yourself: {store}{how}."))
    if print_secret:
        secret = pyotp.random_base32()
        _picture(otpauth(protocol, who, secret), console)
        console.print(Text(f"Secret: {secret}"), soft_wrap=True)


def _picture(text: str, console: Console) -> None:
    """Draw a QR code in half blocks, light squares as ink: so it reads on a dark terminal, with colours or without."""
    rows = qr_matrix(text, border=2)
    rows += [[False] * len(rows[0])] * (len(rows) % 2)
    signs = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line = "".join(signs[pair] for pair in zip(upper, lower, strict=True))
        console.print(Text(line, style="bright_white on black"), no_wrap=True, overflow="ignore", crop=False)


def _say_codes(person: Person) -> str:
    reference = person.proof.totp if person.proof else None
    if reference is None:
        return "-"
    if not reference.startswith(("env:", "file:")):
        return reference  # asking Vault or Prefect is what `crisis check` is for
    with suppress(ProtocolError):
        read_reference(reference)
        return reference
    return f"{reference} (missing)"


def _no_passkey(person: Person) -> str:
    return "none" if person.proof and person.proof.passkeys else "-"


def _say_away(person: Person, now: datetime) -> str:
    covering = [one for one in person.away if one.covers(now)]
    return f"until {covering[0].to:%Y-%m-%d %H:%M}" if covering else "-"
