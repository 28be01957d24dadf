"""Verbs: what playbooks do and look at, one file each."""
