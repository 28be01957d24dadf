"""
Fuzz the readers of alerts with atheris, each kind for some time: `python -m tests.fuzz.parsers [--seconds N] [KIND …]`.

A finding is kept with its input, and the run goes on. What it has learnt is kept for the next run.
"""

import argparse
import hashlib
import importlib
import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from crisis.domain.alerting import ALERT_KINDS

PROJECT = Path(__file__).resolve().parents[2]
KEPT = PROJECT / ".crisis" / "fuzz"
_LONGEST = 64 * 1024
_RESTED = 15
_INSTRUMENTED = ["crisis.receiver", "crisis.domain.correlation", "crisis.domain.clock"]
_DONE = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)
_CUT_OFF = re.compile(r"^stat::number_of_executed_units: (\d+)()", re.MULTILINE)
_HANGS = 300
"""Seconds after which one input is a hang. A busy machine, which leaves us no time, must not look like one."""


@dataclass(frozen=True)
class Outcome:
    """What came of fuzzing one kind."""

    kind: str
    seconds: int
    runs: int
    findings: int
    ended: bool

    def __str__(self) -> str:
        ended = "" if self.ended else ", and ended before its time: see its log"
        return f"{self.kind:18} {self.seconds:5} s {self.runs:9} runs {self.findings:3} findings{ended}"


def main() -> int:
    """Fuzz some kinds, or all; return 1 when there is a finding."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("kinds", nargs="*", metavar="KIND", choices=[*ALERT_KINDS, []], help="by default all")
    asked.add_argument("--seconds", type=int, default=600, help="for each kind")
    asked.add_argument("--jobs", type=int, default=2, help="kinds at a time")
    asked.add_argument("--kept", type=Path, default=KEPT, help="folder for inputs, findings and logs")
    asked.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    told = asked.parse_args()
    if find_spec("atheris") is None:
        sys.stderr.write("fuzz: atheris is not installed; see docs/how-to/fuzz-the-receiver.md\n")
        return 2
    if told.one:
        _fuzz(told.kinds[0], told.seconds, told.kept)
    with ThreadPoolExecutor(told.jobs) as jobs:
        results = list(jobs.map(lambda kind: _run(kind, told.seconds, told.kept), told.kinds or ALERT_KINDS))
    return 1 if any(one.findings or not one.ended for one in results) else 0


def _run(kind: str, seconds: int, kept: Path) -> Outcome:
    """Fuzz one kind in a process of its own: libFuzzer never returns."""
    folder = kept / kind
    folder.mkdir(parents=True, exist_ok=True)
    log, began = folder / "log", time.monotonic()
    asked = [sys.executable, "-m", "tests.fuzz.parsers", "--one", "--seconds", str(seconds), "--kept", str(kept), kind]
    with log.open("w", encoding="utf-8") as out:
        subprocess.run(asked, cwd=PROJECT, stdout=out, stderr=out, check=False, timeout=seconds + 2 * _HANGS)
    told = log.read_text(encoding="utf-8", errors="replace")
    done = _DONE.search(told)
    found = done or _CUT_OFF.search(told)
    runs, lasted = (found[1], found[2]) if found else ("0", "")
    findings = len(list(folder.glob("findings/*.txt")))
    outcome = Outcome(kind, int(lasted or time.monotonic() - began), int(runs), findings, done is not None)
    sys.stdout.write(f"{outcome}\n")
    sys.stdout.flush()
    return outcome


def _fuzz(kind: str, seconds: int, kept: Path) -> None:
    atheris: Any = importlib.import_module("atheris")
    os.nice(max(0, _RESTED - os.nice(0)))
    with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
        target, mutation = (importlib.import_module(f"tests.fuzz.{name}") for name in ("target", "mutation"))
        importlib.import_module("crisis.receiver.senders.registry").kind_named(kind)
    with target.ground(kind) as context:
        tried = target.Target(kind, context, slowly=2.0)  # instrumented code is slower
        folder = kept / kind
        inputs = folder / "inputs"
        inputs.mkdir(parents=True, exist_ok=True)
        for seed in tried.seeds:
            (inputs / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)

        def mutate(data: bytes, longest: int, seed: int) -> bytes:
            changed: bytes = mutation.mutated(data, Random(seed), lambda one: atheris.Mutate(one, len(one) + 64))  # noqa: S311
            return changed[:longest]

        options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", f"-timeout={_HANGS}", "-rss_limit_mb=4096"]
        options += ["-print_final_stats=1", f"-artifact_prefix={folder}/", "-verbosity=1"]
        atheris.Setup([sys.argv[0], str(inputs), *options], _noting(tried, folder / "findings"), custom_mutator=mutate)
        atheris.Fuzz()


def _noting(tried: Callable[[bytes], None], folder: Path) -> Callable[[bytes], None]:
    """Keep each kind of trouble once, with its input, and go on."""
    seen = set[str]()

    def take(data: bytes) -> None:
        try:
            tried(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            frame = traceback.extract_tb(error.__traceback__)[-1]
            name = hashlib.sha256(f"{type(error)} {frame.filename} {frame.lineno}".encode()).hexdigest()[:12]
            if name not in seen:
                seen.add(name)
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{name}.bin").write_bytes(data)
                (folder / f"{name}.txt").write_text("".join(traceback.format_exception(error))[-20_000:], "utf-8")

    return take


if __name__ == "__main__":
    raise SystemExit(main())
