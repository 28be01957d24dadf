"""Wire: the one place where a call leaves for AWS; botocore's own sending is not used."""

from typing import Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

__all__ = ["Http", "Wire"]

_CONNECT_SECONDS, _READ_SECONDS = 4.0, 10.0
_CONNECTIONS = 32


class Wire(Protocol):
    """Sends one signed request. A test puts one of its own in this place, to break it anywhere."""

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send, and return the answer; an HTTPClientError when there is none."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


class Http:
    """The real one: kept-alive connections, with bounded time-outs and without proxies of the environment."""

    def __init__(self) -> None:
        self._session = URLLib3Session(timeout=(_CONNECT_SECONDS, _READ_SECONDS), max_pool_connections=_CONNECTIONS)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send one request."""
        answer: AWSResponse = self._session.send(request)
        return answer

    def close(self) -> None:
        """Let go of all connections."""
        self._session.close()
