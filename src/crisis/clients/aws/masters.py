"""
Masters: the password of a database's master dies by its successor, which is proved by logging in to the database.

The state of a rotation is the world's, as with access keys. A password that we keep is AWSPENDING until everything is
proved: while the label is there, the next run takes it up; once it is gone, there is nothing left to do.
"""

import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr

from crisis.clients import postgresql
from crisis.clients.aws import Account
from crisis.clients.aws.databases import POSTGRESQL, Database, Databases, Named
from crisis.clients.aws.stages import NAMES, Stages, Value
from crisis.clients.aws.store import parsed
from crisis.clients.postgresql import Door
from crisis.errors import RefusedError, UnprovenError

__all__ = ["Masters", "Replaced"]

_LOOK_AGAIN = 0.25
_LENGTH = 30
_LATE = timedelta(seconds=1)
"""AWS tells the time of a rotation in whole seconds."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of a master's password: `new` is how an inventory names it now; empty where the database is gone."""

    new: str = ""
    kept_at: str = ""
    changed: bool = False
    ended: int = 0
    servers: int = 0
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Masters:
    """
    The rotation of one master's password, by its name in the plan.

    `token` is the same in every try of one incident and another in the next one, so that there is one successor.
    Raises UnprovenError when the old password still opens a server, or a session that it opened is still there.
    """

    account: Account
    named: Named
    token: str

    def run(self) -> Replaced:
        """Go from wherever it is to the end, and prove it."""
        found = self._databases.find(self.named.database)
        if found is None:
            return Replaced()
        if found.engine not in POSTGRESQL:
            raise RefusedError(
                str(self.named), vendor="aws", operation="rotate a master", wanted="an engine that we can log in to",
                saw=found.engine, then="do it by hand, and show that the old password is refused",
            )  # fmt: skip
        if not found.doors:
            saw, then = "none", "wait until it is made, then run this again"
            raise UnprovenError(str(self.named), wanted="an address to log in at", saw=saw, then=then)
        for door in found.doors:  # where we could not prove it, nothing is changed
            self._settle(door, _made_up(), "refused")
        return self._managed(found) if found.kept_by_aws else self._kept_by_us(found)

    def _kept_by_us(self, found: Database) -> Replaced:
        secret, version = self._databases.secret_of(found), str(uuid.uuid5(NAMES, f"{self.token}/{self.named}"))
        seen = self._stages.of(secret)
        if seen.get("AWSCURRENT") == version != seen.get("AWSPENDING"):
            new = _password(self._stages.read(secret, "AWSCURRENT"))
            self._prove(found, new, None)
            return self._done(found, secret, version, 0, changed=False)
        if not seen:
            self._stages.begin(secret)
        old = self._stages.read(secret, "AWSPREVIOUS" if seen.get("AWSCURRENT") == version else "AWSCURRENT")
        new = _password(self._stages.read(secret, "AWSPENDING") if seen.get("AWSPENDING") == version else None)
        if new is None:
            new = self._keep(found, secret, version, old)
        door, fresh = found.doors[0], new
        self._until(
            lambda: postgresql.knock(door, fresh) == "accepted", lambda now: self._databases.set_password(now, fresh)
        )
        # Consumers may have it before the old sessions end: those that come back then come back with the new one.
        self._stages.promote(secret, version, self._stages.of(secret))
        ended = self._prove(found, new, _password(old), since=None, end=True)
        for stage in ("AWSPREVIOUS", "AWSPENDING"):
            self._stages.strip(secret, self._stages.of(secret), stage)
        left = self._stages.of(secret)
        if left.get("AWSCURRENT") != version or {"AWSPREVIOUS", "AWSPENDING"} & set(left):
            saw = ", ".join(f"{stage}: {held}" for stage, held in sorted(left.items()))
            raise UnprovenError(secret, wanted=f"{version} alone", saw=saw, then="who else writes it? run it again")
        return self._done(found, secret, version, ended, changed=True)

    def _managed(self, found: Database) -> Replaced:
        secret, before = found.kept_by_aws, self.named.version
        asked = self._stages.of(secret).get("AWSCURRENT") == before
        old = self._stages.read(secret, "AWSCURRENT" if asked else "AWSPREVIOUS")
        if asked:
            self._until(lambda: self._stages.of(secret).get("AWSCURRENT") != before, self._databases.rotate)
        now = self._stages.read(secret, "AWSCURRENT")
        # AWS makes a password valid before it makes it current: no later session can be of the old one.
        rotated_at = None if asked else self._stages.rotated_at(secret)
        known = old if old is not None and old.version == before else None
        since = rotated_at + _LATE if rotated_at else None
        ended = self._prove(found, _password(now), _password(known), since=since, end=True)
        return self._done(found, secret, now.version if now else "", ended, changed=asked or bool(ended))

    def _keep(self, found: Database, secret: str, version: str, old: Value | None) -> SecretStr:
        """Make a password and keep it before anything knows it, beside what else its consumers read there."""
        password, door = _made_up(), found.doors[0]
        place = {"engine": "postgres", "host": door.host, "port": door.port, "username": found.user}
        text = {**place, **(parsed(old.text) if old else {}), "password": password.get_secret_value()}
        self._stages.put(secret, version, SecretStr(json.dumps(text)))
        return password

    def _until(self, holds: Callable[[], bool], ask: Callable[[Database], None]) -> None:
        """Ask RDS for a change, once it is ready for one and where it does not hold already; wait until it holds."""
        until, asked = time.monotonic() + self.account.session.system.rotation_patience.total_seconds(), False
        while not holds():
            if time.monotonic() > until:
                saw = "it asked for, and not there" if asked else "the database busy with another change"
                raise UnprovenError(str(self.named), wanted="the new password in force", saw=saw, then="run it again")
            now = None if asked else self._databases.find(self.named.database)
            if now is not None and now.ready:
                ask(now)
                asked = True
            time.sleep(_LOOK_AGAIN)

    def _prove(
        self, found: Database, new: SecretStr | None, old: SecretStr | None, *, since: datetime | None = None,
        end: bool = False,
    ) -> int:  # fmt: skip
        """Prove that every server takes the new password and not the old one; end what the old one had opened."""
        if new is None:
            then = "look at the secret by hand: it must say a password"
            raise UnprovenError(str(self.named), wanted="a password in its secret", saw="none", then=then)
        # A role has one password: where the old one is nowhere, that the new one is taken and no other is proves it.
        other = old or _made_up()
        ended = 0
        for door in found.doors:
            self._settle(door, new, "accepted")
            self._settle(door, other, "refused")
            if end:
                moment = since or postgresql.clock(door, new)
                ended += postgresql.end_sessions(door, new, moment, self.account.patience)
        return ended

    def _settle(self, door: Door, password: SecretStr, wanted: str) -> None:
        until = time.monotonic() + self.account.session.system.rotation_patience.total_seconds()
        while (saw := postgresql.knock(door, password)) != wanted:
            if time.monotonic() > until:
                which = "new" if wanted == "accepted" else "old"
                then = "look at the database by hand: who else sets its password?"
                raise UnprovenError(
                    str(self.named), wanted=f"its {which} password {wanted} by {door}", saw=f"it {saw}", then=then
                )
            time.sleep(_LOOK_AGAIN)

    def _done(self, found: Database, secret: str, version: str, ended: int, *, changed: bool) -> Replaced:
        new = str(Named(self.named.region, self.named.database, version))
        return Replaced(new, secret, changed, ended, len(found.doors), found.elsewhere)

    @property
    def _databases(self) -> Databases:
        return Databases(self.account.session, self.named.region)

    @property
    def _stages(self) -> Stages:
        return Stages(self.account.session, self.named.region)


def _made_up() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(_LENGTH))


def _password(value: Value | None) -> SecretStr | None:
    held = parsed(value.text).get("password") if value is not None else None
    return SecretStr(str(held)) if held else None
