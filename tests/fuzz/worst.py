"""Worst: the bodies of 5 MB that cost a reader most, for the bytes they are."""

import json
from collections.abc import Callable

__all__ = ["SIZE", "WORST"]

SIZE = 5 * 1024 * 1024
_ROOM = SIZE - 1000

_BATCH = {"content-type": "application/cloudevents-batch+json"}
_TOPIC = "arn:aws:sns:eu-west-1:1234567890:alerta-test"


def _filled(begin: str, piece: str, end: str, between: str = ",") -> bytes:
    return (begin + between.join([piece] * (_ROOM // (len(piece) + len(between)))) + end).encode()


def _named(begin: str, value: str, end: str) -> bytes:
    return (begin + ",".join(f'"{number}":{value}' for number in range(_ROOM // (len(value) + 11))) + end).encode()


def _sns(message: str) -> bytes:
    return json.dumps({"Type": "Notification", "TopicArn": _TOPIC, "Message": message}).encode()


_ALERTS = '{"version":"4","alerts":['
_FIELDS = '"schemaId":"azureMonitorCommonAlertSchema"'
_SINCE = '{"startsAt":"2026-01-01T00:00:00.'
_SAYS = '{"annotations":{"summary":"'
_DOWN = '{"specversion":"1.0","data":{"status":"down"}}'
_USERS = '{"incident":{"state":"open","policy_user_labels":{'
_FIRED = '{"data":{"essentials":{"monitorCondition":"Fired"},"customProperties":{'
_ALARM = '{"AlarmName":"x","NewStateValue":"ALARM","Trigger":{"Dimensions":['

WORST: dict[str, tuple[str, dict[str, str], Callable[[], bytes]]] = {
    "alerts without anything": ("alertmanager", {}, lambda: _filled(_ALERTS, "{}", "]}")),
    "alerts without anything, Grafana's": ("grafana", {}, lambda: _filled(_ALERTS, "{}", "]}")),
    "alerts with a label": ("alertmanager", {}, lambda: _filled(_ALERTS, '{"labels":{"a":"b"}}', "]}")),
    "labels of one alert": ("alertmanager", {}, lambda: _named(_ALERTS + '{"labels":{', '""', "}}]}")),
    "digits of a second": ("alertmanager", {}, lambda: _filled(_ALERTS + _SINCE, "1", '"}]}', "")),
    "words of a summary": ("alertmanager", {}, lambda: _filled(_ALERTS + _SAYS, "a", '"}}]}', " ")),
    "events of a batch": ("cloudevents", _BATCH, lambda: _filled("[", "{}", "]")),
    "events that fire": ("cloudevents", _BATCH, lambda: _filled("[", _DOWN, "]")),
    "objects in objects": ("generic", {}, lambda: _filled('{"a":', '{"a":', "", "")),
    "lists in lists": ("generic", {}, lambda: _filled("", "[", "", "")),
    "nests": ("generic", {}, lambda: _filled('{"a":[', "[" * 900 + "]" * 900, "]}")),
    "numbers": ("generic", {}, lambda: _filled('{"a":[', "1", "]}")),
    "long numbers": ("generic", {}, lambda: _filled('{"a":[', "9" * 4300, "]}")),
    "one number": ("generic", {}, lambda: _filled('{"a":', "9", "}", "")),
    "small numbers": ("generic", {}, lambda: _filled('{"a":[', "1e-300", "]}")),
    "fields": ("generic", {}, lambda: _named('{"check":{"state":"down"},', "1", "}")),
    "one name": ("generic", {}, lambda: _filled('{"', "a", '":1}', "")),
    "zeros": ("generic", {}, lambda: _filled('{"a":"', "\\u0000", '"}', "")),
    "strokes": ("generic", {}, lambda: _filled('{"a":"\\u0000', "\\\\", '"}', "")),
    "half pairs": ("generic", {}, lambda: _filled('{"a":"', "\\ud800", '"}', "")),
    "properties": ("azure-monitor", {}, lambda: _named(_FIRED, "1", "}}," + _FIELDS + "}")),
    "user labels": ("gcp-monitoring", {}, lambda: _named(_USERS, "1", "}}}")),
    "dimensions": ("aws-sns", {}, lambda: _sns(_filled(_ALARM, "{}", "]}}").decode())),
    "text for SNS": ("aws-sns", {}, lambda: _sns("\x00" * (_ROOM // 6))),
    "variables": ("datadog", {}, lambda: _named('{"transition":"Triggered",', '"$A"', "}")),
    "tags": ("datadog", {}, lambda: _filled('{"transition":"Triggered","tags":"', "", '"}', ",")),
    "tags in a form": ("statuscake", {}, lambda: _filled("Status=Down&Tags=", "", "", ",")),
    "percents": ("statuscake", {}, lambda: _filled("a=", "%41", "", "")),
    "ampersands": ("uptimerobot", {}, lambda: _filled("", "&", "", "")),
    "blanks": ("uptimerobot", {}, lambda: _filled("", " ", "{}", "")),
}  # fmt: skip
