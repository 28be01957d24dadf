"""Systems: what holds credentials or sessions, one file for each vendor, as protocol.yaml lists them."""

from crisis.domain.systems.by_hand import ByHand

__all__ = ["ByHand", "System"]

System = ByHand
"""Any system. `kind` tells them apart."""
