"""Every printed command leads to the runtime that the command line was for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ops.exits import ExitCode
from ops.output.commands import ending_with_step
from tests.ops.conftest import CommandLine
from tests.support.commandline import ROOT, trunkline
from tests.support.fakeserver import account, fake_supervisor, status
from workers.testing.ports import free_port

NAKED = re.compile(r"(?<![\w/.-])trunkline [a-z]")
# The help and files that are written are not for one runtime.
APART = ("ops/cli/", "ops/service/unit.py", "ops/openclaw/validation.py", "ops/page_libraries.py")


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "wait local:demo",
        "channels describe local:demo",
        "doctor",
        "config validate",
        "sessions list",
        "top",
        "setup",
        "deadletters list",
    ],
)
def test_a_command_that_is_printed_is_for_the_same_runtime(
    cli: CommandLine, state: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUNKLINE_STATE_DIR")
    result = cli(f"--state-dir {state} {command}")
    printed = result.out + result.err
    assert f"trunkline --state-dir {state} " in printed
    assert not NAKED.search(printed), printed
    after = cli(f"{command} --state-dir {state}")
    assert not NAKED.search(after.out + after.err)


async def test_what_a_daemon_says_is_for_its_runtime(state: Path) -> None:
    failed = account("irc:a", phase="failed", pid=None, lastError="see `trunkline logs irc:a`")
    async with fake_supervisor(state, supervisor__status=status(failed)):
        result = await trunkline(state, "--state-dir", str(state), "wait", "irc:a")
    result.complains(ExitCode.ERROR, f"`trunkline --state-dir {state} logs irc:a`")


@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("channels why local x", "; see `trunkline channels why --help`"),
        ("channels start", "; see `trunkline channels start --help`"),
        ("message send -t x -m y", "; see `trunkline message send --help`"),
        ("--profile x help xyzzy", "; see `trunkline --profile x help --help`"),
        ("top", "`trunkline status` prints the same once"),
        ("sessions export x --format pdf", "; see `trunkline sessions export --help`"),
    ],
)
def test_a_mistake_ends_with_the_help_of_the_command_that_was_typed(
    cli: CommandLine, command: str, step: str
) -> None:
    assert cli(command).err.endswith(f"{step}\n")
    remembered = ending_with_step("odd", ExitCode.USAGE)
    assert remembered == "odd; see `trunkline --help`"  # the next command is another one


@pytest.mark.e2e
async def test_up_ends_with_commands_for_the_runtime_that_it_has_started(state: Path) -> None:
    given = ("--state-dir", str(state))
    port = str(free_port())
    up = await trunkline(state, *given, "up", "--detach", "--port", port)
    try:
        assert up.code == ExitCode.OK, up
        assert f"trunkline --state-dir {state} chat local:demo" in up.out
        assert f"`trunkline --state-dir {state} down`" in up.out
        assert not NAKED.search(up.out)
        second = await trunkline(state, *given, "up")
        second.complains(ExitCode.ERROR, f"`trunkline --state-dir {state} down`")
    finally:
        assert (await trunkline(state, *given, "down")).code == ExitCode.OK


def test_no_room_prints_a_command_without_the_options() -> None:
    """Of the calls that print, those with a command in their text go through ``for_runtime``."""
    found = []
    for path in sorted((ROOT / "ops").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name.startswith(APART):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).rpartition(".")[2]
            text = ast.unparse(node)
            prints = called in ("print", "say", "write_error") and NAKED.search(text)
            if prints and "for_runtime" not in text:
                found.append(f"{name}:{node.lineno}")
    assert found == []
