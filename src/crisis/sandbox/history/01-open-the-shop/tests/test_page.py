"""The page and the health answer."""


def test_page_greets(stranger):
    """The front page says the name of the shop."""
    assert "Slow Cup" in stranger.ask("GET", "/").text


def test_shelf_is_listed(stranger):
    """Every product has a price."""
    assert all(product["cents"] > 0 for product in stranger.ask("GET", "/api/products").json())


def test_health_passes(stranger):
    """A healthy shop says pass and which release it is."""
    answer = stranger.ask("GET", "/healthz")

    assert answer.headers["content-type"].startswith("application/health+json")
    assert answer.json()["status"] == "pass"
