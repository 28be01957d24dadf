"""Crisis playbooks that are approved, executed, proved and rehearsed."""
