"""Ciphers: KMS keys, switched off and on. Never deleted: what they encrypted would be lost."""

from dataclasses import dataclass

from crisis.clients.aws.session import Session

__all__ = ["Ciphers"]


@dataclass(frozen=True)
class Ciphers:
    """The KMS keys of one region."""

    session: Session
    region: str

    def is_enabled(self, key: str) -> bool:
        """Whether a key encrypts and decrypts."""
        found = self.session.ask("kms", "describe_key", key, region=self.region, KeyId=key)
        return bool(found["KeyMetadata"]["Enabled"])

    def switch(self, key: str, *, on: bool) -> None:
        """Enable or disable a key."""
        operation = "enable_key" if on else "disable_key"
        self.session.ask("kms", operation, key, region=self.region, KeyId=key)
