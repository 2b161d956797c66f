"""Where messages go that may leave the gateway."""

from __future__ import annotations

from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.handover import Handover
from runtime.gateway.accounts.ring import Rings
from tests.support.messages import KEY


def test_messages_go_to_the_ring_and_are_published_and_counted() -> None:
    rings, fanout = Rings(10, 1000), Fanout(lambda: None)
    handover = Handover(rings, fanout)
    handover.publish(KEY, 3, 7, b"\1\1", [b"seven", b"eight"])
    handover.publish(KEY, 3, 12, b"\1", [b"twelve"])
    assert rings.following(KEY, (3, 7), 99) == [((3, 8), b"eight"), ((3, 12), b"twelve")]
    assert (handover.messages, fanout.published) == (3, 3)
