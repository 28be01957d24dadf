"""Alert: what a sender's delivery says, in words of ours. Vendor words stop at the files of this package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from crisis.domain.alerting import AlertSender
from crisis.receiver.asking.question import Asker
from crisis.receiver.senders.proof import Offer

__all__ = ["Alert", "Kind", "Message", "Reading"]


@dataclass(frozen=True, slots=True)
class Alert:
    """
    One alert of a delivery.

    `fingerprint` names the alert, the same when it fires and resolves. `starts_at` is None where the sender did not say
    it. `severity` is critical, error, warning, info or empty; the sender's own word stays in the labels.
    """

    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    starts_at: datetime | None = None
    group_key: str = ""
    receiver: str = ""
    summary: str = "an alert"
    severity: str = ""
    service: str = ""
    url: str = ""

    @property
    def firing(self) -> bool:
        """Whether the sender still sees the problem."""
        return self.status == "firing"


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery as it came: its bytes, the few headers that were kept, and what protocol.yaml says of its sender."""

    raw: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    rule: AlertSender | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The alerts of a delivery, in words why something in it is none, and how many more the sender has cut off."""

    alerts: tuple[Alert, ...] = ()
    notes: tuple[str, ...] = ()
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of sender: how its fields are read, and how it proves itself where it does more than show a secret.

    `headers` are kept with a delivery because the body alone does not say what it is; a name that ends in `-` stands
    for all that begin so. `delivery_id` is the sender's own name of a delivery, where it is proved with the rest. A
    `replayable` kind shows the same proof each time. `follow_up` does what a delivery wants of us besides, from the
    inbox, and says what it did. `asker` is how it is asked for what did not reach us. A kind that `repeats` says again
    and again what still fires, so that a repeat is news of its own.
    """

    read: Callable[[Message], Reading]
    proves: Callable[[Offer], bool] | None = None
    headers: tuple[str, ...] = ()
    delivery_id: Callable[[Message], str] | None = None
    replayable: bool = False
    follow_up: Callable[[Message], str] | None = None
    asker: Asker | None = None
    repeats: bool = False
