"""PKI: a small authority whose certificates can be revoked once, and whose list of them is a thing of its own."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crisis.sandbox.vault.desk import Call, Pages, Refused, Reply, data, keys, nothing

__all__ = ["PAGES"]

_YEAR = 365 * 86400


def _store(call: Call) -> dict[str, Any]:
    call.mount.store.setdefault("certificates", {})
    call.mount.store.setdefault("listed", [])
    return call.mount.store


def _certificate(name: str, seconds: int, issuer: dict[str, Any] | None) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer["name"] if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=30))
        .not_valid_after(now + timedelta(seconds=seconds))
        .sign(issuer["key"] if issuer else key, hashes.SHA256())
    )
    digits = f"{made.serial_number:040x}"
    serial = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    return {"serial": serial, "pem": pem, "key": key, "name": subject, "ends": time.time() + seconds, "revoked": 0}


def _make_root(call: Call) -> Reply:
    store = _store(call)
    made = _certificate(call.text("common_name"), call.whole("ttl") or 10 * _YEAR, None)
    store["root"], store["certificates"][made["serial"]] = made, made
    return data({"certificate": made["pem"], "serial_number": made["serial"], "issuer_id": secrets.token_hex(16)})


def _issue(call: Call) -> Reply:
    store = _store(call)
    if "root" not in store:
        raise Refused(500, "error fetching CA certificate: no default issuer currently configured")
    made = _certificate(call.text("common_name"), call.whole("ttl") or 86400, store["root"])
    store["certificates"][made["serial"]] = made
    form, no = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key = made["key"].private_bytes(serialization.Encoding.PEM, form, no).decode()
    shown = {"certificate": made["pem"], "private_key": key, "serial_number": made["serial"]}
    return data({**shown, "expiration": int(made["ends"])})


def _known(call: Call, serial: str) -> dict[str, Any]:
    found: dict[str, Any] | None = _store(call)["certificates"].get(serial.replace("-", ":"))
    if found is None:
        raise Refused(404 if call.op == "read" else 400, f"certificate with serial {serial} not found")
    return found


def _read(call: Call) -> Reply:
    found = _known(call, call.parts["serial"])
    return data({"certificate": found["pem"], "revocation_time": int(found["revoked"])})


def _revoke(call: Call) -> Reply:
    found = _known(call, call.text("serial_number"))
    if found["ends"] < time.time() and not found["revoked"]:
        return data(None, warnings=["certificate already expired; not added to CRL"])
    found["revoked"] = found["revoked"] or time.time()
    return data({"revocation_time": int(found["revoked"]), "state": "revoked"})


def _rotate(call: Call) -> Reply:
    store = _store(call)
    store["listed"] = [one["serial"] for one in store["certificates"].values() if one["revoked"]]
    return data({"success": True})


def _drop_root(call: Call) -> Reply:
    _store(call).pop("root", None)
    return nothing()


PAGES = Pages(
    ("root/generate/internal", {"update": _make_root}),
    ("root", {"delete": _drop_root}),
    ("issue/{role}", {"update": _issue}),
    ("certs/", {"list": lambda call: keys(list(_store(call)["certificates"]))}),
    ("certs/revoked/", {"list": lambda call: keys(list(_store(call)["listed"]))}),
    ("cert/{serial}", {"read": _read}),
    ("revoke", {"update": _revoke}),
    ("crl/rotate", {"read": _rotate}),
    exists={},
)
