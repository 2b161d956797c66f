"""What every channel has to do, done by ``local``."""

from __future__ import annotations

from workers.testing.conformance import ChannelConformance, ChannelUnderTest
from workers.testing.fakes.local import LocalFake

CALM = "it is a unix socket on this host: nothing on it"


class TestLocal(ChannelConformance):
    channel = ChannelUnderTest(
        "workers.channels.local:manifest",
        LocalFake,
        cannot={
            "replay": "what a person types into a socket is kept by nobody but the worker",
            "login": "who can open the socket is logged in",
            "unauthorized": "there are no credentials",
            "conflict": "a second account has a socket of its own",
            "rate_limited": f"{CALM} limits how fast one may write",
            "outage": "the platform is the account itself",
            "half_open": f"{CALM} goes half away",
            "slow": f"{CALM} is slow",
            "duplicate": f"{CALM} delivers a line twice",
            "unanswered": "a line has no answer",
        },
    )
