"""Words: the sentences a shopper reads."""

TITLE = "Slow Cup"
WELCOME = "Everything for a good cup, and nothing else."
FOOTER = "Ordered before noon, sent today. Slow Cup, at the old harbour."
