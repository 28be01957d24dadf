"""The account as a test sees it: users with keys that consumers hold, the weather, and the state of the world."""

import itertools
import json
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
import httpx
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from crisis.clients.aws.wire import Http
from crisis.domain.systems.aws import Aws

__all__ = ["Cloud", "DeadlyWire", "Death", "User"]

REGION = "us-east-1"
_numbers = itertools.count(1)


class Death(BaseException):
    """The process ends here."""


class DeadlyWire:
    """Sends calls, and dies after the effect of the n-th, before anybody hears the answer."""

    def __init__(self, after: int) -> None:
        self.after, self.sent, self.http = after, 0, Http()

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send one request; die when it is the last."""
        answer = self.http.send(request)
        self.sent += 1
        if self.sent == self.after:
            raise Death
        return answer

    def close(self) -> None:
        """Let go of all connections."""
        self.http.close()


@dataclass
class User:
    """A user with keys, each kept in a secret of its own where its consumer reads it."""

    name: str
    keys: list[tuple[str, str]]
    secrets: list[str]

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the keys at the beginning."""
        return frozenset(key for key, _ in self.keys)


@dataclass
class Cloud:
    """The stand-in's address and its admin's key; `boto` makes plain clients that owe nothing to ours."""

    url: str
    admin: tuple[str, str]
    _clients: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, url: str) -> "Cloud":
        """Find the account at an address."""
        key = httpx.get(f"{url}/_sandbox/admin", timeout=60).json()
        return cls(url, (key["access_key_id"], key["secret_access_key"]))

    def as_admin(self, put: Callable[[str, str], None]) -> None:
        """Put the admin's key into the environment."""
        put("CRISIS_TEST_AWS_ID", self.admin[0])
        put("CRISIS_TEST_AWS_SECRET", self.admin[1])

    def system(self, **more: Any) -> Aws:
        """Describe the account as protocol.yaml does; as fast as the stand-in lets us, and not patient."""
        paces = dict.fromkeys(("iam", "sts", "secrets-manager", "ec2", "kms", "rds", "ssm", "cloudtrail"), 2000.0)
        settings = {
            "url": self.url, "regions": (REGION,), "access_key_id": "env:CRISIS_TEST_AWS_ID",
            "secret_access_key": "env:CRISIS_TEST_AWS_SECRET", "calls_per_second": paces,
            "patience": timedelta(seconds=20), **more,
        }  # fmt: skip
        return Aws(kind="aws", **settings)

    def boto(self, api: str, key: tuple[str, str] | None = None, token: str | None = None) -> Any:
        """Return a plain client."""
        id_, secret = key or self.admin
        if (api, id_, secret, token) not in self._clients:
            self._clients[api, id_, secret, token] = boto3.client(
                api, endpoint_url=self.url, region_name=REGION, aws_access_key_id=id_, aws_secret_access_key=secret,
                aws_session_token=token, config=Config(retries={"total_max_attempts": 1}, read_timeout=300),
            )  # fmt: skip
        return self._clients[api, id_, secret, token]

    def user(self, keys: int = 1, *, kept: bool = True) -> User:
        """Make a user with keys that consumers hold."""
        name, iam = f"user-{next(_numbers)}", self.boto("iam")
        iam.create_user(UserName=name)
        made, names = [], []
        for number in range(keys):
            key = iam.create_access_key(UserName=name)["AccessKey"]
            made.append((key["AccessKeyId"], key["SecretAccessKey"]))
            if kept:
                names.append(f"access-keys/{name}/consumer-{number}")
                value = {"access_key_id": made[-1][0], "secret_access_key": made[-1][1]}
                self.boto("secretsmanager").create_secret(
                    Name=names[-1], SecretString=json.dumps(value), ClientRequestToken=str(uuid.uuid4())
                )
        return User(name, made, names)

    def machine(self) -> tuple[str, str]:
        """Start an instance in a network of its own; return its id and that of its security group."""
        ec2 = self.boto("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="shop", Description="shop", VpcId=vpc)["GroupId"]
        started = ec2.run_instances(
            ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group]
        )
        return started["Instances"][0]["InstanceId"], group

    def works(self, key: tuple[str, str]) -> bool:
        """Whether AWS takes a key, asked as its owner would."""
        try:
            self.boto("sts", key).get_caller_identity()
        except ClientError:
            return False
        return True

    def keys_of(self, user: str) -> dict[str, str]:
        """Return the status of each key of a user."""
        found = self.boto("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
        return {one["AccessKeyId"]: one["Status"] for one in found}

    def held(self, name: str, stage: str = "AWSCURRENT") -> tuple[str, str] | None:
        """Read the key at a stage of a secret, as its consumer does."""
        try:
            found = self.boto("secretsmanager").get_secret_value(SecretId=name, VersionStage=stage)
        except ClientError:
            return None
        value = json.loads(found["SecretString"])
        return value["access_key_id"], value["secret_access_key"]

    def shape(self, user: User) -> dict[str, Any]:
        """Say what the world of a user looks like, with names that are the same in every run."""
        held = [self.held(name) for name in user.secrets]
        keys = self.keys_of(user.name)
        roles = {key: f"old-{number}" for number, (key, _) in enumerate(user.keys)}
        roles |= {one[0]: f"new-{number}" for number, one in enumerate(held) if one and one[0] not in roles}
        return {
            "keys": sorted((roles.get(key, "orphan"), status) for key, status in keys.items()),
            "held": [roles.get(one[0], "?") if one else None for one in held],
            "held works": [one is not None and self.works(one) for one in held],
            "old works": [self.works(key) for key in user.keys],
            "previous": [self.held(name, "AWSPREVIOUS") is not None for name in user.secrets],
        }

    def weather(self, **settings: Any) -> None:
        """Change latency, rates, lags or zombies."""
        self._post("weather", settings)

    def plan(self, *faults: dict[str, Any]) -> None:
        """Let calls fail."""
        self._post("faults", list(faults))

    def clear(self) -> None:
        """Let the weather be fine and forget what was counted."""
        self._post("clear", None)

    def counted(self) -> dict[str, dict[str, int]]:
        """Return what was called and refused since the last clear."""
        with closing(httpx.get(f"{self.url}/_sandbox/counted", timeout=60)) as answer:
            found: dict[str, dict[str, int]] = answer.json()
        return found

    def _post(self, where: str, what: Any) -> None:
        httpx.post(f"{self.url}/_sandbox/{where}", json=what, timeout=60).raise_for_status()
