"""What every channel has to do, done by ``webhook`` with a peer that signs by another library."""

from __future__ import annotations

import pytest

from tests.workers.channels.webhook.webhook_fake import WebhookFake
from workers.testing.account import RunningAccount
from workers.testing.conformance import ChannelConformance, ChannelUnderTest

NO_CONNECTION = "each message is a request of its own, so there is no connection to lose"


class TestWebhook(ChannelConformance):
    channel = ChannelUnderTest(
        "workers.channels.webhook:manifest",
        WebhookFake,
        cannot={
            "offline": "a peer comes in through the gateway, and comes again while there is none",
            "unauthorized": "nothing logs in: a peer that refuses a signature refuses one message",
            "conflict": "any number of peers may use one secret",
            "outage": f"{NO_CONNECTION}: test_deliveries.py has the peer that is away",
            "half_open": f"{NO_CONNECTION}; a request has its time limit",
        },
    )

    # What these wait for is the same for every channel, and is seen with the others each time.
    @pytest.mark.slow
    def test_a_blocked_loop_costs_a_restart_and_no_message(self, account: RunningAccount) -> None:
        super().test_a_blocked_loop_costs_a_restart_and_no_message(account)

    @pytest.mark.slow
    def test_nothing_outlives_the_supervisor(self, account: RunningAccount) -> None:
        super().test_nothing_outlives_the_supervisor(account)
