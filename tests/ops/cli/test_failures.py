"""Every failure is one sentence and one exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipc.errors import ConnectionFailed, RemoteError
from ops.cli.failures import report, sentence, shortened
from ops.exits import ExitCode, OperatorError
from runtime.config.errors import ConfigError, ConfigUnwritten, Problem
from tests.ops.conftest import CommandLine
from tests.support.commandline import trunkline

WRONG = [
    ("frobnicate", "frobnicate"),
    ("statsu", "No such command 'statsu' (did you mean 'status'?); see `trunkline --help`"),
    ("status --bogus", "--bogus"),
    ("channels frobnicate", "frobnicate"),
    ("channels start", "--all"),
    ("channels start local:demo --all", "not both"),
    ("agents stop main --all", "not both"),
    ("channels describe", "KEY"),
    ("channels add demo", "CHANNEL:NAME"),
    ("channels add local:x port", "FIELD=VALUE"),
    ("channels add local:x a=1 a=2", "twice"),
    ("wait", "--all"),
    ("wait local:demo --for lunch", "'lunch' is not one of running, stopped"),
    ("status -o xml", "'xml' is not one of wide, json, yaml, name"),
    ("sessions export x --format pdf", "'pdf' is not one of markdown, jsonl"),
    ("devices rotate x --role boss", "'boss' is not one of operator, node"),
    ("cron add --name x --every 1h -m y --catch-up all", "'all' is not one of one, none"),
    ("cron add --name x --at soon -m y", "--at soon: not a time"),
    ("channels drain local:demo --timeout 601", "above 600"),
    ("chat local:demo --nick /x", "cannot be a name"),
    ("wait local:demo --timeout soon", "not a number"),
    ("wait local:demo --timeout nan", "not a finite number"),
    ("wait local:demo --timeout inf", "not a finite number"),
    ("wait local:demo --timeout 1e999", "not a finite number"),
    ("wait local:demo --timeout 0", "below"),
    ("logs -n -1", "below"),
    ("up --port high", "not a whole number"),
    ("up --port 99999", "above 65535"),
    ("sessions list --limit 5000", "above 1000"),
    ("chat demo", "CHANNEL:NAME"),
    ("gateway call health --params [1]", "JSON object"),
    ("gateway call health --params {", "JSON object"),
    ("gateway health --url http://x", "ws://"),
    ("message send -t x -m y", "--account"),
    ("message send --channel irc --account local:a -t x -m y", "differ"),
    ("message send --account local:a -m y", "--target"),
]


@pytest.mark.parametrize(("command", "word"), WRONG)
def test_a_wrong_command_line_is_usage(cli: CommandLine, command: str, word: str) -> None:
    cli(command).complains(ExitCode.USAGE, word)


@pytest.mark.parametrize("command", ["status", "frobnicate"])
async def test_the_program_exits_as_its_parts_do(state: Path, command: str) -> None:
    result = await trunkline(state, command)
    result.complains(ExitCode.NOT_RUNNING if command == "status" else ExitCode.USAGE)


def test_every_mistake_in_a_configuration_has_its_own_line(cli: CommandLine, state: Path) -> None:
    (state / "trunkline.json5").write_text("{gateway: {port: 0, auth: {token: 't'}}, bogus: 1}")
    result = cli("config validate")
    assert result.code == ExitCode.CONFIGURATION
    lines = result.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"trunkline: {state}") for line in lines)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), ("no answer in time", ExitCode.TIMEOUT)),
        (RemoteError("INVALID_REQUEST", "no"), ("no", ExitCode.ERROR)),
        (RemoteError("AGENT_TIMEOUT", "late"), ("AGENT_TIMEOUT: late", ExitCode.TIMEOUT)),
        (OSError(20, "Not a directory", "/x"), ("/x: Not a directory", ExitCode.ERROR)),
        (OSError(28, "No space left"), ("No space left", ExitCode.ERROR)),
        (ConfigError("c", [Problem("", "wrong")]), ("c: wrong", ExitCode.CONFIGURATION)),
        (ConfigUnwritten("c", [Problem("", "full")]), ("c: full", ExitCode.ERROR)),
        (KeyError("x"), ("KeyError: 'x' (this is a bug in trunkline)", ExitCode.ERROR)),
    ],
)
def test_each_kind_of_error_has_a_sentence_and_a_code(
    error: Exception, expected: tuple[str, ExitCode]
) -> None:
    assert sentence(error) == expected


def test_a_gateway_that_may_come_back_is_not_running() -> None:
    gone = ConnectionFailed("ws://x", "refused", retryable=True)
    assert sentence(gone)[1] is ExitCode.NOT_RUNNING
    wrong = ConnectionFailed("ws://x", "no common protocol", retryable=False)
    assert sentence(wrong)[1] is ExitCode.ERROR


def test_of_a_long_line_the_beginning_and_the_end_are_shown() -> None:
    assert shortened("a" * 1000) == "a" * 1000
    text = shortened("a" * 600 + "b" * 600)
    assert text == "a" * 500 + " […] " + "b" * 500


def test_what_a_terminal_would_obey_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(OperatorError("bad \x1b[31m", ExitCode.CONFIGURATION)) == ExitCode.CONFIGURATION
    assert capsys.readouterr().err == "trunkline: bad \\x1b[31m\n"
