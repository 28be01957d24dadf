"""AWS SNS: signs by a certificate of AWS. CloudWatch alarms and events come inside; a subscription is confirmed."""

import base64
import re
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from crisis.errors import RefusedError
from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.aws_eventbridge import read_event
from crisis.receiver.senders.certificate import Aws, Certificates, is_signed
from crisis.receiver.senders.proof import Offer
from crisis.receiver.senders.reading import SUMMARY, Fields, ignored, parse_object, said_alone, shown, states, time_of

__all__ = ["CERTIFICATES", "KIND"]

_CONFIRMING = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMING,
    "UnsubscribeConfirmation": _CONFIRMING,
}
_PEM = re.compile(r"/SimpleNotificationService-[0-9A-Za-z-]{8,64}\.pem")
_LONGEST = 2 * 1024 * 1024
"""Bytes of a body that can be SNS's: 256 KiB of text, six bytes for each of its signs, and an envelope."""

_WINDOW = timedelta(minutes=65)
"""SNS goes on trying for an hour, with the time of the first try."""

CERTIFICATES = Certificates(Aws())


def proves(offer: Offer) -> bool:
    """
    Say whether SNS signed this for one of our topics, and lately.

    Topic and host are looked at before anything is fetched: a stranger could else have us fetch what they like.
    """
    if len(offer.raw) > _LONGEST:
        return False
    try:
        body = parse_object(offer.raw, exact=True)
        signature = base64.b64decode(_raw(body, "Signature"), validate=True)
    except ValueError:
        return False
    kind, topic = _raw(body, "Type"), _raw(body, "TopicArn")
    place = _certificate(_raw(body, "SigningCertURL"), _hosts(topic, offer.hosts))
    sent = time_of(_raw(body, "Timestamp"))
    if kind not in _SIGNED or topic not in offer.topics or place is None or sent is None or _is_shifted(body, kind):
        return False
    if abs(offer.now - sent) > (offer.window or _WINDOW):
        return False
    key = CERTIFICATES.key(*place)
    lines = ((name, _raw(body, name)) for name in _SIGNED[kind] if name in body.data)
    text = "".join(f"{name}\n{value}\n" for name, value in lines).encode()
    return key is not None and is_signed(key, _raw(body, "SignatureVersion"), signature, text)


def _is_shifted(body: Fields, kind: str) -> bool:
    """
    Say whether a field may have taken another one in.

    What is signed are names and values on lines of their own: a message id that goes on for three lines, of which the
    second is `Subject`, would have the signature of a message with a subject, and be a new delivery each time.
    """
    plain = [name for name in _SIGNED[kind] if name not in ("Message", "Subject")]
    return any(not _raw(body, name) or "\n" in _raw(body, name) for name in plain)


def _raw(body: Fields, name: str) -> str:
    value = body.data.get(name)
    return value if isinstance(value, str) else ""


def _hosts(topic: str, hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the hosts that speak for a topic: those of protocol.yaml, or that of the topic's own region."""
    partition, _, rest = topic.removeprefix("arn:").partition(":")
    region = rest.removeprefix("sns:").partition(":")[0]
    return tuple(hosts) or (f"sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else ""),)


def _certificate(address: str, hosts: tuple[str, ...]) -> tuple[str, str] | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    # The whole of it is compared, so that neither a port nor a name before an @ changes who is asked.
    plain = parts.scheme == "https" and address == f"https://{parts.netloc}{parts.path}"
    return (parts.netloc, parts.path) if plain and parts.netloc in hosts and _PEM.fullmatch(parts.path) else None


def follow_up(message: Message) -> str:
    """Confirm a subscription, and say so; nothing for all else. TransientError when AWS does not answer."""
    body, rule = parse_object(message.raw), message.rule
    topic = _raw(body, "TopicArn")
    if _raw(body, "Type") != "SubscriptionConfirmation" or rule is None or topic not in rule.topics:
        return ""
    # Not the URL that was sent: this one is ours, with the host of the topic's region.
    asked = {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": _raw(body, "Token")}
    try:
        CERTIFICATES.aws.get(_hosts(topic, rule.hosts)[0], "/", asked)
    except RefusedError:
        return f"AWS refused to confirm the subscription to {topic}; ask for it again at SNS"
    return f"the subscription to {topic} is confirmed"


def read(message: Message) -> Reading:
    """Read a CloudWatch alarm, or an event of EventBridge that a topic hands on."""
    body = parse_object(message.raw)
    kind, topic = _raw(body, "Type"), _raw(body, "TopicArn")
    if kind == "UnsubscribeConfirmation":
        return ignored(f"the subscription to {shown(topic)} was ended; subscribe again if that was not you")
    if kind != "Notification":
        return ignored(f"{shown(kind)} is no notification")
    try:
        inner = parse_object(_raw(body, "Message").encode())
    except ValueError:
        return ignored("its message is text, not a CloudWatch alarm")
    return read_event(inner) if inner.text("detail-type") else _read_alarm(inner, topic)


def _read_alarm(inner: Fields, topic: str) -> Reading:
    if not inner.text("AlarmName"):
        return ignored("its message is not a CloudWatch alarm")
    state = inner.text("NewStateValue")
    status = states(state, ("alarm",), ("ok",))
    if not status:
        return ignored(f"the state {shown(state)} is neither ALARM nor OK")
    return Reading((_alarm(inner, topic, status),))


def _alarm(alarm: Fields, topic: str, status: str) -> Alert:
    # `Region` is a name for people, such as "EU (Ireland)": the topic's is the code.
    region = (topic.split(":") + [""] * 4)[3]
    name, account = alarm.text("AlarmName"), alarm.text("AWSAccountId")
    dimensions = {one.text("name", "Name"): one.text("value", "Value") for one in alarm.rows("Trigger.Dimensions")}
    labels = {key: value for key, value in dimensions.items() if key} | said_alone(
        alertname=name,
        state=alarm.text("NewStateValue"),
        account=account,
        region=region,
        namespace=alarm.text("Trigger.Namespace"),
        metric=alarm.text("Trigger.MetricName"),
        topic=topic.rpartition(":")[2],
    )
    key = f"{account}:{region}:{name}"
    return Alert(
        status=status,
        labels=labels,
        annotations=said_alone(description=alarm.text("AlarmDescription"), reason=alarm.text("NewStateReason")),
        fingerprint=key,
        # When it changed to OK does not say when the trouble began.
        starts_at=alarm.time("StateChangeTime") if status == "firing" else None,
        group_key=key,
        summary=(alarm.text("AlarmDescription") or alarm.text("NewStateReason") or name)[:SUMMARY],
    )


def delivery_id(message: Message) -> str:
    """Return the message's id, the same at every try."""
    return _raw(parse_object(message.raw), "MessageId")


KIND = Kind(read, proves, delivery_id=delivery_id, follow_up=follow_up)
