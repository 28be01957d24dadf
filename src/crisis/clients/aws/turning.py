"""Turning: a secret that rotates itself gets its next value from its own rotation function, once and to the end."""

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from crisis.clients.aws import Account
from crisis.clients.aws.stages import NAMES, Stages
from crisis.domain.credential import Credential
from crisis.errors import UnprovenError

__all__ = ["Turned", "Turning", "arn_of"]

_LOOK_AGAIN = 0.25
_VERSION = re.compile(r"@[0-9A-Za-z-]{32,64}$")


def arn_of(secret: Credential) -> str:
    """Return the ARN in the name of a secret; one that rotates itself is named with its version: `ARN@version`."""
    return _VERSION.sub("", secret.name)


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a secret: `new` is how an inventory names it now; empty where it is gone."""

    new: str = ""
    changed: bool = False


@dataclass(frozen=True)
class Turning:
    """
    The rotation of one secret, by its name in the plan. What its value opens is the function's to change and to try.

    `token` is the same in every try of one incident: AWS starts one rotation for it, however often it is asked.
    """

    account: Account
    name: str
    token: str

    def run(self) -> Turned:
        """Ask, wait until the next version is current, and take the old one away."""
        arn, _, before = self.name.rpartition("@")
        stages = Stages(self.account.session, arn.split(":")[3])
        seen = stages.of(arn)
        if not seen:
            return Turned()
        asked = seen.get("AWSCURRENT") == before
        if asked:
            self._turn(stages, arn, before, seen)
        seen = stages.of(arn)
        if "AWSPREVIOUS" in seen:
            stages.strip(arn, seen)
        left = stages.of(arn)
        if left.get("AWSCURRENT") in (before, None) or "AWSPREVIOUS" in left:
            saw = ", ".join(f"{stage}: {version}" for stage, version in sorted(left.items()))
            raise UnprovenError(arn, wanted="a newer version alone", saw=saw, then="who else writes it? run it again")
        return Turned(f"{arn}@{left['AWSCURRENT']}", asked or "AWSPREVIOUS" in seen)

    def _turn(self, stages: Stages, arn: str, before: str, seen: Mapping[str, str]) -> None:
        version = str(uuid.uuid5(NAMES, f"{self.token}/{self.name}"))
        pending = seen.get("AWSPENDING", before)
        if pending not in (before, version) and not self._moves(
            stages, arn, before, self.account.patience.total_seconds()
        ):
            # Somebody else's rotation stands half way: AWS would start none before its label is gone.
            stages.strip(arn, seen, "AWSPENDING")
            pending = before
        if pending == before:
            self.account.session.ask(
                "secretsmanager", "rotate_secret", arn, region=stages.region, SecretId=arn, ClientRequestToken=version
            )
        patience = self.account.session.system.rotation_patience.total_seconds()
        if not self._moves(stages, arn, before, patience):
            then = "look at the log of its rotation function, mend that, run this again"
            raise UnprovenError(arn, wanted="a newer version current", saw=f"{before} still", then=then)

    def _moves(self, stages: Stages, arn: str, before: str, seconds: float) -> bool:
        """Wait until another version is current."""
        until = time.monotonic() + seconds
        while stages.of(arn).get("AWSCURRENT") == before:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_AGAIN)
        return True
