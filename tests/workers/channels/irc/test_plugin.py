"""The plugin on a scripted server: what real servers rarely do."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.irc_server import HOST
from tests.workers.channels.irc.running_account import RunningAccount, account
from tests.workers.channels.irc.scripted_server import scripted_server
from workers.channels.irc.plugin import MAX_HEARD, MAX_WAITING_LINES
from workers.errors import ChannelError, NeedsLogin, SendFailed, Transient
from workers.messages import Action
from workers.testing.ports import free_port


async def ending(bot: RunningAccount, timeout: float = 10) -> BaseException:
    """Wait until the account ends by itself and return why."""
    await asyncio.wait({bot.task}, timeout=timeout)
    error = bot.task.exception()
    assert error is not None
    return error


async def test_stopping_says_quit_and_waits_for_the_server(tmp_path: Path) -> None:
    async with (
        scripted_server() as server,
        account(tmp_path, server.port, quitMessage="so long") as bot,
    ):
        await bot.stop()
        assert bot.task.cancelled()
        await server.expect("QUIT :so long")
        assert bot.ctx.fields["connected"] is False


async def test_a_server_that_ignores_quit_holds_us_a_second_at_most(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port) as bot:
        server.polite = False
        before = time.monotonic()
        await bot.stop()
        assert 0.9 < time.monotonic() - before < 10


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (":s 904 tester :SASL authentication failed", NeedsLogin, "SASL authentication failed"),
        (":s 464 tester :Password incorrect", NeedsLogin, "Password incorrect"),
        (":s 465 tester :You are banned", Transient, "You are banned"),
        ("ERROR :Closing Link: too many connections", Transient, "too many connections"),
    ],
)
async def test_a_refusal_ends_the_account_with_its_cause(
    tmp_path: Path, said: str, error: type[ChannelError], words: str
) -> None:
    async with scripted_server(welcome=False) as server:
        server.answer("USER", said)
        sasl = {"user": "bot", "password": "x"}
        async with account(tmp_path, server.port, ready=False, sasl=sasl) as bot:
            with pytest.raises(error, match=words):
                raise await ending(bot)
            assert not bot.ctx.is_ready


async def test_sasl_works_over_a_socket(tmp_path: Path) -> None:
    async with scripted_server() as server:
        server.answer("USER", ":s NOTICE * :checking")
        server.answer("CAP LS", ":s CAP * LS :sasl=PLAIN server-time message-tags")
        server.answer("CAP REQ", ":s CAP * ACK :message-tags server-time sasl")
        server.answer("AUTHENTICATE PLAIN", "AUTHENTICATE +")
        server.answer("AUTHENTICATE Ym90AGJvdABwdw==", ":s 903 tester :SASL successful")
        server.answer("CAP END", ":s 001 tester :Welcome", ":s 422 tester :no motd")
        sasl = {"user": "bot", "password": "pw"}
        async with account(tmp_path, server.port, sasl=sasl, channels=["#a"]) as bot:
            server.say("@time=2026-01-02T03:04:05.678Z;msgid=m1 :al!u@h PRIVMSG #a :hello")
            got = await bot.ctx.message("hello")
            assert (got.id, got.ts) == ("m1", 1767323045678)
            assert bot.ctx.fields["linked"] is True
            assert bot.ctx.fields["authenticatedAt"] > 1_700_000_000_000


@pytest.mark.parametrize("how", ["hang up", "reset", "error"])
async def test_a_lost_connection_is_transient_and_never_retried_here(
    tmp_path: Path, how: str
) -> None:
    async with scripted_server() as server, account(tmp_path, server.port) as bot:
        match how:
            case "hang up":
                server.hang_up()
            case "reset":
                server.reset()
            case _:
                server.say("ERROR :Closing Link: tester (K-Lined)")
        error = await ending(bot)
        assert isinstance(error, Transient)
        assert str(error)
        if how == "error":
            assert "K-Lined" in str(error)
        assert bot.ctx.fields["connected"] is False
        assert sum(line.startswith("USER") for line in server.lines) == 1
        with pytest.raises(SendFailed, match="not connected") as failure:
            await bot.say("#a", "x")
        assert failure.value.retryable


async def test_a_refused_connection_is_transient(tmp_path: Path) -> None:
    async with account(tmp_path, free_port(), ready=False) as bot:
        with pytest.raises(Transient, match=rf"^Connection refused by {HOST}:\d+$"):
            raise await ending(bot)


async def test_a_server_that_says_nothing_is_left(tmp_path: Path) -> None:
    async with (
        scripted_server(welcome=False) as server,
        account(tmp_path, server.port, ready=False, connectSeconds=0.2) as bot,
    ):
        with pytest.raises(Transient, match=r"not let in within 0.2 s"):
            raise await ending(bot)


async def test_a_dead_connection_is_noticed(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"pingSeconds": 0.1, "pingTimeoutSeconds": 0.2}
    async with scripted_server() as server, account(tmp_path, server.port, **fields) as bot:
        await server.expect("PING", count=2)
        server.answer("PING")
        with pytest.raises(Transient, match=r"no answer to a ping for 0.2 s"):
            raise await ending(bot)


async def test_lines_of_garbage_are_passed_over(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        server.say(":", "@", ":x", "\x00\x01", "PRIVMSG", ":al!u@h PRIVMSG #a :after all that")
        await bot.ctx.message("after all that")


async def test_a_refused_message_is_told_to_its_sender(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        server.answer("PRIVMSG Ghost", ":s 401 tester ghost :No such nick")
        sending = [asyncio.create_task(bot.say(to, "x\ny")) for to in ("Ghost", "#a")]
        with pytest.raises(SendFailed, match="401 No such nick"):
            await sending[0]
        assert (await sending[1]).parts == 2
        server.say(":s 404 tester #b :Cannot send")
        await bot.ctx.until(lambda ctx: any(r["event"] == "the server refused" for r in ctx.logged))


async def test_a_lost_connection_ends_what_was_being_sent(tmp_path: Path) -> None:
    slow: dict[str, Any] = {"floodBurst": 4, "floodRate": 0.01, "channels": ["#a"]}
    async with scripted_server() as server, account(tmp_path, server.port, **slow) as bot:
        sending = [asyncio.create_task(bot.say("#a", text)) for text in ("1\n2\n3\n4", "5")]
        await server.expect("PRIVMSG #a 1")
        server.hang_up()
        with pytest.raises(SendFailed, match=r"connection lost after \d of 4") as failure:
            await sending[0]
        assert not failure.value.retryable
        with pytest.raises(SendFailed, match="connection lost after 0 of 1") as failure:
            await sending[1]
        assert failure.value.retryable


async def test_a_connection_cut_behind_a_message_leaves_its_fate_unknown(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        server.answer("PING")  # it reads the message, and passes on nothing
        sending = asyncio.create_task(bot.say("#a", "hello"))
        await server.expect("PING said-")
        server.reset()
        with pytest.raises(SendFailed, match="may have been delivered") as failure:
            await sending
        assert (failure.value.maybe_sent, failure.value.retryable) == (True, False)


async def test_a_message_behind_others_is_asked_for_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.channels.irc.plugin.FENCE_SECONDS", 0.2)
    slow: dict[str, Any] = {"floodBurst": 4, "floodRate": 0.01, "channels": ["#a"]}
    async with scripted_server() as server, account(tmp_path, server.port, **slow) as bot:
        first = asyncio.create_task(bot.say("#a", "1"))
        behind = asyncio.create_task(bot.say("#a", "2\n3\n4\n5\n6"))
        await first
        assert not behind.done()
        behind.cancel()


async def test_the_answer_to_the_last_message_is_awaited_when_stopping(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        server.polite = False
        server.answer("PING")
        server.answer("QUIT", ":s PONG s :said-1", ":al!a@h PRIVMSG #a :bye", "ERROR :Closing")
        sending = asyncio.create_task(bot.say("#a", "hello"))
        await server.expect("PING said-")
        await bot.stop()
        assert (await sending).parts == 1
        assert [message.text for message in bot.ctx.emitted] == ["bye"]


@pytest.mark.parametrize(
    "reply",
    [
        "FAIL PRIVMSG CANNOT_SEND #a :You may not speak here",
        "FAIL PRIVMSG CANNOT_SEND :You may not speak here",
        "FAIL PRIVMSG CANNOT_SEND other #a :You may not speak here",
    ],
)
async def test_a_standard_reply_is_a_refusal(tmp_path: Path, reply: str) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        server.answer("PRIVMSG", ":s WARN PRIVMSG SLOW #a :too many", f":s {reply}")
        with pytest.raises(SendFailed, match="CANNOT_SEND You may not speak here") as failure:
            await bot.say("#a", "hello")
        assert not failure.value.maybe_sent
        assert any("SLOW" in record["event"] for record in bot.ctx.logged)


async def test_a_message_without_a_waiting_caller_is_withdrawn(tmp_path: Path) -> None:
    slow: dict[str, Any] = {"floodBurst": 8, "floodRate": 5, "channels": ["#a"]}
    async with scripted_server() as server, account(tmp_path, server.port, **slow) as bot:
        first = asyncio.create_task(bot.say("#a", "\n".join(f"first {n}" for n in range(30))))
        await server.expect("PRIVMSG #a :first 0")
        first.cancel()
        await bot.say("#a", "second")
        await server.expect("PRIVMSG #a second")
        assert not any("first 20" in line for line in server.lines)


async def test_too_much_waiting_is_refused(tmp_path: Path) -> None:
    slow: dict[str, Any] = {
        "floodBurst": 4,
        "floodRate": 0.001,
        "maxLines": 1000,
        "channels": ["#a"],
    }
    async with scripted_server() as server, account(tmp_path, server.port, **slow) as bot:
        flood = asyncio.create_task(bot.say("#a", "x\n" * (MAX_WAITING_LINES + 4)))
        await asyncio.sleep(0)
        with pytest.raises(SendFailed, match="lines wait to be sent") as failure:
            await bot.say("#a", "one more")
        assert failure.value.retryable
        flood.cancel()


async def test_back_pressure_leaves_the_socket_unread_and_loses_nothing(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"channels": ["#a"], "pingSeconds": 0.05, "pingTimeoutSeconds": 0.3}
    async with scripted_server() as server, account(tmp_path, server.port, **fields) as bot:
        bot.ctx.taking.clear()
        count = MAX_HEARD + 200
        server.say(*(f":al!u@h PRIVMSG #a :number {n}" for n in range(count)))
        await asyncio.sleep(0.6)  # twice the time after which an unanswered ping would end it
        assert not bot.task.done()
        bot.ctx.taking.set()
        await bot.ctx.until(lambda ctx: len(ctx.emitted) == count)
        assert [m.text for m in bot.ctx.emitted] == [f"number {n}" for n in range(count)]
        assert len({message.id for message in bot.ctx.emitted}) == count


async def test_a_connection_that_dies_under_back_pressure_is_noticed_after_it(
    tmp_path: Path,
) -> None:
    fields: dict[str, Any] = {"channels": ["#a"], "pingSeconds": 0.05, "pingTimeoutSeconds": 0.2}
    async with scripted_server() as server, account(tmp_path, server.port, **fields) as bot:
        held, free = asyncio.Event(), asyncio.Event()

        async def emit(message: object) -> None:
            held.set()
            await free.wait()

        bot.ctx.emit = emit  # type: ignore[method-assign, assignment]
        server.say(":al!u@h PRIVMSG #a :first")
        await held.wait()
        server.answer("PING")
        # As many as may wait: the socket is left unread after the last line that comes.
        server.say(*(f":al!u@h PRIVMSG #a :number {n}" for n in range(MAX_HEARD)))
        await asyncio.sleep(0.5)  # more than twice the time after which a ping is overdue
        assert not bot.task.done()
        free.set()
        with pytest.raises(Transient, match="no answer to a ping"):
            raise await ending(bot, 3)


async def test_what_was_heard_before_the_end_is_handed_in(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        bot.ctx.taking.clear()
        server.say(*(f":al!u@h PRIVMSG #a :number {n}" for n in range(50)), "ERROR :bye")
        await bot.ctx.until(lambda ctx: ctx.fields["connected"] is True)
        await asyncio.sleep(0.2)
        bot.ctx.taking.set()
        assert isinstance(await ending(bot), Transient)
        assert len(bot.ctx.emitted) == 50


async def test_a_worker_that_takes_nothing_does_not_hold_the_end(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        bot.ctx.taking.clear()
        server.say(*(f":al!u@h PRIVMSG #a :number {n}" for n in range(5)), "ERROR :bye")
        assert isinstance(await ending(bot), Transient)
        assert {
            "event": "messages not emitted",
            "messages": 5,
            "level": "warning",
        } in bot.ctx.logged


async def test_a_failing_worker_ends_the_account(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:

        async def broken(_: object) -> None:
            raise ValueError("no such field")

        bot.ctx.emit = broken  # type: ignore[method-assign,assignment]
        server.say(":al!u@h PRIVMSG #a :hello")
        with pytest.raises(ValueError, match="no such field"):
            raise await ending(bot)


async def test_a_probe_tells_how_things_stand(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        found = await bot.plugin.probe()
        assert found["connected"] is True
        assert found["channels"] == {"#a": "joined"}
        assert found["network"] == "Scripted"


async def test_kicks_and_bans_show_in_the_status(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port, channels=["#a"]) as bot:
        server.answer("JOIN", ":s 474 tester {} :Cannot join channel (+b)")
        server.say(":op!o@h KICK #a tester :out")
        await server.expect("JOIN", count=2)
        await bot.ctx.until(lambda ctx: "#a banned" in ctx.fields["detail"])
        with pytest.raises(SendFailed, match="not in #a: banned"):
            await bot.say("#a", "x")


async def test_typing_goes_out_and_comes_in_where_the_network_has_it(tmp_path: Path) -> None:
    async with scripted_server() as server:
        server.answer("CAP LS", ":s CAP * LS :message-tags")
        server.answer("CAP REQ", ":s CAP * ACK :message-tags")
        async with account(tmp_path, server.port, channels=["#a"]) as bot:
            await bot.plugin.typing(Action("typing", "k", "#a"))
            assert await server.expect("@+typing") == "@+typing=active TAGMSG #a"
            server.say("@+typing=active :al!u@h TAGMSG #a", ":al!u@h PRIVMSG #a :there")
            await bot.ctx.message("there")
            assert [each.kind for each in bot.ctx.happened] == ["typing"]


async def test_typing_that_cannot_go_out_says_why(tmp_path: Path) -> None:
    async with scripted_server() as server, account(tmp_path, server.port) as bot:
        with pytest.raises(SendFailed, match="lacks message-tags"):
            await bot.plugin.typing(Action("typing", "k", "#a"))
        await bot.stop()
        with pytest.raises(SendFailed, match="not connected"):
            await bot.plugin.typing(Action("typing", "k", "#a"))
