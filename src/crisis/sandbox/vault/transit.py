"""Transit: keys with versions that really encrypt, and really refuse below the least version."""

import base64
import binascii
import secrets
import time
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing

__all__ = ["PAGES"]

_NONCE = 12
_TOO_OLD = "ciphertext or signature version is disallowed by policy (too old)"


def _key(call: Call) -> dict[str, Any]:
    found: dict[str, Any] | None = call.mount.store.get(call.parts["name"])
    if found is None:
        raise Refused(404 if call.op == "read" else 400, "encryption key not found")
    return found


def _create(call: Call) -> Reply:
    blank = {"latest": 0, "least_decrypt": 1, "least_encrypt": 0, "least": 0, "versions": {}, "deletable": False}
    if call.parts["name"] not in call.mount.store:
        call.mount.store[call.parts["name"]] = blank
        _grow(blank)
    return nothing()


def _grow(key: dict[str, Any]) -> None:
    key["latest"] += 1
    key["versions"][key["latest"]] = (AESGCM.generate_key(256), int(time.time()))


def _rotate(call: Call) -> Reply:
    _grow(_key(call))
    return nothing()


def _read(call: Call) -> Reply:
    key = _key(call)
    return data(
        {
            "name": call.parts["name"], "type": "aes256-gcm96", "latest_version": key["latest"],
            "min_decryption_version": key["least_decrypt"], "min_encryption_version": key["least_encrypt"],
            "min_available_version": key["least"], "deletion_allowed": key["deletable"], "exportable": False,
            "keys": {str(one): made for one, (_, made) in key["versions"].items() if one >= key["least_decrypt"]},
        }
    )  # fmt: skip


def _configure(call: Call) -> Reply:
    key = _key(call)
    decrypt = call.whole("min_decryption_version", key["least_decrypt"])
    encrypt = call.whole("min_encryption_version", key["least_encrypt"])
    if decrypt > key["latest"]:
        raise Refused(400, f"cannot set min decryption version of {decrypt}, latest key version is {key['latest']}")
    if encrypt and encrypt < decrypt:
        raise Refused(400, f"cannot set min encryption/decryption values; min encryption version is {encrypt}")
    if "transit" not in call.state.faults.lying:
        key.update(least_decrypt=max(decrypt, 1), least_encrypt=encrypt)
    return nothing()


def _trim(call: Call) -> Reply:
    key, least = _key(call), call.whole("min_available_version")
    if not key["least_encrypt"] or least > min(key["least_decrypt"], key["least_encrypt"]):
        raise Refused(400, "minimum available version cannot be higher than the least version to decrypt or encrypt")
    key["least"] = least
    for old in [one for one in key["versions"] if one < least]:
        del key["versions"][old]
    return nothing()


def _seal(key: dict[str, Any], number: int, plain: bytes) -> str:
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(key["versions"][number][0]).encrypt(nonce, plain, None)
    return f"vault:v{number}:{base64.b64encode(nonce + sealed).decode()}"


def _open(key: dict[str, Any], text: str) -> bytes:
    try:
        _, version, body = text.split(":")
        number, raw = int(version.removeprefix("v")), base64.b64decode(body, validate=True)
        if number < key["least_decrypt"] or number not in key["versions"]:
            raise Refused(400, _TOO_OLD)
        return AESGCM(key["versions"][number][0]).decrypt(raw[:_NONCE], raw[_NONCE:], None)
    except (ValueError, binascii.Error, InvalidTag):
        raise Refused(400, "invalid ciphertext: cannot decrypt") from None


def _encrypt(call: Call) -> Reply:
    key = _key(call)
    number = call.whole("key_version") or key["latest"]
    if number > key["latest"] or number < key["least_encrypt"] or number not in key["versions"]:
        raise Refused(400, "requested version for encryption is not allowed")
    try:
        plain = base64.b64decode(call.text("plaintext"), validate=True)
    except binascii.Error:
        raise Refused(400, "failed to base64-decode plaintext") from None
    return data({"ciphertext": _seal(key, number, plain), "key_version": number})


def _decrypt(call: Call) -> Reply:
    return data({"plaintext": base64.b64encode(_open(_key(call), call.text("ciphertext"))).decode()})


def _rewrap(call: Call) -> Reply:
    key = _key(call)
    batch = call.body.get("batch_input")
    if batch is None:
        return data({"ciphertext": _seal(key, key["latest"], _open(key, call.text("ciphertext")))})
    made = [{"ciphertext": _seal(key, key["latest"], _open(key, one["ciphertext"]))} for one in batch]
    return data({"batch_results": made})


PAGES = Pages(
    ("keys/", {"list": lambda call: keys(list(call.mount.store))}),
    ("keys/{name}", {"create": _create, "update": _create, "read": _read}),
    ("keys/{name}/rotate", {"update": _rotate}),
    ("keys/{name}/config", {"update": _configure}),
    ("keys/{name}/trim", {"update": _trim}),
    ("encrypt/{name}", {"update": _encrypt}),
    ("decrypt/{name}", {"update": _decrypt}),
    ("rewrap/{name}", {"update": _rewrap}),
    exists={"keys/{name}": lambda call: call.parts["name"] in call.mount.store},
)
