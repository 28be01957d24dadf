"""`python -m crisis.sandbox`: open the drill ground, print how to reach it, and wait for Ctrl-C."""

import argparse
import shlex
import signal
import sys
from pathlib import Path

from crisis.sandbox.world import World


def main() -> None:
    """Print lines for `eval`, then wait."""
    parser = argparse.ArgumentParser(prog="python -m crisis.sandbox", description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--shop-port", type=int, default=0)
    parser.add_argument("--vendors-port", type=int, default=0)
    parser.add_argument("--webhook", help="where the prober posts its alerts")
    asked = parser.parse_args()
    end = {signal.SIGINT, signal.SIGTERM}
    with World.start(
        asked.home, shop_port=asked.shop_port, vendors_port=asked.vendors_port, webhook=asked.webhook
    ) as world:
        signal.pthread_sigmask(signal.SIG_BLOCK, end)  # only now: the child would inherit it and hear nothing
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in world.env.items()]
        sys.stdout.writelines([*lines, f"# the shop: {world.shop_url}  home: {world.home}  stop: Ctrl-C\n"])
        sys.stdout.flush()
        signal.sigwait(end)


if __name__ == "__main__":
    main()
