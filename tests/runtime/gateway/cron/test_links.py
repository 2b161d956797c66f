"""Where answers go that no message asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ipc.frames.bootstrap import ChannelInfo
from runtime.gateway.cron.links import NoRoute, key_of, own_run, stamped, with_fields
from runtime.gateway.journal.runs import ReplyTarget
from tests.support.timers import timer_rig

MAIN = "agent:echo:main"


async def test_an_answer_goes_to_the_chat_that_is_named_or_to_the_last_one() -> None:
    async with timer_rig() as rig:
        links = (await rig.timers()).links
        with pytest.raises(NoRoute, match="nobody has written"):
            await links.target("echo", MAIN, "last", None)
        found = await links.target("echo", MAIN, "irc", "ada", None, "t")
        assert found == ReplyTarget("irc:libera", "ada", "t")
        assert await links.target("echo", MAIN, None, "ada") == ReplyTarget("irc:libera", "ada")
        for channel, to, account, text in (
            ("telegram", "1", None, "unknown channel: telegram"),
            ("irc", None, None, "Delivering to IRC requires target"),
            ("irc", "ada", "nowhere", "unknown irc account"),
        ):
            with pytest.raises(NoRoute, match=text):
                await links.target("echo", MAIN, channel, to, account)
        conversation = await links.sessions.open(MAIN, "echo", 1)
        conversation.session = replace(conversation.session, account="irc:libera", to="bob")
        assert await links.target("echo", MAIN, "last", None) == ReplyTarget("irc:libera", "bob")


async def test_the_channel_of_a_delivery_is_required_where_there_are_several() -> None:
    async with timer_rig() as rig:
        links = (await rig.timers()).links
        bare = ChannelInfo("bare", "Bare", "Bare", "circle", "one", ["one"])
        links.accounts.set_channels([*links.accounts.channels.values(), bare])
        for channel in (None, "last"):
            with pytest.raises(NoRoute, match="channel is required; configured: irc, bare"):
                links.named_target(channel, "ada", None)


def test_a_run_that_nobody_asked_for_belongs_to_its_chat_or_its_agent() -> None:
    request = with_fields("x", model=None, heartbeat=True)
    assert request.fields == {"heartbeat": True}
    run = own_run("r", MAIN, "echo", request, client="cron", now=1000, seconds=1.5)
    assert (key_of(run), run.deadline, run.origin.client) == ("agent:echo", 2500, "cron")
    assert key_of(replace(run, reply=ReplyTarget("irc:one", "ada"))) == "irc:one"
    assert stamped("x", 0) == "System: [1970-01-01T00:00:00.000Z] x"
