"""Release: serve one kept artefact of the shop on a socket that its starter already opened."""

import socket
import sys

import uvicorn


def main() -> None:
    """Run `shop.app:app` of the working directory on the inherited socket."""
    config = uvicorn.Config("shop.app:app", log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
