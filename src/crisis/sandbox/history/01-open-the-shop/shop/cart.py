"""Cart: what somebody wants to buy, checked against the catalogue."""

from dataclasses import dataclass
from typing import Any

from shop.catalogue import PRODUCTS, Product

LARGEST_QUANTITY = 99


class CartError(ValueError):
    """The cart cannot be sold; the text says why."""


@dataclass(frozen=True)
class Line:
    """One product and how many of it."""

    product: Product
    quantity: int

    @property
    def cents(self) -> int:
        """What the line costs."""
        return self.product.cents * self.quantity


def read(items: Any) -> list[Line]:
    """Turn the items of a request into lines, one for each product."""
    if not isinstance(items, list) or not items:
        raise CartError("the cart is empty")
    quantities: dict[str, int] = {}
    for item in items:
        sku, quantity = _item(item)
        quantities[sku] = quantities.get(sku, 0) + quantity
    return [Line(PRODUCTS[sku], quantity) for sku, quantity in quantities.items()]


def _item(item: Any) -> tuple[str, int]:
    if not isinstance(item, dict):
        raise CartError("an item has a sku and a quantity")
    sku, quantity = item.get("sku"), item.get("quantity", 1)
    if sku not in PRODUCTS:
        raise CartError(f"we do not sell {sku!r}")
    if not isinstance(quantity, int) or not 1 <= quantity <= LARGEST_QUANTITY:
        raise CartError(f"the quantity is between 1 and {LARGEST_QUANTITY}")
    return sku, quantity
