"""The checkout sells a cart to somebody who is logged in."""

import pytest


def test_one_mug_is_paid(shopper):
    """A mug costs what the shelf says."""
    answer = shopper.buy({"sku": "mug", "quantity": 1})

    assert answer.status_code == 201
    assert answer.json()["status"] == "paid"


def test_quantities_count(shopper):
    """Ten kettles cost ten times as much as one."""
    answer = shopper.buy({"sku": "kettle", "quantity": 10})

    assert answer.json()["total_cents"] == 69000


def test_strangers_log_in_first(stranger):
    """Nobody buys without a session."""
    assert stranger.buy({"sku": "mug", "quantity": 1}).status_code == 401


@pytest.mark.parametrize(
    "items",
    [[], [{"sku": "moon", "quantity": 1}], [{"sku": "mug", "quantity": 0}], ["mug"]],
)
def test_odd_carts_are_refused(shopper, items):
    """An empty cart, an unknown product or an odd quantity is no order."""
    assert shopper.buy(*items).status_code == 422
