"""Bundles: who buys several products together pays less."""

from shop.cart import Line

DISCOUNT_PER_CENT = 10


def discount(lines: list[Line]) -> int:
    """Take ten per cent off the cheapest product of a bundle."""
    if len(lines) < 2:
        return 0
    amounts = {line.product.name: line.cents for line in lines}
    cheapest = min(lines, key=lambda line: line.product.cents)
    return amounts[cheapest.product.sku] * DISCOUNT_PER_CENT // 100
