"""The account on real servers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import irc_server
from tests.support.irc_server import IrcServer, visitor
from tests.workers.channels.irc.running_account import account
from workers.errors import ChannelError, Misconfigured, NeedsLogin, SendFailed, Transient

SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[IrcServer]]] = {
    "ngircd": irc_server.ngircd,
    "miniircd": irc_server.miniircd,
    "inspircd": irc_server.inspircd,
}


def needs(name: str) -> pytest.MarkDecorator:
    """Skip where the server is not installed, and say which."""
    return pytest.mark.skipif(
        not irc_server.available(name), reason=f"{name} is not installed (apt-get install {name})"
    )


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in SERVERS])
def server(request: pytest.FixtureRequest) -> Iterator[IrcServer]:
    with SERVERS[request.param]() as running:
        yield running


@pytest.fixture
def one_server() -> Iterator[IrcServer]:
    """For what does not depend on the server: ngircd, or miniircd where it is absent."""
    with SERVERS["ngircd" if irc_server.available("ngircd") else "miniircd"]() as running:
        yield running


async def test_an_account_receives_and_answers(server: IrcServer, tmp_path: Path) -> None:
    async with (
        visitor(server, "alice", "#room") as alice,
        account(tmp_path, server.port, channels=["#room"]) as bot,
    ):
        alice.say("#room", "tester: hello")
        got = await bot.ctx.message("hello")
        assert (got.chat.id, got.chat.kind, got.sender.id) == ("#room", "group", "alice")
        assert got.addressed
        sent = await bot.say("#room", "hello yourself")
        assert sent.parts == 1
        await alice.expect("PRIVMSG #room :hello yourself")
        await bot.stop()
        await alice.expect("Trunkline")


async def test_direct_messages_and_actions(server: IrcServer, tmp_path: Path) -> None:
    async with (
        visitor(server, "alice", "#room") as alice,
        account(tmp_path, server.port, channels=["#room"]) as bot,
    ):
        alice.say("tester", "psst")
        got = await bot.ctx.message("psst")
        assert (got.chat.id, got.chat.kind, got.addressed) == ("alice", "direct", True)
        await bot.say("alice", "what?")
        await alice.expect("PRIVMSG alice :what?")
        alice.say("#room", "\1ACTION waves\1")
        got = await bot.ctx.message("waves")
        assert (got.text, got.action, got.addressed) == ("waves", True, False)
        await bot.say("#room", "waves back", action=True)
        await alice.expect("PRIVMSG #room :\1ACTION waves back\1")


async def test_every_message_has_an_id_of_its_own(one_server: IrcServer, tmp_path: Path) -> None:
    async with (
        visitor(one_server, "alice", "#room") as alice,
        account(tmp_path, one_server.port, channels=["#room"]) as bot,
    ):
        for number in range(5):
            alice.say("#room", f"number {number}")
        await bot.ctx.message("number 4")
        assert [m.text for m in bot.ctx.emitted] == [f"number {n}" for n in range(5)]
        assert len({message.id for message in bot.ctx.emitted}) == 5


async def test_a_long_text_arrives_whole(server: IrcServer, tmp_path: Path) -> None:
    async with (
        visitor(server, "alice", "#room") as alice,
        account(tmp_path, server.port, channels=["#room"]) as bot,
    ):
        words = " ".join(f"wörd-{number}-😀" for number in range(120))
        sent = await bot.say("#room", f"{words}\nlast line")
        await alice.expect("last line")
        said = [one.partition(" :")[2] for one in alice.lines if " PRIVMSG #room" in one]
        assert " ".join(said) == f"{words} last line"
        assert len(said) == sent.parts > 3


async def test_ctcp_is_ignored(one_server: IrcServer, tmp_path: Path) -> None:
    async with (
        visitor(one_server, "alice", "#room") as alice,
        account(tmp_path, one_server.port, channels=["#room"]) as bot,
    ):
        alice.say("tester", "\1VERSION\1")
        alice.say("tester", "\1PING 1\1")
        alice.say("tester", "done")
        await bot.ctx.message("done")
        await bot.say("alice", "heard")
        await alice.expect("heard")
        assert len(bot.ctx.emitted) == 1
        assert not any(one.startswith(":tester!") and "NOTICE" in one for one in alice.lines)


async def test_a_taken_nick_is_avoided_and_taken_when_free(
    server: IrcServer, tmp_path: Path
) -> None:
    async with (
        visitor(server, "tester", "#room") as holder,
        account(tmp_path, server.port, channels=["#room"], regainSeconds=60) as bot,
    ):
        assert "tester_" in bot.ctx.fields["detail"]
        holder.send("QUIT :bye")
        await bot.ctx.until(lambda ctx: "tester_" not in ctx.fields["detail"])


async def test_a_key_opens_a_channel_and_a_kick_does_not_close_it(
    server: IrcServer, tmp_path: Path
) -> None:
    async with visitor(server, "alice", "#room") as alice:
        alice.send("MODE #room +k sesame")
        await alice.expect("+k")
        async with account(tmp_path, server.port, channels=["#room sesame"]) as bot:
            await alice.expect("JOIN")
            if server.name != "miniircd":  # has no KICK
                alice.send("KICK #room tester :out")
                await bot.ctx.until(lambda ctx: "kicked by alice" in ctx.fields["detail"])
                await alice.expect(lambda one: " JOIN " in one and "tester" in one)
            await bot.ctx.until(lambda ctx: "#room joined" in ctx.fields["detail"])


async def test_a_wrong_key_is_told_and_does_not_stop_the_account(
    one_server: IrcServer, tmp_path: Path
) -> None:
    async with visitor(one_server, "alice", "#room") as alice:
        alice.send("MODE #room +k sesame")
        await alice.expect("+k")
        channels = ["#room wrong", "#other"]
        async with account(tmp_path, one_server.port, channels=channels) as bot:
            assert "#room wrong or missing key" in bot.ctx.fields["detail"]
            assert "#other joined" in bot.ctx.fields["detail"]
            with pytest.raises(SendFailed, match="not in #room: wrong or missing key"):
                await bot.say("#room", "x")


async def test_a_message_to_an_unknown_nick_fails(server: IrcServer, tmp_path: Path) -> None:
    async with account(tmp_path, server.port) as bot:
        with pytest.raises(SendFailed, match="401"):
            await bot.say("nobody", "hello")


async def test_a_killed_server_is_a_lost_connection(one_server: IrcServer, tmp_path: Path) -> None:
    async with account(tmp_path, one_server.port, channels=["#room"]) as bot:
        one_server.kill()
        with pytest.raises(Transient, match=r"closed|lost"):
            await bot.task


async def test_a_frozen_server_is_a_dead_connection(one_server: IrcServer, tmp_path: Path) -> None:
    fields: dict[str, Any] = {"pingSeconds": 0.2, "pingTimeoutSeconds": 1.5}
    async with account(tmp_path, one_server.port, **fields) as bot:
        one_server.pause()
        with pytest.raises(Transient, match="no answer to a ping"):
            await bot.task


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(n)) for n in ("ngircd", "miniircd")])
async def test_a_server_password_is_sent_and_a_wrong_one_refused(name: str, tmp_path: Path) -> None:
    start = {"ngircd": irc_server.ngircd, "miniircd": irc_server.miniircd}[name]
    with start(password="sesame") as server:
        async with account(tmp_path, server.port, password="sesame") as bot:
            assert bot.ctx.fields["connected"]
        async with account(tmp_path, server.port, ready=False, password="wrong") as bot:
            # ngircd says it in the words of an ERROR only, which decide nothing
            kinds: dict[str, type[ChannelError]] = {"ngircd": Transient, "miniircd": NeedsLogin}
            error = kinds[name]
            with pytest.raises(error, match=r"(?i)password"):
                await bot.task


@needs("ngircd")
async def test_bans_and_invitations_are_handled(tmp_path: Path) -> None:
    with irc_server.ngircd() as server:
        async with visitor(server, "alice", "#closed", "#banned") as alice:
            alice.send("MODE #closed +i", "MODE #banned +b tester!*@*")
            await alice.expect("+b")
            async with account(tmp_path, server.port, channels=["#closed", "#banned"]) as bot:
                assert "#closed invite only (473" in bot.ctx.fields["detail"]
                assert "#banned banned (474" in bot.ctx.fields["detail"]
                alice.send("INVITE tester #closed")
                await bot.ctx.until(lambda ctx: "#closed joined" in ctx.fields["detail"])


@needs("ngircd")
async def test_tls_with_a_private_authority_works(tmp_path: Path) -> None:
    with irc_server.ngircd() as server:
        safe: dict[str, Any] = {"tls": True, "tlsCaFile": server.ca_file}
        async with account(tmp_path, server.tls_port, channels=["#room"], **safe) as bot:
            await bot.say("#room", "encrypted")
        async with account(tmp_path, server.tls_port, tls=True, tlsVerify=False) as bot:
            assert bot.ctx.fields["connected"]
        async with account(tmp_path, server.tls_port, ready=False, tls=True) as bot:
            with pytest.raises(Misconfigured, match=r"certificate of .* is not valid"):
                await bot.task


@needs("inspircd")
async def test_the_modern_server_gives_ids_and_times(tmp_path: Path) -> None:
    with irc_server.inspircd() as server:
        async with (
            visitor(server, "alice", "#room") as alice,
            visitor(server, "robot", "#room") as robot,
        ):
            robot.send("MODE robot +B")
            await robot.expect("+B")
            async with account(tmp_path, server.port, channels=["#room"]) as bot:
                alice.say("#room", "from a person")
                robot.say("#room", "from a robot")
                person, machine = (
                    await bot.ctx.message("person"),
                    await bot.ctx.message("robot"),
                )
                assert "~" in person.id  # inspircd's form, not ours
                assert (person.sender.bot, machine.sender.bot) == (False, True)
                alice.send("WHOIS tester")
                await alice.expect(lambda one: " 335 " in one)  # "is a bot"


@needs("inspircd")
async def test_a_flood_is_paced(tmp_path: Path) -> None:
    """Lines at once get a client thrown out. Five times the usual pace, five times forgiven."""
    pace: dict[str, Any] = {"floodBurst": 4, "floodRate": 2.5, "channels": ["#room"]}
    with irc_server.inspircd(strictness=5) as server:
        async with visitor(server, "rude") as rude:
            rude.send(*(f"PRIVMSG rude :rude {n}" for n in range(30)))
            await rude.expect("Excess Flood")
        async with (
            visitor(server, "alice", "#room") as alice,
            account(tmp_path, server.port, **pace) as bot,
        ):
            await bot.say("#room", "\n".join(f"polite {n}" for n in range(15)))
            await alice.expect("polite 14")
            assert sum("polite" in one for one in alice.lines) == 15
