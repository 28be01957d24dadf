"""Replaying: put a copy of a stored delivery into the inbox, under a name of its own, and note who did that."""

import hashlib
from itertools import count

from crisis.domain.clock import utc_now, write_time
from crisis.journal.inbox import Delivery, Inbox
from crisis.journal.store import AlreadyRecordedError, Journal
from crisis.receiver.copied import headers_of_copy
from crisis.receiver.recording import INBOX_CHAIN

__all__ = ["replay", "said_of_copy"]


def replay(journal: Journal, delivery: Delivery, who: str) -> str:
    """
    Put a copy into the inbox, and return its name.

    The copy is judged as if it came in now. An alert that was taken in before is known by its own name all the same,
    and starts nothing twice.
    """
    inbox, numbers = Inbox(journal.database), count(1)
    while True:
        name = hashlib.sha256(f"{delivery.delivery} replay {next(numbers)}".encode()).hexdigest()
        copy = Delivery(name, delivery.sender, write_time(utc_now()), delivery.raw, headers=headers_of_copy(delivery))
        says = f"{who} replayed delivery {delivery.delivery[:12]} of {delivery.sender} as {name[:12]}"
        body = {"says": says, "delivery": name, "replays": delivery.delivery}
        try:
            with journal.database.together():
                if inbox.put_all([copy]):
                    journal.append(INBOX_CHAIN, "note", "command line", body, key=_key(name))
                    return name
        except AlreadyRecordedError:
            continue  # an earlier replay whose copy was thrown away since


def said_of_copy(journal: Journal, delivery: Delivery) -> str:
    """Return what the record says of how a copy came to be, or nothing."""
    noted = journal.recorded(INBOX_CHAIN, _key(delivery.delivery))
    return f"{noted.body.get('says', '')}, at {noted.at[:19].replace('T', ' ')} UTC" if noted else ""


def _key(name: str) -> str:
    return f"replayed:{name}"
