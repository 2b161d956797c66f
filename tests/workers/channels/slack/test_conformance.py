"""What every channel has to do, done by ``slack``."""

from __future__ import annotations

import pytest

from workers.testing.account import RunningAccount
from workers.testing.conformance import ChannelConformance, ChannelUnderTest
from workers.testing.fakes.slack_account import SlackFake


class TestSlack(ChannelConformance):
    channel = ChannelUnderTest(
        "workers.channels.slack:manifest",
        SlackFake,
        cannot={"conflict": "Slack lets ten programs listen to one app, and names none of them"},
    )

    # What these wait for is the same for every channel, and is seen with the others each time.
    @pytest.mark.slow
    def test_a_blocked_loop_costs_a_restart_and_no_message(self, account: RunningAccount) -> None:
        super().test_a_blocked_loop_costs_a_restart_and_no_message(account)

    @pytest.mark.slow
    def test_nothing_outlives_the_supervisor(self, account: RunningAccount) -> None:
        super().test_nothing_outlives_the_supervisor(account)
