"""Pricing: what a cart costs."""

from shop.cart import Line

SHIPPING = 490
FREE_FROM = 5000


def shipping(cents: int) -> int:
    """Charge for the parcel unless the order is worth it."""
    return 0 if cents >= FREE_FROM else SHIPPING


def total(lines: list[Line]) -> int:
    """Add the lines and the parcel up, in cents."""
    goods = sum(line.cents for line in lines)
    return goods + shipping(goods)
