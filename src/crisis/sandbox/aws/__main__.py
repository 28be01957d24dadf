"""Start the account: `python -m crisis.sandbox.aws [PORT]` serves on 127.0.0.1 and prints its address."""

import logging
import sys

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from crisis.sandbox.aws.app import Account


def main() -> int:
    """Serve until the process is ended; port 0 takes a free one."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = make_server("127.0.0.1", port, Account(), threaded=True, request_handler=MotoRequestHandler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
