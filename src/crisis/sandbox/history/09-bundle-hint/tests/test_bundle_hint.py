"""The page tells shoppers about bundles."""


def test_page_mentions_the_bundle(stranger):
    """The hint stands below the sum."""
    assert "ten per cent off" in stranger.ask("GET", "/").text
