"""What each error says, and what its fields are for."""

from __future__ import annotations

import pytest

from ipc import errors
from ipc.errors import (
    CallTimeout,
    ConnectionFailed,
    FrameError,
    IpcError,
    MalformedJson,
    PeerGone,
    RemoteError,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FrameError("must be an object", id="7"), "must be an object"),
        (PeerGone("irc:libera#3", maybe_executed=False), "irc:libera#3 is gone"),
        (
            PeerGone("irc:libera#3", maybe_executed=True),
            "irc:libera#3 is gone; the request may have been executed",
        ),
        (CallTimeout("health", 30.0), "health: no answer within 30 s"),
        (CallTimeout("health", 0.25), "health: no answer within 0.25 s"),
        (RemoteError("UNAVAILABLE", "busy"), "UNAVAILABLE: busy"),
        (ConnectionFailed("ws://x", "refused", retryable=True), "ws://x: refused"),
    ],
)
def test_an_error_is_one_sentence(error: IpcError, text: str) -> None:
    assert str(error) == text


def test_every_error_is_a_subclass_of_the_base() -> None:
    kinds = [
        kind for kind in vars(errors).values() if getattr(kind, "__module__", "") == errors.__name__
    ]
    assert len(kinds) == 8
    assert all(issubclass(kind, IpcError) for kind in kinds)
    assert issubclass(MalformedJson, FrameError)


def test_a_refused_frame_names_the_request_where_it_has_one() -> None:
    assert (FrameError("no", id=7).id, FrameError("no").id) == (7, None)
    assert FrameError("no").reason == "no"
