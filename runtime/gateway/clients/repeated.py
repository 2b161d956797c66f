"""Carries out again the requests that another gateway has read and not answered.

That gateway was killed, and may have carried them out. A request that must not be carried out twice
is answered with an error that says so: on a connection that was cut, its client would not know even
that. The same goes for several requests with one id of which some are answered, because it is
unknown which.
"""

from __future__ import annotations

from ipc.errors import FrameError, RemoteError
from ipc.frames.websocket import Request, decode_request
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.earlier import EarlierTalk, Standing, may_repeat, standings
from runtime.gateway.clients.method_table import find

# What begins a stream of events, as the protocol names it. The stream has ended with the gateway
# that began it: the client has to come back, and to ask for what it has missed.
FOLLOWS = ".subscribe"


class RepeatedRequests:
    """Handles the requests of a client that came before this gateway had its connection.

    After the last of them each is answered that has no answer, and the client handles later ones
    itself. One that was following events is closed with 1012.
    """

    def __init__(self, client: ConnectedClient, earlier: EarlierTalk) -> None:
        self._client = client
        self._earlier = earlier
        self._came: list[bytes] = []

    def receive(self, data: bytes) -> None:
        """Receive one request; with the last one, execute again those that may be repeated."""
        self._came.append(data)
        if len(self._came) < self._earlier.requests:
            return
        self._client.connection.receive = self._client.receive
        requests = [_read(each) for each in self._came]
        found = standings([_id_of(each) for each in requests], self._earlier.answered)
        for each, request, standing in zip(self._came, requests, found, strict=True):
            self._repeat(each, request, standing)

    def _repeat(self, data: bytes, request: Request | FrameError, standing: Standing) -> None:
        """Carry out a request again, or answer that it is not; one that is answered: neither."""
        if isinstance(request, FrameError):
            if standing is not Standing.ANSWERED:
                self._client.receive(data)
            return
        if standing is not Standing.UNANSWERED and request.method.endswith(FOLLOWS):
            self._client.connection.close(1012, "service restart")
        if standing is Standing.ANSWERED:
            return
        if standing is Standing.UNANSWERED and _is_repeatable(request):
            self._client.receive(data)
        else:
            self._client.refuse(request.id, _unknown_outcome(request.method))


def _read(data: bytes) -> Request | FrameError:
    try:
        return decode_request(data)
    except FrameError as error:
        return error


def _id_of(request: Request | FrameError) -> str | int:
    """Return the id that the answer to a frame has."""
    return "invalid" if request.id is None else request.id


def _is_repeatable(request: Request) -> bool:
    method = find(request.method)
    if method is None:
        return True  # it is refused, as it was then
    try:
        return may_repeat(method.repeat, method.params(request.params))
    except RemoteError:
        return True  # likewise


def _unknown_outcome(method: str) -> RemoteError:
    """Return the error for a request that may have been executed and must not be repeated."""
    return RemoteError(
        UNAVAILABLE,
        f"{method}: the gateway was replaced while it carried this out; whether it was done is "
        "unknown",
        details={"method": method, "reason": "gateway-replaced"},
    )
