"""
How long an intruder goes on after somebody pasted the leaked key: ours, beside a bare boto3 script.

Ours is everything: the command line, Prefect, the journal, what the holder had kept as evidence, the deny. The script
does the least that stops the same intruder: it asks whose key it is and puts the deny. The intruder's own calls tell.
"""

import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from crisis.drill.breach import Breach, write_protocol
from crisis.drill.people import Authenticator
from crisis.drill.stack import Stack
from crisis.errors import UnprovenError
from crisis.sandbox.company.company import Company
from crisis.sandbox.company.intruder import Door, Intruder
from crisis.sandbox.world import World

PROJECT = Path(__file__).resolve().parents[1]
BOUND_SECONDS = 5.0
_GIVES_UP, _QUIET = 60.0, 5
SCRIPT = """
    import json, os, sys
    import boto3
    leaked = json.load(sys.stdin)
    iam = boto3.client("iam", endpoint_url=leaked["url"], region_name="us-east-1",
                       aws_access_key_id=os.environ["CRISIS_SANDBOX_AWS_ID"],
                       aws_secret_access_key=os.environ["CRISIS_SANDBOX_AWS_SECRET"])
    user = iam.get_access_key_last_used(AccessKeyId=leaked["id"])["UserName"]
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName=user, PolicyName="stop", PolicyDocument=json.dumps(deny))
"""


def main() -> int:
    """Measure some of each; print p50, p95 and the ratio."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    ours, bare = [], []
    for number in range(1, times + 1):
        ours.append(_ours())
        bare.append(_bare())
        print(f"{number:2}: ours {ours[-1]:.2f} s, a bare script {bare[-1]:.2f} s", flush=True)
    print(f"\nleak pasted -> its key refused   p50 {_at(ours, 0.5):.2f} s  p95 {_at(ours, 0.95):.2f} s  n={times}")
    print(f"a bare script                    p50 {_at(bare, 0.5):.2f} s  p95 {_at(bare, 0.95):.2f} s  n={times}")
    print(f"ours takes {_at(ours, 0.5) / _at(bare, 0.5):.1f} times as long; the bound for p95 is {BOUND_SECONDS:g} s")
    return 0


def _ours() -> float:
    with tempfile.TemporaryDirectory(prefix="crisis-bench-") as folder, World.start() as world:
        world.shoppers(0)
        home = Path(folder)
        with Company.start(PROJECT) as company:
            protocol = write_protocol(PROJECT / "protocol.yaml", company.systems, home / "protocol.yaml")
            environment = {**world.env, **company.env, "CRISIS_PROTOCOL": str(protocol)}
            with Stack(home, environment, PROJECT) as stack:
                stack.wait()
                time.sleep(1)  # a team's stack has been up for days: let ours settle
                breach = Breach(world, company)
                breach.begin(stack, Authenticator(world.one_time_code))
                seconds = _until_shut(breach.intruder.of_the_leaked_key, breach.pasted_at)
                breach.intruder.give_up()
    return seconds


def _bare() -> float:
    with Company.start(PROJECT) as company:
        intruder = Intruder(company.loot)
        intruder.break_in()
        time.sleep(1)
        began = time.monotonic()
        leaked = f'{{"url": "{company.loot["aws_url"]}", "id": "{company.loot["aws_id"]}"}}'
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(SCRIPT)], input=leaked, text=True, check=True, env=company.env
        )
        seconds = _until_shut(intruder.of_the_leaked_key, began)
        intruder.give_up()
    return seconds


def _until_shut(door: Door, since: float) -> float:
    until = time.monotonic() + _GIVES_UP
    while time.monotonic() < until:
        shut = door.shut_at
        if shut is not None and shut > since and sum(one >= shut for one in door.refused) >= _QUIET:
            return shut - since
        time.sleep(0.05)
    raise UnprovenError("intruder", wanted="a shut door", saw=f"an open one after {_GIVES_UP:g} s")


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(round(share * len(values)), len(values) - 1)]


if __name__ == "__main__":
    sys.exit(main())
