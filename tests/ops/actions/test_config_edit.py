"""Accounts added to and removed from the configuration file, with and without a daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from runtime.supervisor.accounts.history import HISTORY, History, HistoryEntry
from runtime.supervisor.accounts.holds import HOLDS, Holds
from tests.ops.conftest import CommandLine
from tests.support.commandline import trunkline
from tests.support.daemon import Daemon
from tests.support.fakeserver import (
    fake_supervisor,
)

CONFIGURATION = """// mine
{
  gateway: { auth: { token: "t0ken" } },
  channels: { local: { accounts: { demo: {} } } },
}
"""


async def test_add_writes_the_file_and_has_it_taken_over(state: Path) -> None:
    file = state / "trunkline.json5"
    file.write_text(CONFIGURATION)
    async with fake_supervisor(state, config__reload={"added": ["irc:libera"]}) as fake:
        fields = ("server=irc.example.org", "nick=bot", "port=6667", 'channels=["#a"]')
        result = await trunkline(state, "channels", "add", "irc:libera", *fields)
    assert (result.code, result.out) == (0, f"irc:libera added in {file}\n")
    assert "// mine" in file.read_text()
    assert [method for method, _ in fake.asked] == ["connect", "config.reload"]


def test_added_accounts_are_listed_and_removed_again_without_a_daemon(
    cli: CommandLine, state: Path
) -> None:
    (state / "trunkline.json5").write_text(CONFIGURATION)
    added = cli("channels add irc:libera server=irc.example.org nick=bot")
    assert (added.code, "next `trunkline up`" in added.out) == (0, True)
    listed = cli("channels list --json").json["accounts"]
    assert {row["account"]: row["configured"] for row in listed} == {
        "local:demo": True,
        "irc:libera": True,
    }
    assert "bot on irc.example.org" in cli("channels list").out
    assert cli("channels remove irc:libera").code == 0
    assert "irc:libera" not in cli("channels list").out


SECRET = "whsec_" + "QUJD" * 8


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ("telegram:x botToken=abc", "telegram:x: botToken is not a bot token"),
        ("telegram:x botToken=123456:AAF2-abc", None),
        ('telegram:x botToken={source:"env",id:"T"}', None),
        ("discord:x token=abc", "discord:x: token is "),
    ],
)
def test_a_secret_of_a_wrong_format_is_told_at_once_and_not_shown(
    cli: CommandLine, state: Path, fields: str, hint: str | None
) -> None:
    (state / "trunkline.json5").write_text(CONFIGURATION)
    added = cli(f"channels add {fields}")
    assert added.code == ExitCode.OK
    assert (hint in added.err) if hint else added.err == ""
    assert "abc" not in added.err


@pytest.mark.parametrize(
    ("gateway", "fields", "hint"),
    [
        ("", "", "it gets no HTTP requests until ingress: true is set"),
        ("", "ingress=true", "gateway.publicUrl is not set"),
        (
            "publicUrl: 'https://chat.example'",
            "ingress=true",
            "platforms reach it below https://chat.example/channels/webhook/ci/",
        ),
    ],
)
def test_an_account_that_platforms_call_says_where_or_what_is_missing(
    cli: CommandLine, state: Path, gateway: str, fields: str, hint: str
) -> None:
    (state / "trunkline.json5").write_text(f"{{gateway: {{auth: {{token: 't'}}, {gateway}}}}}")
    added = cli(f"channels add webhook:ci secret={SECRET} {fields}")
    assert added.code == 0
    assert hint in added.err


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("agents add b kind=command", "agents.entries.b is complete: command"),
        ("agents add b kind=command enabled=false", None),
        ("agents add b kind=echo", None),
        ("channels add irc:a server=irc.example", "channels.irc.accounts.a is complete: nick"),
        ("channels add irc:a server=irc.example nick=bot", None),
    ],
)
def test_what_is_added_and_cannot_start_says_what_is_missing(
    cli: CommandLine, state: Path, command: str, hint: str | None
) -> None:
    (state / "trunkline.json5").write_text(CONFIGURATION)
    added = cli(command)
    assert added.code == 0
    assert ("it does not start before" in added.err) == (hint is not None)
    assert (hint or "") in added.err


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
    cli: CommandLine, state: Path, command: str, word: str
) -> None:
    file = state / "trunkline.json5"
    file.write_text(CONFIGURATION)
    cli(command).complains(ExitCode.CONFIGURATION, word)
    assert file.read_text() == CONFIGURATION


def test_damaged_holds_are_left_to_the_next_start(cli: CommandLine, state: Path) -> None:
    """It would take them for none: a command must not set the evidence aside."""
    (state / "trunkline.json5").write_text(CONFIGURATION)
    copy = state / f"{HOLDS}.1"
    for path in (state / HOLDS, copy):
        path.write_bytes(b"{")
    assert cli("channels remove local:demo").code == 0
    assert sorted(path.name for path in state.glob("holds*")) == [HOLDS, copy.name]
    assert Holds(state / HOLDS).warnings


async def test_holds_and_failures_are_forgotten_with_an_account_without_a_daemon_too(
    state: Path,
) -> None:
    text = "{channels: {local: {accounts: {demo: {}, two: {}}}}}"
    (state / "trunkline.json5").write_text(text)
    holds = Holds(state / HOLDS)
    holds.hold_all(["local:demo", "local:two"])
    assert holds.write()
    entry = HistoryEntry(at=1, phase="backoff", incarnation=1, failures=7)
    history = History(state / HISTORY)
    history.add("local:demo", entry)
    history.add("local:two", entry)
    history.close()
    removed = await trunkline(state, "channels", "remove", "local:two")
    assert "removed" in removed.out
    lines = (state / HISTORY).read_text().splitlines()
    assert [json.loads(each)["account"] for each in lines] == ["local:demo"]
    assert "its hold forgotten; it counts from the next `trunkline up`" in removed.out
    assert list(Holds(state / HOLDS).all()) == ["local:demo"]


async def test_a_reload_says_what_it_changed(state: Path) -> None:
    done = {
        "revision": "r2",
        "gateway": "unchanged",
        "added": ["irc:a"],
        "changed": [],
        "removed": ["irc:b", "irc:c"],
        "warnings": ["mind the gap"],
    }
    async with fake_supervisor(state, config__reload=done):
        told = await trunkline(state, "config", "reload")
        assert (await trunkline(state, "config", "reload", "--json")).json == done
    assert (told.code, told.out.splitlines()) == (
        ExitCode.OK,
        [
            f"{state}/trunkline.json5 is in force; gateway unchanged",
            "added: irc:a",
            "removed: irc:b, irc:c",
            "warning: mind the gap",
        ],
    )
    (await trunkline(state, "config", "reload")).complains(ExitCode.NOT_RUNNING)


@pytest.mark.e2e
async def test_a_wrong_file_is_not_taken_over(tmp_path: Path) -> None:
    config: dict[str, Any] = {"channels": {"local": {"accounts": {"demo": {}}}}}
    unwatched = {"gateway": {"reload": {"mode": "off"}}}  # the command alone takes it over
    async with Daemon(tmp_path, config | unwatched) as daemon:
        pid = (await daemon.wait_phase("local:demo", "running"))["pid"]
        before = await daemon.status()
        text = daemon.config_path.read_text()
        daemon.config_path.write_text(text.replace('"demo": {}', '"demo": {"echoo": 1}'))
        code, out, err = await daemon.command("config", "reload")
        assert (code, out) == (ExitCode.CONFIGURATION, "")
        assert "channels.local.accounts.demo.echoo" in err
        assert await daemon.command("gateway", "health") == (ExitCode.OK, "ok\n", "")
        after = await daemon.status()
        assert after["supervisor"]["configRevision"] == before["supervisor"]["configRevision"]
        assert after["accounts"]["local:demo"]["pid"] == pid
        daemon.config_path.write_text(text.replace('"demo": {}', '"demo": {}, "two": {}'))
        code, out, err = await daemon.command("config", "reload")
        assert (code, err) == (ExitCode.OK, "")
        assert "added: local:two" in out
        await daemon.wait_phase("local:two", "running")


def test_a_secret_that_a_setup_has_written_stays_and_is_named(
    cli: CommandLine, state: Path
) -> None:
    (state / "secrets").mkdir()
    for name in ("local.a.token", "local.a.b.token", "local.c.token"):
        (state / "secrets" / name).write_text("x")
    (state / "trunkline.json5").write_text(
        "{gateway: {auth: {token: 't'}}, channels: {local: {accounts: {a: {}, c: {}}}}}"
    )
    result = cli("channels remove local:a")
    assert result.code == 0
    assert f"its secret stays in {state}/secrets/local.a.token" in result.err
    assert result.err.count("stays in") == 1
    assert (state / "secrets" / "local.a.token").exists()


def test_what_a_removed_account_has_stored_is_named_with_the_command_that_removes_it(
    cli: CommandLine, state: Path
) -> None:
    """One that is added under the same key would find it, a login for example."""
    (state / "trunkline.json5").write_text(
        "{gateway: {auth: {token: 't'}}, channels: {local: {accounts: {a: {}, ab: {}, c: {}}}}}"
    )
    for key in ("local:a", "local:ab", "local:c"):
        (state / "accounts" / key).mkdir(parents=True)
        (state / "logs").mkdir(exist_ok=True)
        (state / "logs" / f"{key}.log").write_text("{}\n")
    (state / "accounts" / "local:a" / "credentials.json").write_text("{}")
    (state / "media" / "local:c").mkdir(parents=True)
    (state / "media" / "local:c" / "file").write_text("x")
    a = cli("channels remove local:a")
    paths = f"{state}/accounts/local:a {state}/logs/local:a.log"
    assert a.err.endswith(f"this removes it: rm -r {paths}\n")
    c = cli("channels remove local:c")
    assert c.err.endswith(f"rm -r {state}/media/local:c {state}/logs/local:c.log\n")
    assert (state / "media" / "local:c" / "file").exists()
    ab = cli("channels remove local:ab")  # it has only logs
    assert (ab.code, ab.err) == (0, "")
