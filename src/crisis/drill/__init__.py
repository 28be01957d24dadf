"""Rehearse a playbook for real, in the sandbox, and say how it went."""
