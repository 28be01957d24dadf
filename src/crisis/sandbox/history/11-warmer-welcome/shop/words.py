"""Words: the sentences a shopper reads."""

TITLE = "Slow Cup"
WELCOME = "Come in, sit down: everything for a good cup."
FOOTER = "Ordered before noon, sent today. Slow Cup, at the old harbour."
