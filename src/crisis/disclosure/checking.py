"""Checking: what must not stand in a draft of this company, by the guard."""

from urllib.parse import urlsplit

from crisis.disclosure.drafting import Draft
from crisis.domain.disclosure.guard import Allowed, Finding, inspect
from crisis.domain.protocol import Protocol

__all__ = ["check_draft"]


def check_draft(draft: Draft, protocol: Protocol) -> list[Finding]:
    """Return what the guard finds: secrets, personal data, our own people by name, blame, detail for attackers."""
    contact = protocol.law.contact
    named = (contact.name,) if contact is not None else ()
    reached = tuple(one for one in (contact.email, contact.phone) if one) if contact is not None else ()
    hosts = tuple(host for one in protocol.services.values() if (host := urlsplit(one.url).hostname))
    allowed = Allowed(
        names=named,
        addresses=reached,
        hosts=hosts,
        people=tuple(one.name for one in protocol.people.values()),
    )
    return inspect(draft.markdown, allowed)
