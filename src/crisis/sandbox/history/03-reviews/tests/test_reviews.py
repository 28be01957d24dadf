"""Reviews are shown with their average."""


def test_stars_are_averaged(stranger):
    """Five and three stars make four."""
    assert stranger.ask("GET", "/api/reviews/kettle").json()["stars"] == 4.0


def test_silence_has_no_stars(stranger):
    """A product without reviews has no average."""
    assert stranger.ask("GET", "/api/reviews/filter").json()["stars"] is None


def test_unknown_products_have_no_reviews(stranger):
    """Only what we sell can be reviewed."""
    assert stranger.ask("GET", "/api/reviews/moon").status_code == 404
