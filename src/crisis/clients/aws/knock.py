"""Knock: is an access key let in? Asked of AWS itself, without a client for each key."""

import re
import secrets
import time
from datetime import timedelta
from typing import Literal

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import HTTPClientError
from pydantic import SecretStr

from crisis.clients.aws.session import VENDOR, Session, is_throttle
from crisis.errors import TransientError, UnprovenError

__all__ = ["knock", "prove_accepted", "prove_accepted_by_id", "prove_refused"]

_ASKED = b"Action=GetCallerIdentity&Version=2011-06-15"
_IN_A_ROW = {"accepted": 3, "refused": 2}
"""AWS is told in many places: one answer may come from a place that does not know yet."""
_WAIT, _LONGEST_WAIT = 0.1, 2.0
_OK, _BROKEN = 200, 500
_TRIES = 8


def knock(session: Session, key_id: str, secret: SecretStr | None = None) -> Literal["accepted", "refused"]:
    """
    Say whether AWS takes a key.

    Without its secret a made-up one is used: AWS answers that the signature is wrong for a key that lives, and that
    it does not know the key for one that is dead. GetCallerIdentity needs no permission and no deny stops it, so
    this tells of the key alone.
    """
    for _ in range(_TRIES):
        status, code = _call(session, key_id, secret)
        if is_throttle(code):
            session.pace.slow("sts")
            continue
        if status == _OK or code == "SignatureDoesNotMatch":
            return "accepted"
        if code in ("InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException"):
            return "refused"
        if status < _BROKEN:
            break
    then = "try again"
    raise TransientError(
        key_id, vendor=VENDOR, operation="sts:GetCallerIdentity", wanted="a plain answer", saw=code, then=then
    )


def prove_refused(session: Session, key_id: str, patience: timedelta, secret: SecretStr | None = None) -> float:
    """Knock until AWS refuses a key twice in a row; return the seconds. UnprovenError when it goes on taking it."""
    then = "contain its user (a deny it cannot remove), then delete the key by hand"
    return _prove(session, key_id, secret, "refused", patience, then)


def prove_accepted(session: Session, key_id: str, patience: timedelta, secret: SecretStr) -> float:
    """Knock until AWS takes a new key three times in a row; return the seconds. UnprovenError when it does not."""
    return _prove(session, key_id, secret, "accepted", patience, "run it again: the key is made anew")


def prove_accepted_by_id(session: Session, key_id: str, patience: timedelta) -> float:
    """Knock without the secret until AWS knows a key as alive; return the seconds."""
    return _prove(session, key_id, None, "accepted", patience, "look at its status by hand")


def _prove(
    session: Session,
    key_id: str,
    secret: SecretStr | None,
    wanted: Literal["accepted", "refused"],
    patience: timedelta,
    then: str,
) -> float:
    began, wait, in_a_row, saw = time.monotonic(), _WAIT, 0, ""
    while in_a_row < _IN_A_ROW[wanted]:
        saw = _answer(session, key_id, secret, wanted)
        if saw == wanted:
            in_a_row += 1
            continue
        in_a_row = 0
        if time.monotonic() - began > patience.total_seconds():
            raise UnprovenError(f"access key {key_id}", wanted=f"{wanted} by AWS", saw=saw, then=then)
        time.sleep(wait)
        wait = min(wait * 1.6, _LONGEST_WAIT)
    return round(time.monotonic() - began, 3)


def _answer(session: Session, key_id: str, secret: SecretStr | None, wanted: str) -> str:
    """Knock; with the true secret, a signature that does not match proves no acceptance."""
    if wanted == "refused" or secret is None:
        return knock(session, key_id, secret)
    status, code = _call(session, key_id, secret)
    if is_throttle(code):
        session.pace.slow("sts")
    return "accepted" if status == _OK else "refused" if code else f"status {status}"


def _call(session: Session, key_id: str, secret: SecretStr | None) -> tuple[int, str]:
    """Return the status and AWS's word for the error, if any; an outage is status 599."""
    sts = session.client("sts")
    signed = secret.get_secret_value() if secret is not None else secrets.token_urlsafe(30)
    request = AWSRequest(method="POST", url=sts.meta.endpoint_url + "/", data=_ASKED)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    SigV4Auth(Credentials(key_id, signed), "sts", sts.meta.region_name).add_auth(request)
    session.pace.wait("sts")
    try:
        answer = session.wire.send(request.prepare())
    except HTTPClientError:
        return 599, "no answer"
    session.pace.recover("sts")
    found = re.search(rb"<Code>([^<]+)</Code>", answer.content)
    return answer.status_code, found[1].decode() if found else ""
