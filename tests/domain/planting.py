"""Secrets of every kind for tests, as the drill plants them."""

from crisis.drill.planting import MAKERS, github, letters, mixed, planted, private_key, web_token

__all__ = ["MAKERS", "github", "letters", "mixed", "planted", "private_key", "web_token"]
