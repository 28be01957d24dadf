"""Passkeys: WebAuthn as a proof of identity at the click. What is signed is the very answer that counts."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from crisis.domain.clock import parse_time, write_time
from crisis.domain.decision import Gate
from crisis.domain.entry import canonical
from crisis.domain.passkey import (
    LABEL_LIMIT,
    Link,
    Passkey,
    fold_passkeys,
    origin_of,
    passkeys_of,
    relying_party,
    seal_passkey,
    user_handle,
)
from crisis.domain.person import PEOPLE
from crisis.domain.redaction import Mask
from crisis.domain.seal import is_sealed, seal
from crisis.engine.booth import Answer, Booth
from crisis.journal.store import AlreadyRecordedError

__all__ = ["creation_options", "evidence", "register", "remove", "request_options", "unproved_by_passkey"]

_PURPOSE, _CREATION = "challenge", "passkey creation"
_FRESH = timedelta(minutes=5)
_AHEAD = timedelta(seconds=30)
"""How far the clock of another of our processes may be ahead of this one."""
_LONGEST = 16 * 1024
_BAD = (WebAuthnException, InvalidSignature, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What the library raises at input that is none; its text quotes the input, and goes nowhere."""


def request_options(booth: Booth, gate: Gate, answer: Answer, address: str, now: datetime) -> dict[str, Any]:
    """
    Return what a browser needs to have an answer signed: the options, and what makes their challenge ours.

    Keeps nothing here. Whoever is not known gets the same as somebody without a passkey.
    """
    said = {"nonce": secrets.token_urlsafe(16), "at": write_time(now), "origin": origin_of(address)}
    stated = _statement(gate, answer, said)
    known = passkeys_of(booth.journal.entries(PEOPLE), booth.key, answer.who)
    options = generate_authentication_options(
        rp_id=relying_party(said["origin"]),
        challenge=_challenge(stated),
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return {"publicKey": json.loads(options_to_json(options)), **said, "seal": seal(booth.key, _PURPOSE, stated)}


def unproved_by_passkey(booth: Booth, gate: Gate, answer: Answer, now: datetime) -> str | None:
    """Say why the assertion in an answer does not prove who gave it, or None; either is put on record."""
    refusal = _unproved(booth, gate, answer, now)
    if refusal is not None:
        body = {"because": refusal, "incident": gate.incident}
        booth.journal.append(PEOPLE, "passkey refused", answer.who, body)
    return refusal


def evidence(gate: Gate, answer: Answer) -> dict[str, Any]:
    """Return what an outsider needs to check the signature under an answer; nothing where there is none."""
    read = _read(answer.passkey) if answer.passkey else None
    if read is None:
        return {}
    credential, signed = read["credential"], read["credential"]["response"]
    parts = {"client_data": "clientDataJSON", "authenticator_data": "authenticatorData", "signature": "signature"}
    found = {name: signed[theirs] for name, theirs in parts.items()}
    return {"passkey": {"credential": credential["id"], **found, "statement": _statement(gate, answer, read)}}


def _unproved(booth: Booth, gate: Gate, answer: Answer, now: datetime) -> str | None:
    read = _read(answer.passkey)
    if read is None:
        return "what the passkey sent cannot be read"
    stated = _statement(gate, answer, read)
    if not is_sealed(booth.key, _PURPOSE, stated, read["seal"]):
        return "this confirmation is not ours, or it is for another answer; confirm the answer that you see"
    # From here on nonce, time and origin are what we said ourselves.
    age = now - parse_time(read["at"])
    if not -_AHEAD <= age <= _FRESH:
        return f"this confirmation is older than {_FRESH.seconds // 60} minutes; confirm again"
    passkey = fold_passkeys(booth.journal.entries(PEOPLE), booth.key).get(read["credential"]["id"])
    if passkey is None or passkey.who != answer.who:
        return f"this passkey is not one of {answer.who}'s"
    return _unsigned(booth, passkey, read, stated)


def _unsigned(booth: Booth, passkey: Passkey, read: Mapping[str, Any], stated: Mapping[str, Any]) -> str | None:
    verified = _verify(read, stated, passkey)
    if verified is None:
        return "the passkey's signature does not prove this answer"
    count = verified.new_sign_count
    if (count or passkey.sign_count) and count <= passkey.sign_count:
        return "the passkey's counter went back: it may have been copied; remove it and enrol again"
    body = {"credential": passkey.credential, "sign_count": count, "incident": stated["incident"]}
    try:
        booth.journal.append(PEOPLE, "passkey accepted", passkey.who, body, key=f"challenge:{read['nonce']}")
    except AlreadyRecordedError:
        return "this confirmation was used already"
    return None


def _verify(read: Mapping[str, Any], stated: Mapping[str, Any], passkey: Passkey) -> VerifiedAuthentication | None:
    with suppress(*_BAD):
        return verify_authentication_response(
            credential=read["credential"],
            expected_challenge=_challenge(stated),
            expected_rp_id=relying_party(read["origin"]),
            expected_origin=read["origin"],
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=0,  # looked at by the caller, who can say what it means
            require_user_verification=True,
        )
    return None


def _statement(gate: Gate, answer: Answer, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is signed: this answer, by this person, to this very question, once."""
    return {
        "incident": gate.incident,
        "run": gate.run,
        "gate": gate.name,
        "hash": gate.plan.hash,
        "asked_as": gate.asked_as,
        "who": answer.who,
        "answer": answer.answer,
        "steps": None if answer.steps is None else sorted(set(answer.steps)),
        "glass": answer.glass,
        **{name: said[name] for name in ("nonce", "at", "origin")},
    }


def _challenge(stated: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(canonical(stated).encode()).digest()


def _read(text: str) -> dict[str, Any] | None:
    """Return what the page put together: our part, and the browser's; None when it has another shape."""
    with suppress(*_BAD):
        said: Any = json.loads(text) if len(text) <= _LONGEST else None
        signed = said["credential"]["response"]
        texts = [said[name] for name in ("nonce", "at", "origin", "seal")]
        texts += [said["credential"]["id"], signed["clientDataJSON"], signed["authenticatorData"], signed["signature"]]
        for one in texts:
            one.encode()  # a text, and one that UTF-8 can hold
        return dict(said)
    return None


def _descriptors(known: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential)) for one in known]


def creation_options(booth: Booth, link: Link, address: str) -> dict[str, Any]:
    """Return what a browser needs to make a passkey by a link. The same each time, and kept nowhere."""
    options = generate_registration_options(
        rp_id=relying_party(origin_of(address)),
        rp_name=f"Crisis Protocols, {booth.protocol.company}",
        user_name=link.who,
        user_id=user_handle(link.who),
        user_display_name=booth.protocol.people[link.who].name,
        challenge=_creation_challenge(booth, link),
        exclude_credentials=_descriptors(passkeys_of(booth.journal.entries(PEOPLE), booth.key, link.who)),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    told: dict[str, Any] = json.loads(options_to_json(options))
    return told


def register(booth: Booth, link: Link, made: str, label: str, address: str, source: str) -> str | None:
    """
    Record the passkey that a browser made by a link, once a link; say why not, or None.

    `source` says where the request came from. The caller has seen that the link is good.
    """
    verified = _verify_creation(booth, link, made, address)
    if verified is None:
        return "what the browser sent is no passkey made for this link; try again"
    credential = bytes_to_base64url(verified.credential_id)
    if credential in fold_passkeys(booth.journal.entries(PEOPLE), booth.key):
        return "this passkey is registered already"
    body = {
        "credential": credential,
        "public_key": bytes_to_base64url(verified.credential_public_key),
        "sign_count": verified.sign_count,
        "label": Mask()("".join(sign for sign in label if sign.isprintable()).strip())[:LABEL_LIMIT] or "passkey",
        "link": link.nonce,
        "from": source,
    }
    body["seal"] = seal_passkey(booth.key, link.who, body)
    try:
        booth.journal.append(PEOPLE, "passkey enrolled", link.who, body, key=f"enrolment:{link.nonce}:passkey")
    except AlreadyRecordedError:
        return "this link has been used for a passkey already; ask for a new one"
    return None


def remove(booth: Booth, passkey: Passkey, source: str) -> None:
    """Take a passkey out of force, for good."""
    body = {"credential": passkey.credential, "label": passkey.label, "from": source}
    with suppress(AlreadyRecordedError):  # somebody was faster
        booth.journal.append(PEOPLE, "passkey removed", passkey.who, body, key=f"removed:{passkey.credential}")


def _creation_challenge(booth: Booth, link: Link) -> bytes:
    # A link makes one passkey, so that its challenge is good once too; and nobody else can say what it is.
    return bytes.fromhex(seal(booth.key, _CREATION, {"who": link.who, "nonce": link.nonce}))


def _verify_creation(booth: Booth, link: Link, made: str, address: str) -> VerifiedRegistration | None:
    origin = origin_of(address)
    with suppress(*_BAD):
        return verify_registration_response(
            credential=made[:_LONGEST],
            expected_challenge=_creation_challenge(booth, link),
            expected_rp_id=relying_party(origin),
            expected_origin=origin,
            require_user_verification=True,
        )
    return None
