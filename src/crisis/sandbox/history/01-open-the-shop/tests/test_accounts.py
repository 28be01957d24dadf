"""Accounts know who is who."""


def test_wrong_password_is_refused(stranger):
    """A wrong password opens nothing."""
    answer = stranger.ask("POST", "/api/login", json={"user": "guest", "password": "wrong"})

    assert answer.status_code == 401
    assert "session" not in stranger.cookies


def test_forged_cookie_is_refused(stranger):
    """A session nobody signed is no session."""
    stranger.cookies.set("session", "guest.99999999999.0000")

    assert stranger.buy({"sku": "mug", "quantity": 1}).status_code == 401
