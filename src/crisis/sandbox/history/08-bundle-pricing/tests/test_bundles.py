"""Bundles are cheaper than their parts."""

from shop.bundles import discount
from shop.cart import read


def test_one_product_is_no_bundle():
    """A single product keeps its price."""
    assert discount(read([{"sku": "mug", "quantity": 1}])) == 0


def test_many_of_one_product_are_no_bundle(shopper):
    """Four mugs are four mugs."""
    assert shopper.buy({"sku": "mug", "quantity": 4}).json()["total_cents"] == 4 * 1400
