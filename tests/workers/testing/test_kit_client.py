"""What becomes of an action, and what the kit keeps of events."""

from __future__ import annotations

import msgspec
import pytest

from ipc.errors import IpcError, PeerGone, RemoteError
from ipc.frames.websocket import Event
from workers.testing.kit_client import KitClient, SendOutcome, outcome_of

INBOUND = b'{"id":"1","chat":{"id":"c","kind":"direct"},"sender":{"id":"s"},"text":"hi","ts":1}'
MESSAGE = (
    b'{"account":"a:b","channel":"a","accountId":"b","cursor":"1:1","direction":"%s","message":%s}'
)
HAPPENED = (
    b'{"account":"a:b","cursor":"1:2","happened":'
    b'{"kind":"typing","chat":{"id":"c","kind":"direct"},"ts":2}}'
)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (
            RemoteError("X", "wait", details={"reason": "rate_limited"}, retry_after_ms=1500),
            SendOutcome(False, error="wait", reason="rate_limited", retry_after=1.5),
        ),
        (RemoteError("X", "no", retryable=True), SendOutcome(False, error="no", retryable=True)),
        (
            RemoteError("UNAVAILABLE", "cut", details={"maybeExecuted": True}),
            SendOutcome(False, error="cut", maybe_sent=True),
        ),
        (RemoteError("INVALID_REQUEST", "no", details="text"), SendOutcome(False, error="no")),
        (
            PeerGone("the gateway", maybe_executed=True),
            SendOutcome(
                False,
                error="the gateway is gone; the request may have been executed",
                maybe_sent=True,
            ),
        ),
    ],
)
def test_an_error_is_an_outcome(error: IpcError, outcome: SendOutcome) -> None:
    assert outcome_of(error) == outcome


def test_what_came_in_is_kept_in_its_order_and_nothing_else() -> None:
    client = KitClient()
    for name, payload in [
        ("channel.message", MESSAGE % (b"in", INBOUND)),
        ("channel.message", MESSAGE % (b"out", INBOUND)),
        ("channel.event", HAPPENED),
        ("channel.status", b"{}"),
        ("channel.gap", b'{"account":"a:b"}'),
    ]:
        client.on_event(Event(name, msgspec.Raw(payload)))
    assert [type(each).__name__ for each in client.events] == ["Inbound", "Happened"]
    assert client.gaps == ['{"account":"a:b"}']
