"""
Twenty drills, measured from outside: how long until shoppers see the maintenance page, and until the revert is pushed.

Beside them, in the same run and on the same machine, the same Prefect with a deployment as `flow.serve()` makes it
(polling every 10 s, a new process for each run), measured from the creation of a run to its first line.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import httpx

from crisis.drill.bad_deploy import BadDeploy
from crisis.drill.rehearsal import rehearse
from crisis.drill.stack import Stack
from crisis.journal.store import Journal
from crisis.sandbox.world import World

PROJECT = Path(__file__).resolve().parents[1]
PLAIN = """
    import sys, time
    from prefect import flow

    @flow(name="plain")
    def plain() -> None:
        with open(sys.argv[1], "a") as out:
            out.write(f"{time.time()}\\n")

    if __name__ == "__main__":
        plain.serve(name="plain")
"""


def main() -> int:
    """Run drills and plain runs; print p50, p95 and the ratio."""
    drills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    plains = max(3, drills // 4)
    visible, pushed = [], []
    for number in range(1, drills + 1):
        seen, revert = _drill()
        visible.append(seen)
        pushed.append(revert)
        print(
            f"drill {number:2}: maintenance visible {seen * 1000:4.0f} ms, revert pushed {revert * 1000:4.0f} ms",
            flush=True,
        )
    plain = _plain_runs(plains)
    print(f"plain deployment: {', '.join(f'{one:.1f} s' for one in plain)}")
    print(
        f"\nalert -> maintenance visible  p50 {_at(visible, 0.5):6.0f} ms  p95 {_at(visible, 0.95):6.0f} ms  n={drills}"
    )
    print(
        f"decision -> revert pushed     p50 {_at(pushed, 0.5):6.0f} ms   p95 {_at(pushed, 0.95):6.0f} ms   n={drills}"
    )
    print(f"plain: run -> first line      p50 {_at(plain, 0.5):6.0f} ms                    n={plains}")
    ratio = statistics.median(plain) * 1000 / _at(visible, 0.5)
    print(f"a plain deployment takes {ratio:.1f} times as long to its first line as we to the maintenance page")
    return 0


def _drill() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="crisis-bench-") as folder, World.start() as world:
        home = Path(folder)
        with Stack(home, world.env, PROJECT) as stack:
            stack.wait()
            journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
            time.sleep(1)  # a team's stack has been up for days: let ours settle
            outcome = rehearse(
                BadDeploy(world), stack, journal, simulated=True, show=lambda _: None, ask=lambda _gate, _page: None
            )
            journal.close()
        prober = outcome.world["prober"]
        visible = prober["maintenance_seen"][0]["unix"] - prober["first_alert"]["unix"]
    decided = next(entry for entry in outcome.entries if entry.kind == "decided")
    done = next(entry for entry in outcome.entries if entry.kind == "done" and entry.body["action"] == "revert_release")
    return visible, (done.time - decided.time).total_seconds()


def _plain_runs(count: int) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="crisis-bench-") as folder, World.start() as world:
        script, out = Path(folder) / "plain.py", Path(folder) / "out"
        script.write_text(textwrap.dedent(PLAIN), encoding="utf-8")
        out.touch()
        with Stack(Path(folder) / "home", world.env, PROJECT) as stack:
            stack.wait()
            api = f"{stack.prefect}/api"
            environment = {**os.environ, "PREFECT_API_URL": api, "PREFECT_HOME": folder}
            runner = subprocess.Popen(
                [sys.executable, str(script), str(out)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                return [_plain_run(api, out) for _ in range(count)]
            finally:
                runner.terminate()
                runner.wait()


def _plain_run(api: str, out: Path) -> float:
    until = time.monotonic() + 60
    with httpx.Client(base_url=api, trust_env=False) as client:
        while (found := client.get("/deployments/name/plain/plain")).is_error and time.monotonic() < until:
            time.sleep(0.2)
        before = len(out.read_text(encoding="utf-8").splitlines())
        began = time.time()
        client.post(f"/deployments/{found.json()['id']}/create_flow_run", json={"state": {"type": "SCHEDULED"}})
        while time.monotonic() < until:
            lines = out.read_text(encoding="utf-8").splitlines()
            if len(lines) > before:
                return float(lines[-1]) - began
            time.sleep(0.02)
    msg = "the plain deployment did not run within a minute"
    raise TimeoutError(msg)


def _at(values: list[float], share: float) -> float:
    """Return a percentile in milliseconds, nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))] * 1000


if __name__ == "__main__":
    sys.exit(main())
