"""A Vault of the drill ground: speaks HTTP as HashiCorp Vault or OpenBao does, remembers, and breaks when told to."""
