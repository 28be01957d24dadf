"""List: what a Vault has issued, by public names."""

from crisis.clients import vault
from crisis.clients.vault.inventory import take
from crisis.domain import systems
from crisis.domain.credential import Inventory
from crisis.engine.look import observation
from crisis.engine.run import current_run
from crisis.errors import ProtocolError


@observation
def list_vault_credentials(system: str) -> Inventory:
    """List tokens, leases, secret ids, versions, keys and roots; what could not be seen is named."""
    to = vault_of(system)
    with vault.connect(to) as client:
        return take(client, system, to)


def vault_of(system: str) -> systems.Vault:
    """Return a Vault as protocol.yaml describes it; ProtocolError when there is none of that name."""
    found = current_run().protocol.systems.get(system)
    if not isinstance(found, systems.Vault):
        then = "add it under systems in protocol.yaml"
        raise ProtocolError(f"systems.{system}", wanted="a system of kind vault", saw="none", then=then)
    return found
