"""``watch``: changes and messages, over outages of the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ops.exits import ExitCode
from tests.support.commandline import ended, interrupted, line, started
from tests.support.fakeserver import (
    BACKOFF,
    FakeServer,
    account,
    fake_gateway,
    fake_supervisor,
    status,
)

CONFIGURATION = "{gateway: {auth: {token: 't0ken'}}, channels: {local: {accounts: {demo: {}}}}}"


def said(text: str, key: str = "local:demo", **more: Any) -> dict[str, Any]:
    chat = {"id": "person-1", "kind": "direct"}
    message = {"text": text, "sender": {"id": "person-1"}, "chat": chat}
    return {"account": key, "direction": "in", "cursor": "3:1", "message": message} | more


def rest(text: str) -> str:
    """Return a line of ``watch`` without its time."""
    return text.partition("  ")[2]


async def test_a_killed_worker_is_seen_through_all_its_phases(state: Path) -> None:
    offline = status(account("local:demo"), connected=False)
    async with (
        fake_supervisor(state, supervisor__status=offline) as fake,
        started(state, "watch") as process,
    ):
        assert rest(await line(process)) == "watching 1 account; Ctrl-C ends"
        down = account("local:demo", **BACKOFF | {"nextTryAt": 9_000_000_000_000, "failures": 1})
        await fake.tell("channel.status", down)
        shown = rest(await line(process))
        assert shown.startswith("local:demo  running → backoff  exited (signal 9), next try in ")
        await fake.tell("channel.status", account("local:demo", phase="starting", incarnation=4))
        await fake.tell("channel.status", account("local:demo", incarnation=4))
        assert rest(await line(process)) == "local:demo  backoff → starting  incarnation 4"
        assert rest(await line(process)).startswith("local:demo  starting → running  ready")
        result = await interrupted(process)
    assert (result.code, result.err) == (ExitCode.OK, "")


async def test_messages_come_from_the_gateway_and_again_after_an_outage(state: Path) -> None:
    (state / "trunkline.json5").write_text(CONFIGURATION)
    async with fake_gateway("t0ken") as first, fake_gateway("t0ken") as second:
        rows = status(account("local:demo"), account("irc:a"), url=first.url)
        async with (
            fake_supervisor(state, supervisor__status=rows) as fake,
            started(state, "watch", "local") as process,
        ):
            assert rest(await line(process)) == "watching 1 account; Ctrl-C ends"  # of two
            await first.asked_for("events.subscribe")
            await first.tell("channel.message", said("elsewhere", "irc:a"))
            await first.tell("channel.message", said("hello\x1b"))
            assert rest(await line(process)) == "local:demo  ← person-1: hello\\x1b"

            await first.close()
            gateway = rows["gateway"] | {"phase": "backoff", "connected": False, "lastExit": "x"}
            await fake.tell("gateway.status", gateway)
            assert rest(await line(process)) == "gateway  running → backoff  x"
            fake.methods["supervisor.status"] = status(account("local:demo"), url=second.url)
            await fake.tell("gateway.status", rows["gateway"])
            assert rest(await line(process)).startswith("gateway  backoff → running")
            await second.asked_for("events.subscribe")
            await second.tell("channel.message", said("again", redelivered=True))
            assert rest(await line(process)) == "local:demo  ← person-1: again  (again)"


async def test_a_gateway_without_a_token_costs_only_the_messages(state: Path) -> None:
    async with fake_gateway("t0ken") as gateway:
        rows = status(account("local:demo"), url=gateway.url)
        async with (
            fake_supervisor(state, supervisor__status=rows) as fake,
            started(state, "watch") as process,
        ):
            await line(process)
            assert "no messages from the gateway" in await line(process)
            await fake.tell("channel.removed", {"account": "local:demo"})
            assert rest(await line(process)) == "local:demo  removed"


async def test_json_has_an_object_on_each_line(state: Path) -> None:
    async with (
        fake_supervisor(state, supervisor__status=status(connected=False)) as fake,
        started(state, "watch", "--json") as process,
    ):
        await fake.asked_for("supervisor.status")
        await fake.tell("channel.status", account("local:demo"))
        told = msgspec.json.decode(await line(process))
    assert told["event"] == "channel.status"
    assert told["payload"]["account"] == "local:demo"


async def _end(fake: FakeServer, *, announced: bool) -> None:
    if announced:
        await fake.tell("shutdown", {"reason": "SIGTERM"})
    for person in list(fake.people):
        await person.close(1001)


async def test_a_daemon_that_is_stopped_ends_watch_well(state: Path) -> None:
    async with (
        fake_supervisor(state, supervisor__status=status(connected=False)) as fake,
        started(state, "watch") as process,
    ):
        await line(process)
        await _end(fake, announced=True)
        result = await ended(process)
    assert (result.code, "SIGTERM" in result.out) == (ExitCode.OK, True)


async def test_a_daemon_that_is_lost_is_not_running(state: Path) -> None:
    async with (
        fake_supervisor(state, supervisor__status=status(connected=False)) as fake,
        started(state, "watch") as process,
    ):
        await line(process)
        await _end(fake, announced=False)
        result = await ended(process)
    result.complains(ExitCode.NOT_RUNNING, "gone")


async def test_a_gateway_elsewhere_tells_both(state: Path) -> None:
    snapshots = {"channelAccounts": {"local": [{"accountId": "demo", "phase": "running"}]}}
    async with fake_gateway(channels__status=snapshots) as fake:
        args = ("watch", "--url", fake.url, "--token", "secret")
        async with started(state, *args) as process:
            await line(process)
            await fake.tell("channel.status", account("local:demo", **BACKOFF))
            assert "running → backoff" in await line(process)
            await fake.tell("channel.message", said("hi"))
            assert rest(await line(process)) == "local:demo  ← person-1: hi"


async def test_a_gateway_elsewhere_is_watched_over_its_restart(state: Path) -> None:
    """What changed meanwhile is told when it is back; one that ends for good ends the watch."""
    snapshot = {"accountId": "demo", "phase": "running"}
    snapshots = {"channelAccounts": {"local": [snapshot]}}
    async with fake_gateway(channels__status=snapshots) as fake:
        args = ("watch", "--url", fake.url, "--token", "secret")
        async with started(state, *args) as process:
            await line(process)
            port = fake.port
            await fake.tell("shutdown", {"reason": "gateway restarting", "restartExpectedMs": 500})
            assert rest(await line(process)) == "shutdown: gateway restarting"
            assert rest(await line(process)) == "gateway lost: the gateway shuts down"
            await fake.close()
            snapshot |= {"phase": "backoff"}
            await fake.on_tcp(port)
            assert "running → backoff" in await line(process)
            await fake.tell("shutdown", {"reason": "gateway stopping"})
            assert rest(await line(process)) == "shutdown: gateway stopping"
