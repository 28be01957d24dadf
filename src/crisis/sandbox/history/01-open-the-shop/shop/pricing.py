"""Pricing: what a cart costs."""

from shop.cart import Line


def total(lines: list[Line]) -> int:
    """Add the lines up, in cents."""
    return sum(line.cents for line in lines)
