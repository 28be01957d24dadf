"""
How soon every access key of an account is rotated and proved dead: ours, beside a sequential boto3 script.

Both do the same work on users of the same stand-in, which answers as late and refuses as early as it is told to:
list, note the last use, deactivate, make room, make, keep, prove the new key, promote, strip, prove the old one dead.
The script is timed on a sample, because it would take an hour; `--whole` lets it do its whole share.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import ClientError

from crisis.clients import aws
from crisis.clients.aws import inventory
from crisis.clients.aws.batch import each_key
from crisis.clients.aws.rotation import Rotation
from crisis.domain.systems import Aws

PROJECT = Path(__file__).resolve().parents[1]
LIMITS = {"iam": 100.0, "sts": 200.0, "secretsmanager": 100.0}
"""Calls a second that the stand-in takes; beyond them it throttles, as AWS does. AWS does not publish IAM's."""


class Script:
    """What people write in the night: one thing after the other, boto3 as it comes."""

    def __init__(self, url: str, key: tuple[str, str]) -> None:
        self.url, self.key = url, key
        self.iam, self.store = self.client("iam", key), self.client("secretsmanager", key)

    def client(self, api: str, key: tuple[str, str]) -> Any:
        """Make a client as boto3 does by default."""
        return boto3.client(
            api, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key[0], aws_secret_access_key=key[1]
        )

    def rotate(self, users: Iterable[str]) -> int:
        """Rotate all keys of these users; return how many."""
        done = 0
        for user in users:
            for number, one in enumerate(self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]):
                self.iam.get_access_key_last_used(AccessKeyId=one["AccessKeyId"])
                self.rotate_one(user, f"access-keys/{user}/{number}", one["AccessKeyId"])
                done += 1
        return done

    def rotate_one(self, user: str, name: str, old: str) -> None:
        """Rotate one key."""
        before = self.store.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")
        secret = json.loads(before["SecretString"])["secret_access_key"]
        self.iam.update_access_key(UserName=user, AccessKeyId=old, Status="Inactive")
        while self.works((old, secret)):
            time.sleep(0.5)
        self.iam.delete_access_key(UserName=user, AccessKeyId=old)
        new = self.iam.create_access_key(UserName=user)["AccessKey"]
        value = {"access_key_id": new["AccessKeyId"], "secret_access_key": new["SecretAccessKey"]}
        put = self.store.put_secret_value(
            SecretId=name, SecretString=json.dumps(value), VersionStages=["AWSPENDING"],
            ClientRequestToken=str(uuid.uuid4()),
        )  # fmt: skip
        while not self.works((new["AccessKeyId"], new["SecretAccessKey"])):
            time.sleep(0.5)
        moved = {"SecretId": name, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": before["VersionId"]}
        self.store.update_secret_version_stage(**moved, MoveToVersionId=put["VersionId"])
        moved["VersionStage"] = "AWSPREVIOUS"
        self.store.update_secret_version_stage(**moved)
        assert not self.works((old, secret))

    def works(self, key: tuple[str, str]) -> bool:
        """Whether AWS takes a key."""
        try:
            self.client("sts", key).get_caller_identity()
        except ClientError:
            return False
        return True


def main() -> int:
    """Seed the account, run both, print seconds a key and the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--sample", type=int, default=10, help="users for the script")
    parser.add_argument("--latency", type=float, default=0.08, help="seconds that each call takes on its way")
    parser.add_argument("--whole", action="store_true", help="as many users for the script as for us")
    asked = parser.parse_args()
    with subprocess.Popen([sys.executable, "-m", "crisis.sandbox.aws"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            return compare(process.stdout.readline().strip(), asked)
        finally:
            process.terminate()


def compare(url: str, asked: argparse.Namespace) -> int:
    """Time both on one stand-in, one after the other."""
    admin = httpx.get(f"{url}/_sandbox/admin", timeout=60).json()
    key = (admin["access_key_id"], admin["secret_access_key"])
    os.environ.update(BENCH_AWS_ID=key[0], BENCH_AWS_SECRET=key[1])
    sample = asked.users if asked.whole else min(asked.sample, asked.users)
    mine = [f"ours-{number}" for number in range(asked.users)]
    theirs = [f"script-{number}" for number in range(sample)]
    seed(url, key, [*mine, *theirs])
    with aws.connect(account_at(url)) as account:
        inventory.take(account, "bench")  # moto loads each API when it is first asked; that is not our time
    httpx.post(f"{url}/_sandbox/weather", json={"latency": asked.latency, "rates": LIMITS}, timeout=60)
    before = calls(url)
    took, count = time_ours(url, mine)
    spent = {name: number - before.get(name, 0) for name, number in calls(url).items()}
    began = time.monotonic()
    done = Script(url, key).rotate(theirs)
    script = time.monotonic() - began
    ratio = (script / done) / (took / count)
    print(f"ours    {count:5d} keys  {took:8.1f} s  {1000 * took / count:7.1f} ms a key  {sum(spent.values())} calls")
    print(f"script  {done:5d} keys  {script:8.1f} s  {1000 * script / done:7.1f} ms a key")
    print(f"ratio   {ratio:.1f} times as quick (latency {asked.latency * 1000:.0f} ms, limits {LIMITS})")
    return 0 if ratio >= 6 else 1


def account_at(url: str) -> Aws:
    """Describe the account, at a pace within its limits."""
    paces = {"iam": 90.0, "sts": 180.0, "secrets-manager": 90.0}
    return Aws(
        kind="aws", url=url, regions=("us-east-1",), access_key_id="env:BENCH_AWS_ID",
        secret_access_key="env:BENCH_AWS_SECRET",  # noqa: S106 - where it is, not what it is
        calls_per_second=paces, patience=timedelta(seconds=120),
    )  # fmt: skip


def time_ours(url: str, users: list[str]) -> tuple[float, int]:
    """Take the inventory, rotate and prove; return the seconds and the number of keys."""
    began, wanted = time.monotonic(), set(users)
    with aws.connect(account_at(url)) as account:
        taken = inventory.take(account, "bench")
        keys = [one for one in taken.credentials if one.kind == "access key" and one.holder[5:] in wanted]
        known = frozenset(one.name for one in keys)
        named = [f"{one.holder[5:]}/{one.name}" for one in keys]
        outcome = each_key(named, lambda user, old: Rotation(account, user, old, known).run())
        done = outcome.insist("bench", "every key rotated")
    assert all(one.new for one in done.values())
    return time.monotonic() - began, len(done)


def seed(url: str, key: tuple[str, str], users: list[str]) -> None:
    """Give every user two keys, each kept in a secret."""
    config = Config(max_pool_connections=8)
    iam, store = (
        boto3.client(
            api, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key[0], aws_secret_access_key=key[1],
            config=config,
        )
        for api in ("iam", "secretsmanager")
    )  # fmt: skip

    def make(user: str) -> None:
        iam.create_user(UserName=user)
        for number in range(2):
            made = iam.create_access_key(UserName=user)["AccessKey"]
            value = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
            store.create_secret(Name=f"access-keys/{user}/{number}", SecretString=json.dumps(value))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, users))


def calls(url: str) -> dict[str, int]:
    """Return what the stand-in was asked so far."""
    counted: dict[str, int] = httpx.get(f"{url}/_sandbox/counted", timeout=60).json()["calls"]
    return counted


if __name__ == "__main__":
    sys.exit(main())
