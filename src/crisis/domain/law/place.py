"""Place: countries and states as ISO 3166 writes them, and what lies in what."""

__all__ = ["EEA", "lies_in"]

EEA = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO",
})  # fmt: skip
"""Where the GDPR applies: the 27 member states, and by the EEA Agreement Iceland, Liechtenstein and Norway."""


def lies_in(place: str, whole: str) -> bool:
    """Whether a place is another one or a part of it: `DE` lies in `EU`, `US-CA` in `US`."""
    return place == whole or place.startswith(f"{whole}-") or (whole == "EU" and place.partition("-")[0] in EEA)
