"""The account on real servers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import irc_server
from tests.support.irc_server import IrcServer, RawClient
from tests.workers.irc.running import account

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


async def test_hears_and_answers(server: IrcServer, tmp_path: Path) -> None:
    alice = await RawClient.connect(server, "alice", "#room")
    async with account(tmp_path, server.port, channels=["#room"]) as bot:
        alice.say("#room", "tester: hello")
        got = await bot.ctx.message("hello")
        assert (got.chat.id, got.chat.kind, got.sender.id) == ("#room", "group", "alice")
        assert got.addressed
        sent = await bot.say("#room", "hello yourself")
        assert sent.parts == 1
        await alice.expect("PRIVMSG #room :hello yourself")
    await alice.expect("Trunkline")
    await alice.close()
