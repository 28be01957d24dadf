"""Disclosure: what may be said of an incident, to whom, and what must not stand in it."""
