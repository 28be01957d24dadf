"""Transit: a new key version, and an end to what the old ones can decrypt."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from crisis.clients.vault.seam import Seam

__all__ = ["Key", "Transit"]

_CANARY = b"crisis canary"


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its newest version, and the least that decrypts and that encrypts (0: the newest)."""

    latest: int
    least_decrypt: int
    least_encrypt: int


@dataclass(frozen=True)
class Transit:
    """A transit engine, wherever it is mounted."""

    seam: Seam

    def names(self, mount: str) -> list[str]:
        """List the keys."""
        return self.seam.ask("LIST", f"{mount}/keys/", operation="list keys", ok=(200, 404)).list()

    def key(self, mount: str, name: str) -> Key:
        """Return the versions of a key."""
        data = self.seam.ask("GET", f"{mount}/keys/{name}", operation="read a key", target=f"{mount}/{name}").data
        found = ("latest_version", "min_decryption_version", "min_encryption_version")
        return Key(*(int(data.get(one) or 0) for one in found))

    def rotate(self, mount: str, name: str) -> None:
        """Add a version; asked twice, it adds two."""
        path = f"{mount}/keys/{name}/rotate"
        self.seam.ask("POST", path, operation="rotate a key", target=f"{mount}/{name}")

    def set_least(self, mount: str, name: str, *, decrypt: int, encrypt: int = 0) -> None:
        """Say which version is the least that decrypts, and that encrypts where that is not the newest."""
        body = {"min_decryption_version": decrypt, **({"min_encryption_version": encrypt} if encrypt else {})}
        path = f"{mount}/keys/{name}/config"
        self.seam.ask("POST", path, operation="set the least version", target=f"{mount}/{name}", body=body)

    def canary(self, mount: str, name: str, version: int) -> str:
        """Return a text encrypted by a version, to prove later that the version is refused."""
        body = {"plaintext": base64.b64encode(_CANARY).decode(), "key_version": version}
        path = f"{mount}/encrypt/{name}"
        data = self.seam.ask("POST", path, operation="encrypt a canary", target=f"{mount}/{name}", body=body).data
        return str(data["ciphertext"])

    def opens(self, mount: str, name: str, ciphertext: str) -> bool:
        """Say whether the key still decrypts a text."""
        path, body = f"{mount}/decrypt/{name}", {"ciphertext": ciphertext}
        heard = self.seam.ask(
            "POST", path, operation="decrypt a canary", target=f"{mount}/{name}", body=body, ok=(200, 400)
        )
        return heard.status == 200  # noqa: PLR2004

    def rewrap(self, mount: str, name: str, ciphertexts: Sequence[str]) -> list[str]:
        """Return the texts encrypted by the newest version, in their order; none is seen in the clear."""
        body = {"batch_input": [{"ciphertext": one} for one in ciphertexts]}
        path, target = f"{mount}/rewrap/{name}", f"{mount}/{name}"
        data = self.seam.ask("POST", path, operation="rewrap texts", target=target, body=body).data
        made = [str(one.get("ciphertext") or "") for one in data["batch_results"]]
        if not all(made):
            raise self.seam.refused(target, "rewrap texts", saw=f"{made.count('')} refused", then="rewrap one by one")
        return made
