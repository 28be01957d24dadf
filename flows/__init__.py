"""Playbooks: one file each, reading like the runbook."""
