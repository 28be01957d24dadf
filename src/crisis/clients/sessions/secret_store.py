"""Secret store: where a secret has versions; a new one takes the place of all older ones."""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from crisis.errors import ProtocolError, RefusedError

__all__ = ["FileStore", "Names", "SecretStore", "Versions", "new_secret", "open_store", "replace_file"]


@dataclass(frozen=True, slots=True)
class Names:
    """What the secret and the list of its elders are called; `fallbacks` empty: an array whose first entry signs."""

    secret: str
    fallbacks: str


@dataclass(frozen=True, slots=True)
class Versions:
    """The secret in force, and how many older ones still verify."""

    secret: SecretStr
    older: int

    @property
    def mark(self) -> str:
        """Tell this version from others without showing it; only for what is kept encrypted."""
        return hashlib.sha256(b"crisis secret\0" + self.secret.get_secret_value().encode()).hexdigest()


class SecretStore(Protocol):
    """One secret of one application, wherever it is kept: a file here; Vault and AWS may follow."""

    def read(self) -> Versions:
        """Return the version in force; RefusedError when there is none."""
        ...

    def write(self, secret: SecretStr) -> None:
        """Put a new version into force and empty the list of older ones, both or neither."""
        ...


def open_store(reference: str, names: Names) -> SecretStore:
    """Open the store that a reference names; ProtocolError for one that cannot be written to here."""
    kind, _, where = reference.partition(":")
    if kind != "file":
        saw, then = f"{kind}:", "keep it in a file that the service reads, or rotate it by hand"
        raise ProtocolError(reference, wanted="a secret that can be changed (file:)", saw=saw, then=then)
    return FileStore(Path(where), names)


@dataclass(frozen=True)
class FileStore:
    """A JSON object where the file ends in .json, lines NAME=value otherwise; whatever else it holds stays."""

    path: Path
    names: Names

    def read(self) -> Versions:
        """Return the version in force."""
        text = self._text()
        found = self._from_json(text) if self.path.suffix == ".json" else self._from_lines(text)
        if found is None or not found.secret.get_secret_value():
            then = "mend store or name in protocol.yaml"
            raise RefusedError(
                self._target,
                vendor="file",
                operation="read",
                wanted=f"a secret {self.names.secret}",
                saw="none",
                then=then,
            )
        return found

    def write(self, secret: SecretStr) -> None:
        """Put a new version into force in one rename: a reader sees the old file or the new one."""
        text, value = self._text(), secret.get_secret_value()
        changed = self._into_json(text, value) if self.path.suffix == ".json" else self._into_lines(text, value)
        try:
            replace_file(self.path, changed)
        except OSError as error:
            raise self._unusable(error.strerror or "an error", "write") from None

    @property
    def _target(self) -> str:
        return f"file:{self.path}"

    def _text(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise self._unusable(getattr(error, "strerror", None) or "no text", "read") from None

    def _unusable(self, saw: str, operation: str) -> RefusedError:
        return RefusedError(
            self._target, vendor="file", operation=operation, wanted=f"a file to {operation}", saw=saw,
            then="mend its path or mode",
        )  # fmt: skip

    def _object(self, text: str) -> dict[str, Any]:
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._unusable("no JSON object", "read")
        return body

    def _from_json(self, text: str) -> Versions | None:
        body = self._object(text)
        found = body.get(self.names.secret)
        if isinstance(found, list):
            return Versions(SecretStr(str(found[0])), len(found) - 1) if found else None
        older = body.get(self.names.fallbacks) or []
        return Versions(SecretStr(str(found)), len(older)) if found else None

    def _into_json(self, text: str, value: str) -> str:
        body = self._object(text)
        body[self.names.secret] = [value] if isinstance(body.get(self.names.secret), list) else value
        if self.names.fallbacks in body:
            body[self.names.fallbacks] = []
        return json.dumps(body, indent=2) + "\n"

    def _from_lines(self, text: str) -> Versions | None:
        found = dict(_pair(line) for line in text.splitlines() if "=" in line)
        secret = found.get(self.names.secret, "")
        older = [one for one in found.get(self.names.fallbacks, "").split(",") if one.strip()]
        if not self.names.fallbacks:  # an array in one variable
            secret, *older = secret.split(",")
        return Versions(SecretStr(secret), len(older)) if secret else None

    def _into_lines(self, text: str, value: str) -> str:
        new = {self.names.secret: value, self.names.fallbacks: ""}
        return "".join(
            f"{_name(line)}={new[_name(line)]}\n" if _name(line) in new and "=" in line else f"{line}\n"
            for line in text.splitlines()
        )


def replace_file(path: Path, text: str) -> None:
    """Write a file anew in one rename, with the owner and mode that it had: readers see either file whole."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    stood = path.stat()
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        if (stood.st_uid, stood.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, stood.st_uid, stood.st_gid)
        draft.chmod(stood.st_mode & 0o777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _name(line: str) -> str:
    return line.partition("=")[0].strip()


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip().strip("'\"")


def new_secret(framework: str) -> SecretStr:
    """Make a secret of the form that a framework asks for."""
    made: dict[str, Callable[[], str]] = {
        "rails": lambda: secrets.token_hex(64),
        "laravel": lambda: "base64:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    return SecretStr(made.get(framework, lambda: secrets.token_urlsafe(48))())
