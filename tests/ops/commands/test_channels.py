"""Account verbs: what is asked for, what is said, when it counts as done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from ops.output.text import moment
from runtime.supervisor.accounts.holds import HOLDS, Holds
from tests.ops.conftest import Here
from tests.support.commandline import ended, line, started, trunkline
from tests.support.fakeserver import (
    BACKOFF,
    HELD,
    NOW,
    account,
    fake_gateway,
    fake_supervisor,
    status,
)


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"results": list(rows)}


def started_row(key: str, **more: Any) -> dict[str, Any]:
    return {"account": key, "ok": True, "outcome": "handed-off", "persisted": True} | more


async def test_start_says_that_it_starts(home: Path) -> None:
    async with fake_supervisor(home, channels__start=results(started_row("irc:libera"))) as fake:
        result = await trunkline(home, "channels", "start", "irc:libera", "irc:libera")
    assert (result.code, result.out) == (0, "irc:libera  starting\n")
    assert ("channels.start", {"accounts": ["irc:libera"]}) in fake.asked


async def test_all_and_reason_are_passed_on(home: Path) -> None:
    row = {"account": "irc:libera", "ok": True, "outcome": "stopped", "persisted": True}
    async with fake_supervisor(home, channels__stop=results(row)) as fake:
        args = ("channels", "stop", "--all", "--reason", "moving house", "--json")
        result = await trunkline(home, *args)
    assert result.json == results(row)
    assert ("channels.stop", {"accounts": ["*"], "reason": "moving house"}) in fake.asked


@pytest.mark.parametrize(
    ("drained", "words"), [(True, "drained and stopped"), (False, "stopped before it was drained")]
)
async def test_drain_says_whether_all_was_done(home: Path, drained: bool, words: str) -> None:
    row = {"account": "irc:a", "ok": True, "outcome": "stopped", "drained": drained}
    async with fake_supervisor(home, channels__drain=results(row)) as fake:
        result = await trunkline(home, "channels", "drain", "irc:a", "--timeout", "2.5")
    assert (result.code, result.out) == (0, f"irc:a  {words}\n")
    assert ("channels.drain", {"accounts": ["irc:a"], "timeoutMs": 2500}) in fake.asked


async def test_one_that_cannot_start_fails_the_command_and_not_the_others(home: Path) -> None:
    bad = {"account": "irc:oftc", "ok": False, "outcome": "skipped", "error": "disabled"}
    rows = results(started_row("irc:libera"), bad)
    async with fake_supervisor(home, channels__start=rows):
        result = await trunkline(home, "channels", "start", "irc")
    assert (result.code, result.out) == (1, "irc:libera  starting\n")
    assert result.err == "trunkline: irc:oftc: disabled\n"


async def test_a_stop_that_could_not_be_remembered_is_an_error(home: Path) -> None:
    row = {"account": "irc:a", "ok": True, "outcome": "stopped", "persisted": False, "error": "ro"}
    async with fake_supervisor(home, channels__stop=results(row)):
        result = await trunkline(home, "channels", "stop", "irc:a")
    assert (result.code, result.out) == (1, "irc:a  stopped\n")
    assert result.err == "trunkline: irc:a: ro\n"


async def test_a_stop_of_one_that_would_not_run_anyway_says_so(home: Path) -> None:
    row = {"account": "irc:a", "ok": True, "outcome": "stopped", "note": "it is disabled anyway"}
    async with fake_supervisor(home, channels__stop=results(row)):
        result = await trunkline(home, "channels", "stop", "irc:a")
    assert (result.code, result.out) == (0, "irc:a  stopped (it is disabled anyway)\n")


async def test_a_stop_that_takes_too_long_is_a_timeout(home: Path) -> None:
    row = {"account": "irc:a", "ok": False, "outcome": "stopped", "stopped": False}
    async with fake_supervisor(home, channels__stop=results(row)):
        result = await trunkline(home, "channels", "stop", "irc:a")
    result.complains(ExitCode.TIMEOUT, "irc:a: still stopping")


async def test_start_with_wait_returns_when_it_runs(home: Path) -> None:
    rows = status(account("irc:libera", phase="starting"))
    answer = results(started_row("irc:libera"))
    async with (
        fake_supervisor(home, supervisor__status=rows, channels__start=answer) as fake,
        started(home, "channels", "start", "irc:libera", "--wait") as process,
    ):
        await fake.asked_for("supervisor.status")
        await fake.tell("channel.status", account("irc:libera"))
        result = await ended(process)
    assert (result.code, result.out) == (0, "irc:libera  running\n")


async def test_restart_with_wait_wants_another_process(home: Path) -> None:
    old = account("irc:libera", incarnation=3)
    answer = results(started_row("irc:libera", incarnation=3))
    async with (
        fake_supervisor(home, supervisor__status=status(old), channels__restart=answer) as fake,
        started(home, "channels", "restart", "irc:libera", "--wait") as process,
    ):
        await fake.asked_for("supervisor.status")
        await fake.tell("channel.status", old)  # still the one before: does not count
        await fake.tell("channel.status", old | {"phase": "stopping"})
        await fake.tell("channel.status", old | {"incarnation": 4})
        result = await ended(process)
    assert (result.code, result.out) == (0, "irc:libera  running\n")


async def test_restart_with_wait_is_not_content_with_the_old_process(home: Path) -> None:
    old = status(account("irc:libera", incarnation=3))
    answer = results(started_row("irc:libera", incarnation=3))
    async with fake_supervisor(home, supervisor__status=old, channels__restart=answer):
        args = ("channels", "restart", "irc:libera", "--wait", "--timeout", "0.2")
        (await trunkline(home, *args)).complains(ExitCode.TIMEOUT, "irc:libera")


async def test_nor_is_it_through_a_gateway(home: Path) -> None:
    snapshot = {"accountId": "libera", "phase": "running", "incarnation": 3}
    methods: dict[str, Any] = {
        "channels__status": {"channelAccounts": {"irc": [snapshot]}},
        "channels__restart": {"incarnation": 3, "outcome": {"status": "handed-off"}},
    }
    async with fake_gateway(**methods) as fake:
        where = ("--url", fake.url, "--token", "secret")
        args = ("channels", "restart", "irc:libera", "--wait", *where)
        (await trunkline(home, *args, "--timeout", "0.2")).complains(ExitCode.TIMEOUT, "irc:libera")
        snapshot["incarnation"] = 4
        assert (await trunkline(home, *args)).out == "irc:libera  running\n"


async def test_waiting_ends_when_an_account_needs_a_person(home: Path) -> None:
    failed = account("irc:libera", phase="failed", pid=None, lastError="bad password")
    async with fake_supervisor(home, supervisor__status=status(failed)):
        result = await trunkline(home, "wait", "irc:libera")
    result.complains(ExitCode.ERROR, "bad password", "needs a person")


async def test_waiting_for_what_is_so_already(home: Path) -> None:
    rows = status(account("irc:libera", **HELD), account("local:demo"))
    async with fake_supervisor(home, supervisor__status=rows):
        stopped = await trunkline(home, "wait", "irc", "--for", "stopped", "--json")
        running = await trunkline(home, "wait", "local:demo")
    assert stopped.json["accounts"][0]["phase"] == "stopped"
    assert (running.code, running.out) == (0, "")


async def test_a_supervisor_that_ends_while_one_waits_is_not_running(home: Path) -> None:
    rows = status(account("irc:libera", **BACKOFF))
    async with (
        fake_supervisor(home, supervisor__status=rows) as fake,
        started(home, "wait", "irc:libera") as process,
    ):
        await fake.asked_for("supervisor.status")
        fake.people[0].transport.abort()
        result = await ended(process)
    result.complains(ExitCode.NOT_RUNNING, "ended")


async def test_a_held_account_is_not_waited_for_without_saying_that_it_is_held(home: Path) -> None:
    row = account("irc:libera", **HELD, lastError="exited (signal 9)")
    async with fake_supervisor(home, supervisor__status=status(row)):
        result = await trunkline(home, "wait", "irc:libera", "--timeout", "0.2")
    result.complains(ExitCode.TIMEOUT, "irc:libera is stopped (held: moving house)")


async def test_describe_says_why_and_what_next(home: Path) -> None:
    plugin = {"lastConnectedAt": NOW, "lastEventAt": 1e30, "detail": "3 rooms"}
    told = {
        "status": account("irc:libera", **BACKOFF, revision="0a1b", plugin=plugin),
        "configRevision": "2c3d",
        "label": "IRC",
        "name": "Libera",
        "identity": "bot on irc.libera.chat:6697",
        "why": "exited (signal 9)",
        "next": "it is started again by itself",
        "events": [{"at": NOW, "phase": "running", "cause": None, "text": None, "incarnation": 3}],
        "lines": [{"ts": NOW, "account": "irc:libera", "stream": "stderr", "text": "oops"}],
    }
    async with fake_supervisor(home, channels__describe=told) as fake:
        result = await trunkline(home, "channels", "describe", "irc:libera")
        as_json = await trunkline(home, "channels", "describe", "irc:libera", "--json")
    assert as_json.json == told
    for words in ("exited (signal 9)", "by itself", "bot on irc.libera.chat:6697", "oops"):
        assert words in result.out
    assert "revision 0a1b (now 2c3d)" in result.out
    assert f"plugin lastConnectedAt  {moment(NOW)}\n" in result.out
    assert "plugin lastEventAt      1e+30\n" in result.out
    assert ("channels.describe", {"account": "irc:libera"}) in fake.asked


async def test_events_and_holds_are_tables(home: Path) -> None:
    event = {"at": NOW, "phase": "backoff", "cause": "crashed", "text": "boom", "incarnation": 3}
    held = {"irc:libera": dict(HELD["hold"]), "local:demo": HELD["hold"]}
    methods = {"channels__events": {"events": [event]}, "channels__holds": {"holds": held}}
    async with fake_supervisor(home, **methods):
        events = await trunkline(home, "channels", "events", "irc:libera")
        holds = await trunkline(home, "channels", "holds", "irc")
        held["irc:libera"]["persisted"] = False
        unsaved = await trunkline(home, "channels", "holds", "irc")
        unknown = await trunkline(home, "channels", "holds", "nope:x")
    unknown.complains(ExitCode.ERROR, "known: local:demo, irc:libera")
    assert "no: forgotten at the next start" in unsaved.out
    assert "forgotten" not in holds.out
    assert "boom" in events.out
    assert "moving house" in holds.out
    assert "local:demo" not in holds.out


CONFIGURATION = """// mine
{
  gateway: { auth: { token: "t0ken" } },
  channels: { local: { accounts: { demo: {} } } },
}
"""


async def test_add_writes_the_file_and_has_it_taken_over(home: Path) -> None:
    file = home / "trunkline.json5"
    file.write_text(CONFIGURATION)
    async with fake_supervisor(home, config__reload={"added": ["irc:libera"]}) as fake:
        fields = ("server=irc.example.org", "nick=bot", "port=6667", 'channels=["#a"]')
        result = await trunkline(home, "channels", "add", "irc:libera", *fields)
    assert (result.code, result.out) == (0, f"irc:libera added in {file}\n")
    assert "// mine" in file.read_text()
    assert [method for method, _ in fake.asked] == ["connect", "config.reload"]


def test_added_accounts_are_listed_and_removed_again_without_a_daemon(
    here: Here, home: Path
) -> None:
    (home / "trunkline.json5").write_text(CONFIGURATION)
    added = here("channels add irc:libera server=irc.example.org nick=bot")
    assert (added.code, "next `trunkline up`" in added.out) == (0, True)
    listed = here("channels list --json").json["accounts"]
    assert {row["account"]: row["configured"] for row in listed} == {
        "local:demo": True,
        "irc:libera": True,
    }
    assert "bot on irc.example.org" in here("channels list").out
    assert here("channels remove irc:libera").code == 0
    assert "irc:libera" not in here("channels list").out


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("channels add irc:x server=a nick=b port=high", "port"),
        ("channels add irc:x server=a nick=b bogus=1", "bogus"),
        ("channels add nosuch:x", "nosuch"),
        ("channels add local:demo", "exists already"),
        ("channels remove irc:nobody", "nobody"),
    ],
)
def test_a_change_that_would_be_wrong_leaves_the_file_alone(
    here: Here, home: Path, command: str, word: str
) -> None:
    file = home / "trunkline.json5"
    file.write_text(CONFIGURATION)
    here(command).complains(ExitCode.CONFIGURATION, word)
    assert file.read_text() == CONFIGURATION


async def test_through_a_gateway_each_account_is_asked_for(home: Path) -> None:
    snapshots = [{"accountId": "a", "running": False}, {"accountId": "b", "running": False}]
    done = {"started": True, "outcome": {"status": "handed-off"}}
    rows = {"channelAccounts": {"irc": snapshots}}
    async with fake_gateway(channels__status=rows, channels__start=done) as fake:
        args = ("channels", "start", "irc", "--url", fake.url, "--token", "secret")
        result = await trunkline(home, *args)
    assert (result.code, result.out) == (0, "irc:a  starting\nirc:b  starting\n")
    assert ("channels.start", {"channel": "irc", "accountId": "b"}) in fake.asked


async def test_wait_announces_nothing_until_it_is_so(home: Path) -> None:
    rows = status(account("irc:a", **BACKOFF), account("irc:b", **BACKOFF))
    async with (
        fake_supervisor(home, supervisor__status=rows) as fake,
        started(home, "wait", "--all", "--json") as process,
    ):
        await fake.asked_for("supervisor.status")
        await fake.tell("channel.status", account("irc:a"))
        await fake.tell("channel.status", account("irc:b"))
        assert await line(process) == "{"
        assert (await ended(process)).code == 0


async def test_a_hold_is_forgotten_with_its_account_without_a_daemon_too(home: Path) -> None:
    text = "{channels: {local: {accounts: {demo: {}, two: {}}}}}"
    (home / "trunkline.json5").write_text(text)
    Holds(home / HOLDS).hold_all(["local:demo", "local:two"])
    removed = await trunkline(home, "channels", "remove", "local:two")
    assert "removed" in removed.out
    assert "its hold forgotten; it counts from the next `trunkline up`" in removed.out
    assert list(Holds(home / HOLDS).all()) == ["local:demo"]


def test_the_list_names_the_channel_and_the_identity(here: Here, home: Path) -> None:
    (home / "trunkline.json5").write_text("{channels: {local: {accounts: {demo: {}}}}}")
    told = here("channels list").out.splitlines()
    channel, identity = (told[0].index(name) for name in ("CHANNEL", "IDENTITY"))
    assert told[1][channel:].startswith("local ")
    assert told[1][identity:].startswith("unix socket")
