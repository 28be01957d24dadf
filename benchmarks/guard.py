"""How long the guard takes for a megabyte of notices, beside the search for secrets alone, which it includes."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from crisis.domain.disclosure.guard import Allowed, inspect
from crisis.domain.sighting import sightings

NOTICES = Path(__file__).resolve().parents[1] / "tests" / "disclosure" / "notices"
SIZE, ROUNDS, BOUND_SECONDS = 1_000_000, 3, 2.0


def main() -> int:
    """Measure both in turn; print the medians and the ratio."""
    many = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(NOTICES.glob("*.md")))
    text = (many * (SIZE // len(many) + 1))[:SIZE]
    ours, alone = list[float](), list[float]()
    for _ in range(ROUNDS):
        ours.append(_seconds(lambda: inspect(text, Allowed())))
        alone.append(_seconds(lambda: list(sightings(text))))
    whole, part = statistics.median(ours), statistics.median(alone)
    print(f"guard          {whole:.2f} s for 1 MB (wanted at most {BOUND_SECONDS:g} s)  n={ROUNDS}")
    print(f"secrets alone  {part:.2f} s  ratio {whole / part:.1f}")
    return 0 if whole <= BOUND_SECONDS else 1


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
