"""The drill ground: a shop that can really break, its git origin, its deployer, and vendors with switches."""
