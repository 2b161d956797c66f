"""The first lines of the command line: streams, and Ctrl-C before anything is imported."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.commandline import PROGRAM, ROOT, environment


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_works_without_a_standard_stream(tmp_path: Path, redirection: str) -> None:
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, "config", "path"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (str(tmp_path).encode() in done.stdout) == (">&-" not in redirection.split())


@pytest.mark.parametrize(
    ("command", "redirection", "code"),
    [
        ("version", ">/dev/full", 1),
        ("version", "2>/dev/full", 0),
        ("status", "2>/dev/full", 3),  # no supervisor runs, and nobody reads that
        ("no-such-command", "2>/dev/full", 2),
        ("config validate", "2>/dev/full", 78),
        ("", "2>/dev/full", 2),
        ("version", ">/dev/full 2>/dev/full", 1),
        ("status", ">/dev/full 2>/dev/full", 3),
    ],
)
def test_output_that_is_not_taken_does_not_hide_the_exit_code(
    tmp_path: Path, command: str, redirection: str, code: int
) -> None:
    line = ["sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, *command.split()]
    done = subprocess.run(line, env=environment(tmp_path), capture_output=True, timeout=60)
    assert done.returncode == code, done.stderr
    if code == 1 and "2>" not in redirection:
        said = b"trunkline: No space left on device; `trunkline doctor` finds out why\n"
        assert done.stderr == said


@pytest.mark.parametrize(("command", "code"), [("version", 0), ("status", 3)])
def test_an_interpreter_that_is_to_be_inspected_at_its_end_exits_all_the_same(
    tmp_path: Path, command: str, code: int
) -> None:
    done = subprocess.run(
        [*PROGRAM, command],
        env=environment(tmp_path, PYTHONINSPECT="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == code, done
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_imports_ends_the_process_without_a_word(
    tmp_path: Path, number: signal.Signals
) -> None:
    slow = "import sys; sys.path.insert(0, sys.argv.pop()); from ops.cli.entry import main; main()"
    (tmp_path / "typer.py").write_text(
        "open(__file__ + '.began', 'w').close()\nimport time\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", slow, "status", str(tmp_path)],
        env=environment(tmp_path) | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        while not (tmp_path / "typer.py.began").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (-number, b"", b"")
