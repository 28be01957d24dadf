"""Words: the sentences a shopper reads."""

TITLE = "Slow Cup"
WELCOME = "Everything for a good cup, and nothing else."
FOOTER = "Slow Cup, at the old harbour."
