"""What every channel has to do, done by ``irc`` on a server of another program."""

from __future__ import annotations

from tests.workers.channels.irc.irc_fake import IrcFake
from workers.testing.conformance import ChannelConformance, ChannelUnderTest

IRC = ChannelUnderTest(
    "workers.channels.irc:manifest",
    IrcFake,
    cannot={
        "replay": "a server keeps nothing for a client that is not there",
        "conflict": "a nick that is taken is avoided: test_servers.py has that",
        "rate_limited": "a server drops who speaks too fast: the flood tests have that",
        "slow": "a line has no answer of its own that could be late",
        "duplicate": "a server sends a line once, and most give it no id",
        "unanswered": "a line has no answer of its own: test_deliveries.py has what is known",
    },
)


class TestIrc(ChannelConformance):
    channel = IRC
