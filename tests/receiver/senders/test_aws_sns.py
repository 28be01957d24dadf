"""AWS SNS: its certificate, its handshake, its alarms, and everything that is refused before anything is fetched."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
import requests
from moto import mock_aws

from crisis.domain.clock import utc_now
from crisis.errors import RefusedError, TransientError
from crisis.journal.inbox import HELD
from crisis.receiver.dispatch import handle
from crisis.receiver.senders import aws_sns
from crisis.receiver.senders.alert import Message
from crisis.receiver.senders.certificate import Aws, Certificates
from tests.receiver.conftest import CAPTURED, Browser, delivered
from tests.receiver.senders.conftest import Receive, rule_of
from tests.receiver.senders.notary import PEM, TOPIC, Cloud

HOST = "sns.eu-west-1.amazonaws.com"
ALARM = {"AlarmName": "5xx", "NewStateValue": "ALARM", "StateChangeTime": "2026-11-24T12:00:00.000+0000"}
NOTICE = {"Type": "Notification", "MessageId": "m1", "TopicArn": TOPIC, "Message": json.dumps(ALARM)}
HANDSHAKE = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "m2",
    "TopicArn": TOPIC,
    "Message": "You have chosen",
    "Token": "t0ken",
    "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription",
}


def post(browser: Browser, raw: bytes) -> int:
    """Post a message and return the status of the answer."""
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
    return browser.send("POST", "/alerts/aws-sns", content=raw, headers=headers).status_code


@pytest.mark.parametrize("version", ["1", "2"])
def test_signed_alarm_is_taken(version: str, receive: Receive, cloud: Cloud) -> None:
    """Both versions of the signature are accepted, with and without a subject; the certificate is fetched once."""
    browser = receive("aws-sns")

    assert post(browser, cloud.sign(NOTICE, version)) == 202
    assert post(browser, cloud.sign({**NOTICE, "MessageId": "m3", "Subject": "ALARM: \u00fc\n2"}, version)) == 202
    assert len(delivered(browser.context)) == 2
    assert cloud.asked == [(HOST, PEM, {})]


def test_same_message_is_one_delivery(receive: Receive, cloud: Cloud) -> None:
    """MessageId stays at every try, even where the bytes do not."""
    browser = receive("aws-sns")

    assert [post(browser, cloud.sign(NOTICE, version)) for version in "12"] == [202, 202]
    assert len(delivered(browser.context)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"MessageId": "m1\nSubject\ns", "Subject": None},
        {"MessageId": None, "Message": f"{NOTICE['Message']}\nMessageId\nm1"},
    ],
)
def test_fields_that_are_moved_into_others_are_refused(
    change: dict[str, str | None], receive: Receive, cloud: Cloud
) -> None:
    """The signature stays the same, and what was captured would be a new delivery under another name."""
    browser, raw = receive("aws-sns"), cloud.sign({**NOTICE, "Subject": "s"})
    body = {**json.loads(raw), **change}
    moved = json.dumps({name: value for name, value in body.items() if value is not None}).encode()

    assert [post(browser, raw), post(browser, moved)] == [202, 401]
    assert len(delivered(browser.context)) == 1


@pytest.mark.parametrize("name", ["Message", "MessageId", "TopicArn", "Timestamp", "Type", "Subject", "Signature"])
def test_tampered_message_is_refused(name: str, receive: Receive, cloud: Cloud) -> None:
    """Every signed field changed by one character is answered 401."""
    body = json.loads(cloud.sign({**NOTICE, "Subject": "s"}))
    changed = {**body, name: body[name][:-1] + ("A" if body[name][-1] != "A" else "B")}

    assert post(receive("aws-sns"), json.dumps(changed).encode()) == 401
    assert post(receive("aws-sns"), json.dumps({**body, "SignatureVersion": "3"}).encode()) == 401


@pytest.mark.parametrize(
    "address",
    [
        f"https://sns.eu-west-1.amazonaws.com.evil.example{PEM}",
        f"https://evil.example{PEM}",
        f"https://evil.example/{HOST}{PEM}",
        f"https://{HOST}@evil.example{PEM}",
        f"https://evil.example@{HOST}{PEM}",
        f"https://{HOST}:8443{PEM}",
        f"http://{HOST}{PEM}",
        f"https://{HOST}{PEM}?x=1",
        f"https://{HOST}{PEM}#x",
        f"https://{HOST}/../{PEM}",
        f"https://{HOST}/other.pem",
        f"https://sns.us-east-1.amazonaws.com{PEM}",
        f"https://SNS.eu-west-1.amazonaws.com{PEM}",
        f"file://{PEM}",
        "https://[",
        "",
        f" https://{HOST}{PEM}",
        f"https://{HOST}{PEM}\n",
    ],
)
def test_foreign_host_is_refused_and_never_asked(address: str, receive: Receive, cloud: Cloud) -> None:
    """Nothing is fetched from anywhere but the SNS of the topic's own region."""
    assert post(receive("aws-sns"), cloud.sign({**NOTICE, "SigningCertURL": address})) == 401
    assert cloud.asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:alerta-test"},
        {"TopicArn": ""},
        {"TopicArn": 5},
        {"Type": "Other"},
        {"Timestamp": (datetime.now(UTC) - timedelta(minutes=70)).isoformat()},
        {"Timestamp": (datetime.now(UTC) + timedelta(minutes=70)).isoformat()},
        {"Timestamp": "soon"},
    ],
)
def test_foreign_topic_and_stale_time_are_refused_unfetched(
    change: dict[str, Any], receive: Receive, cloud: Cloud
) -> None:
    """Anybody has a topic, and a signature of AWS: only ours count, and only lately."""
    assert post(receive("aws-sns"), cloud.sign({**NOTICE, **change})) == 401
    assert cloud.asked == []


def test_host_of_protocol_takes_the_place_of_the_usual_one(receive: Receive, cloud: Cloud) -> None:
    """`hosts` says who else may be asked, and then nobody else is."""
    browser = receive("aws-sns", hosts=["sns.internal.example"])

    assert post(browser, cloud.sign({**NOTICE, "SigningCertURL": f"https://sns.internal.example{PEM}"})) == 202
    assert post(browser, cloud.sign(NOTICE)) == 401


def test_certificate_that_cannot_be_fetched_now_is_come_again(receive: Receive, cloud: Cloud) -> None:
    """A refusal would lose the alarm: SNS does not repeat a 401. So it is told to come again, and then taken."""
    browser, raw = receive("aws-sns"), cloud.sign(NOTICE)
    cloud.away = True
    assert post(browser, raw) == 503
    cloud.away = False

    assert post(browser, raw) == 202


def test_certificate_that_is_not_there_proves_nothing(receive: Receive, cloud: Cloud) -> None:
    """What AWS does not have, or is no certificate, is answered 401, and asked for once."""
    browser, raw = receive("aws-sns"), cloud.sign(NOTICE)
    cloud.refuses = True

    assert [post(browser, raw), post(browser, raw)] == [401, 401]
    assert len(cloud.asked) == 1
    cloud.pem, cloud.refuses = b"no certificate", False
    other = cloud.sign({**NOTICE, "SigningCertURL": f"https://{HOST}/SimpleNotificationService-00000000.pem"})
    assert post(browser, other) == 401


def test_made_up_certificates_are_not_fetched_without_end(cloud: Cloud) -> None:
    """A stranger who makes addresses up gets a few fetches a minute out of us."""
    certificates = Certificates(cloud)
    cloud.refuses = True
    answers: list[object] = []
    for number in range(40):
        try:
            answers.append(certificates.key(HOST, f"/{number}"))
        except TransientError:
            answers.append("later")

    assert (answers.count(None), answers.count("later"), len(cloud.asked)) == (20, 20, 20)


def test_made_up_certificates_do_not_push_out_the_one_in_use(cloud: Cloud) -> None:
    """Whoever knows a topic could else keep its alarms away: each would need a fetch that strangers have used up."""
    now = [0.0]
    certificates = Certificates(cloud, lambda: now[0])
    assert certificates.key(HOST, PEM) is not None
    cloud.refuses = True
    for number in range(200):
        now[0] += 3.1
        assert certificates.key(HOST, f"/{number}") is None

    assert certificates.key(HOST, PEM) is not None


def test_certificate_that_was_refused_once_is_asked_for_again(cloud: Cloud) -> None:
    """A proxy that says 403 for a moment does not lock AWS out until we are started again."""
    now = [0.0]
    certificates = Certificates(cloud, lambda: now[0])
    cloud.refuses = True
    assert certificates.key(HOST, PEM) is None
    cloud.refuses = False
    assert certificates.key(HOST, PEM) is None
    now[0] = 61.0

    assert certificates.key(HOST, PEM) is not None
    assert len(cloud.asked) == 2


def test_handshake_is_done_from_the_inbox(receive: Receive, cloud: Cloud) -> None:
    """The confirmation is asked of the topic's own region, not of the address that was sent, after the answer."""
    browser = receive("aws-sns")
    assert post(browser, cloud.sign(HANDSHAKE)) == 202
    assert [asked[1] for asked in cloud.asked] == [PEM]

    (kept,) = delivered(browser.context)
    assert handle(browser.context, kept) == []
    asked = {"Action": "ConfirmSubscription", "TopicArn": TOPIC, "Token": "t0ken"}
    assert cloud.asked[1:] == [(HOST, "/", asked)]
    (settled,) = browser.context.inbox.latest()
    assert (settled.state, settled.says) == ("ignored", f"the subscription to {TOPIC} is confirmed")
    (note,) = browser.context.journal.entries("INBOX")
    assert "is confirmed" in note.body["says"]


def test_handshake_waits_until_aws_answers(receive: Receive, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays in the inbox while AWS does not answer, so that a crash loses nothing; after an hour it is given up."""
    context = receive("aws-sns").context
    context.inbox.put("d1", "aws-sns", cloud.sign(HANDSHAKE))
    (kept,) = delivered(context)
    cloud.away = True
    assert handle(context, kept) == []
    assert [one.state for one in context.inbox.held()] == [HELD]

    cloud.away = False
    handle(context, kept)
    assert "is confirmed" in context.inbox.latest()[0].says
    context.inbox.put("d2", "aws-sns", cloud.sign(HANDSHAKE))
    cloud.away = True
    monkeypatch.setattr("crisis.receiver.dispatch.utc_now", lambda: utc_now() + timedelta(minutes=61))
    handle(context, delivered(context)[0])
    assert "given up" in context.inbox.latest()[0].says


def test_handshake_that_aws_refuses_is_said(cloud: Cloud) -> None:
    """A token that is over is no reason to try for ever."""
    cloud.refuses = True
    message = Message(json.dumps(HANDSHAKE).encode(), {}, rule_of("aws-sns"))
    foreign = Message(json.dumps({**HANDSHAKE, "TopicArn": "arn:other"}).encode(), {}, rule_of("aws-sns"))

    assert "AWS refused" in aws_sns.follow_up(message)
    assert aws_sns.follow_up(foreign) == ""


def test_real_client_speaks_https_and_rests() -> None:
    """The client says that nobody answers, and does not ask again at once."""
    aws = Aws()
    for saw in ("ask", "no answer a moment ago"):
        with pytest.raises(TransientError) as caught:
            aws.get("sns.nowhere.invalid", "/x.pem")
        assert saw in f"{caught.value.operation} {caught.value.saw}"


def test_inner_message_of_one_metric_is_read() -> None:
    """The shared inner message of an alarm with its dimensions."""
    file = CAPTURED / "aws-sns" / "cloudwatch_alarm_message_single_metric.json"
    if not file.exists():
        pytest.skip(f"{file.name} of the captured webhooks is not here")
    inner = json.loads(file.read_bytes())["Records"][0]["Sns"]["Message"]
    (found,) = aws_sns.KIND.read(Message(json.dumps({**NOTICE, "Message": inner}).encode())).alerts

    assert (found.status, found.labels["alertname"]) == ("firing", "EXAMPLE")


class _Forwarding(Aws):
    """Asks moto, which answers for AWS's own hosts in this process."""

    def get(self, host: str, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Ask through requests, which moto listens to."""
        answer = requests.get(f"https://{host}{path}", params=dict(params or {}), timeout=5)
        if answer.status_code != 200:
            raise RefusedError(host, vendor="aws-sns", operation="ask", saw=str(answer.status_code))
        return answer.content


@contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """Take what is posted, and keep it."""
    kept: list[bytes] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerts/aws-sns", kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_really_signed_deliveries_of_moto(receive: Receive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What moto signs and posts is taken, its subscription confirmed by its API; tampered, it is refused."""
    monkeypatch.setattr(aws_sns, "CERTIFICATES", Certificates(_Forwarding()))
    with mock_aws(), listener() as (endpoint, posted):
        client = boto3.client("sns", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
        topic = client.create_topic(Name="alarms")["TopicArn"]
        client.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
        client.publish(TopicArn=topic, Message=json.dumps(ALARM))
        browser, raw = receive("aws-sns", topics=[topic]), posted[-1]
        body = json.loads(raw)
        tampered = raw.replace(b"5xx", b"4xx")
        foreign = raw.replace(b"sns.eu-west-1.amazonaws.com/Simple", b"sns.evil.example/Simple")

        assert [post(browser, one) for one in (tampered, foreign, raw)] == [401, 401, 202]
        assert aws_sns.KIND.read(Message(raw)).alerts[0].fingerprint == ":eu-west-1:5xx"
        handshake = Message(
            json.dumps({**HANDSHAKE, "TopicArn": topic}).encode(), {}, rule_of("aws-sns", topics=[topic])
        )
        assert body["TopicArn"] == topic
        assert aws_sns.follow_up(handshake) == f"the subscription to {topic} is confirmed"
