"""Jira Service Management's alerts: Opsgenie's successor, with the same payload and a custom header."""

from crisis.receiver.senders.alert import Kind
from crisis.receiver.senders.opsgenie import read

__all__ = ["KIND"]

KIND = Kind(read)
