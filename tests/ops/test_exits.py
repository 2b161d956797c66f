"""The exit codes, and the sentences that go with them."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from ops.exits import ExitCode
from tests.ops.conftest import Here
from tests.support.commandline import ROOT, interrupted, started, trunkline
from tests.support.fakeserver import (
    BACKOFF,
    Refusal,
    account,
    fake_gateway,
    fake_supervisor,
    status,
)

NEEDS_A_SUPERVISOR = [
    "status",
    "down",
    "watch",
    "logs",
    "logs -f",
    "chat local:demo",
    "wait local:demo",
    "channels status",
    "channels describe local:demo",
    "channels start local:demo",
    "channels stop local:demo",
    "channels restart local",
    "channels reset --all",
    "channels drain local:demo",
    "channels events local:demo",
    "channels logs local:demo",
    "channels holds",
    "gateway status",
    "gateway start",
    "gateway stop",
    "gateway restart",
    "gateway health",
    "gateway call health",
    "message send --account local:demo -t x -m y",
]

WRONG = [
    ("frobnicate", "frobnicate"),
    ("statsu", "Did you mean 'status'"),
    ("status --bogus", "--bogus"),
    ("channels frobnicate", "frobnicate"),
    ("channels start", "--all"),
    ("channels start local:demo --all", "--all"),
    ("channels describe", "KEY"),
    ("channels add demo", "CHANNEL:NAME"),
    ("channels add local:x port", "FIELD=VALUE"),
    ("channels add local:x a=1 a=2", "twice"),
    ("wait", "--all"),
    ("wait local:demo --for lunch", "running or stopped"),
    ("wait local:demo --timeout soon", "not a number"),
    ("wait local:demo --timeout nan", "not a finite number"),
    ("wait local:demo --timeout inf", "not a finite number"),
    ("wait local:demo --timeout 1e999", "not a finite number"),
    ("wait local:demo --timeout 0", "below"),
    ("logs -n -1", "below"),
    ("up --port high", "not a whole number"),
    ("chat demo", "CHANNEL:NAME"),
    ("gateway call health --params [1]", "JSON object"),
    ("gateway call health --params {", "JSON object"),
    ("gateway health --url http://x", "ws://"),
    ("message send -t x -m y", "--account"),
    ("message send --channel irc --account local:a -t x -m y", "differ"),
    ("message send --account local:a -m y", "--target"),
]


@pytest.mark.parametrize("command", NEEDS_A_SUPERVISOR)
def test_without_a_supervisor_local_verbs_fail_fast(here: Here, command: str) -> None:
    here(command).complains(ExitCode.NOT_RUNNING, "trunkline up", "/tl-")


@pytest.mark.parametrize(("command", "word"), WRONG)
def test_a_wrong_command_line_is_usage(here: Here, command: str, word: str) -> None:
    here(command).complains(ExitCode.USAGE, word)


@pytest.mark.parametrize("command", ["status", "frobnicate"])
async def test_the_program_exits_as_its_parts_do(home: Path, command: str) -> None:
    result = await trunkline(home, command)
    result.complains(ExitCode.NOT_RUNNING if command == "status" else ExitCode.USAGE)


async def test_a_socket_that_a_dead_supervisor_left_is_not_running(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(home / "cli.sock"))
    (await trunkline(home, "status")).complains(ExitCode.NOT_RUNNING, "trunkline up")


async def test_a_supervisor_that_hangs_is_a_timeout(home: Path) -> None:
    async with fake_supervisor(home) as fake:
        fake.hangs = True
        (await trunkline(home, "status")).complains(ExitCode.TIMEOUT, "does not answer", "cli.sock")


async def test_an_unknown_account_is_an_error_that_names_those_that_exist(home: Path) -> None:
    async with fake_supervisor(home):
        for command in (["status", "irc"], ["wait", "irc:x"], ["watch", "irc:x"]):
            result = await trunkline(home, *command)
            result.complains(ExitCode.ERROR, command[1], "known: local:demo")


async def test_a_refusal_of_the_supervisor_is_an_error(home: Path) -> None:
    refusal = Refusal("INVALID_REQUEST", "unknown account 'irc:x'; known: local:demo")
    async with fake_supervisor(home, channels__start=refusal):
        result = await trunkline(home, "channels", "start", "irc:x")
        result.complains(ExitCode.ERROR, "unknown account 'irc:x'")


async def test_waiting_in_vain_is_a_timeout_that_says_how_it_is(home: Path) -> None:
    rows = status(account("local:demo", **BACKOFF))
    async with fake_supervisor(home, supervisor__status=rows):
        result = await trunkline(home, "wait", "local:demo", "--timeout", "0.2")
        result.complains(ExitCode.TIMEOUT, "local:demo is backoff (exited (signal 9))", "0.2 s")


@pytest.mark.parametrize("command", ["config validate", "config show", "channels list", "up"])
def test_a_wrong_configuration_is_78_with_file_and_path(
    here: Here, home: Path, command: str
) -> None:
    (home / "trunkline.json5").write_text("{gateway: {port: 'high', auth: {token: 't'}}}")
    here(command).complains(ExitCode.CONFIGURATION, str(home / "trunkline.json5"), "gateway.port")


def test_every_mistake_in_a_configuration_has_its_own_line(here: Here, home: Path) -> None:
    (home / "trunkline.json5").write_text("{gateway: {port: 0, auth: {token: 't'}}, bogus: 1}")
    result = here("config validate")
    assert result.code == ExitCode.CONFIGURATION
    lines = result.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"trunkline: {home}") for line in lines)


def test_without_a_configuration_the_sentence_says_how_to_get_one(here: Here) -> None:
    here("config validate").complains(ExitCode.CONFIGURATION, "trunkline up")


async def test_a_gateway_that_is_not_there_is_not_running(home: Path) -> None:
    result = await trunkline(home, "gateway", "health", "--url", "ws://127.0.0.1:1")
    result.complains(ExitCode.NOT_RUNNING, "ws://127.0.0.1:1")


async def test_a_wrong_token_is_an_error(home: Path) -> None:
    async with fake_gateway("right", health={"ok": True}) as fake:
        result = await trunkline(home, "gateway", "health", "--url", fake.url, "--token", "wrong")
        result.complains(ExitCode.ERROR, "token mismatch")
        assert "wrong" not in result.err


async def test_a_gateway_that_does_not_answer_is_a_timeout(home: Path) -> None:
    async with fake_gateway() as fake:
        fake.hangs = True
        args = ("--url", fake.url, "--token", "secret", "--timeout", "0.2")
        result = await trunkline(home, "gateway", "health", *args)
        result.complains(ExitCode.TIMEOUT, "0.2 s")


async def test_ctrl_c_while_waiting_is_130(home: Path) -> None:
    rows = status(account("local:demo", **BACKOFF))
    async with (
        fake_supervisor(home, supervisor__status=rows) as fake,
        started(home, "wait", "local:demo") as process,
    ):
        await fake.asked_for("supervisor.status")
        result = await interrupted(process)
        assert (result.code, result.err) == (ExitCode.INTERRUPTED, "")


async def test_a_reader_that_has_enough_is_no_error(home: Path) -> None:
    many = status(*(account(f"local:{number}") for number in range(5000)))
    async with (
        fake_supervisor(home, supervisor__status=many),
        started(home, "status") as process,
    ):
        assert process.stdout is not None
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # `head -1`
        assert process.stderr is not None
        assert await process.stderr.read() == b""
        assert await process.wait() == ExitCode.OK


def test_the_operations_guide_explains_every_exit_code() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    section = guide.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \| (.+) \| (.+) \|$", section, re.MULTILINE)
    told = {int(code): name.replace(" ", "_").upper() for code, name, _, _ in rows}
    assert told == {code.value: code.name for code in ExitCode}
