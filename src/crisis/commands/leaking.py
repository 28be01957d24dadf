"""Leaking: what somebody pasted becomes public names. Quick to load: an intruder works meanwhile."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from crisis.domain.clock import utc_now
from crisis.domain.leak import Leaked, fingerprint_key, recognise
from crisis.domain.start import incident_id
from crisis.errors import ProtocolError
from crisis.settings import Settings, new_token

__all__ = ["Pasted", "hint", "read_leaked"]

_LARGEST = 10_000_000


@dataclass(frozen=True)
class Pasted:
    """
    What leaked: the parameters of a run about it, which hold public names alone, and the GitHub tokens among it.

    The tokens are in memory and go nowhere but to GitHub.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    tokens: tuple[Leaked, ...] = ()


def read_leaked(settings: Settings, leaked: Sequence[str], console: Console) -> Pasted:
    """
    Return what a run about it is told: public names, and its incident, whose key the fingerprints need.

    `-` stands for a text on standard input. It is read once, recognised by its look, and written nowhere.
    Raises ProtocolError when a secret is given as an argument, where every user of the machine could see it.
    """
    if not leaked:
        return Pasted()
    incident = incident_id(new_token(), utc_now())
    key = fingerprint_key(settings.signing_key(), incident)
    names, tokens = [one for one in leaked if one != "-"], tuple[Leaked, ...]()
    if any(one.secret is not None for name in names for one in recognise(name, key)):
        then = "paste it into `--leaked -`, and replace it: it stands in your shell's history"
        raise ProtocolError("--leaked", wanted="a public name, or -", saw="a secret", then=then)
    if "-" in leaked:
        found = recognise(_pasted(), key)
        if not found and not names:
            raise ProtocolError("--leaked -", wanted="a text with a credential", saw="none that is known by its look")
        for one in found:
            console.print(f"leaked: {one.says}", highlight=False, markup=False)
        names += [one.name for one in found]
        tokens = tuple(one for one in found if one.system == "github" and one.secret is not None)
    return Pasted({"leaked": list(dict.fromkeys(names)), "incident": incident}, tokens)


def hint(pasted: Pasted, console: Console) -> None:
    """Say what a person could have done about GitHub tokens and did not."""
    if pasted.tokens:
        number = len(pasted.tokens)
        left = f"{number} GitHub token{'s' if number > 1 else ''} left alive"
        says = f"{left}: with --revoke GitHub ends what was pasted at once, for good"
        console.print(says, style="yellow", highlight=False)


def _pasted() -> str:
    text = sys.stdin.buffer.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ProtocolError("--leaked -", wanted="10 MB at most", saw="more", then="paste the part that leaked")
    return text.replace(b"\0", b"").decode("utf-8", "replace")  # PowerShell writes two bytes for a letter
