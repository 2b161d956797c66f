"""Carries out again the requests that another gateway has read and not answered.

It was killed meanwhile, and may have carried them out. What must not be done twice is answered
with an error that says so: its client knows then what it cannot know of a connection that was cut.
"""

from __future__ import annotations

from ipc.errors import FrameError, RemoteError
from ipc.frames.websocket import Request, decode_request
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.earlier import AnsweredRequests, EarlierTalk, may_repeat
from runtime.gateway.clients.method_table import find

# What begins a stream of events, as the protocol names it. The stream has ended with the gateway
# that began it: the client has to come back, and to ask for what it has missed.
FOLLOWS = ".subscribe"


class RepeatedRequests:
    """Takes the requests of a client that came before this gateway had its connection.

    After the last of them the client takes its requests itself. One that was following events is
    closed with 1012.
    """

    def __init__(self, client: ConnectedClient, earlier: EarlierTalk) -> None:
        self._client = client
        self._left = earlier.requests
        self._answered = AnsweredRequests(earlier.answered)

    def receive(self, data: bytes) -> None:
        """Carry out one request again, or answer that it is not; one that is answered: neither."""
        self._left -= 1
        if not self._left:
            self._client.connection.receive = self._client.receive
        try:
            request = decode_request(data)
        except FrameError as error:
            if not self._answered.take("invalid" if error.id is None else error.id):
                self._client.receive(data)
            return
        if self._answered.take(request.id):
            if request.method.endswith(FOLLOWS):
                self._client.connection.close(1012, "service restart")
            return
        if _is_repeatable(request):
            self._client.receive(data)
        else:
            self._client.refuse(request.id, _unknown_outcome(request.method))


def _is_repeatable(request: Request) -> bool:
    method = find(request.method)
    if method is None:
        return True  # it is refused, as it was then
    try:
        return may_repeat(method.repeat, method.params(request.params))
    except RemoteError:
        return True  # likewise


def _unknown_outcome(method: str) -> RemoteError:
    """Return the answer to a request that may have been carried out, and must not be twice."""
    return RemoteError(
        UNAVAILABLE,
        f"{method}: the gateway was replaced while it carried this out; whether it was done is "
        "unknown",
        details={"method": method, "reason": "gateway-replaced"},
    )
