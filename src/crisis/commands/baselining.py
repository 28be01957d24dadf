"""Baselining: the state of an account before anything leaks."""

from rich.console import Console

from crisis.clients import aws
from crisis.clients.aws import baseline
from crisis.domain.systems import Aws
from crisis.errors import ProtocolError
from crisis.protocol_file import load_protocol
from crisis.settings import Settings, make_home

__all__ = ["take_baseline"]


def take_baseline(settings: Settings, system: str, console: Console) -> None:
    """Write down the state of an AWS account as it should be."""
    found = load_protocol(settings.protocol_file).systems.get(system)
    if not isinstance(found, Aws):
        saw = "nothing of that name" if found is None else found.kind
        raise ProtocolError(f"systems.{system}", wanted="an AWS account", saw=saw, then="name one from protocol.yaml")
    make_home(settings.home)
    file = baseline.file_of(settings.home, system)
    with aws.connect(found) as account:
        number = baseline.write(account, file)
    console.print(f"{number} things of {system} are known to be good: {file}", soft_wrap=True, highlight=False)
