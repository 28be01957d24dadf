"""Release: serve one kept artefact of the shop on a socket that its starter already opened."""

import socket
import sys

import uvicorn

_KEEP_ALIVE = 60  # longer than any client keeps an idle connection, so that none is closed while being used again


def main() -> None:
    """Run `shop.app:app` of the working directory on the inherited socket."""
    config = uvicorn.Config(
        "shop.app:app", log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=_KEEP_ALIVE
    )
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
