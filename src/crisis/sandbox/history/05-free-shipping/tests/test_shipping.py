"""Large orders are sent for free."""


def test_small_orders_pay_the_parcel(shopper):
    """One mug costs the mug and the parcel."""
    assert shopper.buy({"sku": "mug", "quantity": 1}).json()["total_cents"] == 1400 + 490


def test_large_orders_are_sent_for_free(shopper):
    """From fifty on, the parcel is ours."""
    assert shopper.buy({"sku": "kettle", "quantity": 1}).json()["total_cents"] == 6900
