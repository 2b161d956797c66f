"""What is inherited is corrected, piece by piece; the whole is in test_inherited_environment.py."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.supervisor.process_setup import (
    MIN_FILES,
    EarlySignals,
    absolute_places,
    change_directory,
    hangup_ends,
    raise_file_limit,
)


def in_a_process(code: str, redirection: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c"]
    head = "from runtime.supervisor.process_setup import *\nimport os, signal, sys, resource\n"
    environ = {**os.environ, "PYTHONPATH": os.getcwd(), **env}
    return subprocess.run(
        [*command, head + code], env=environ, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "redirection", ["", "<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"]
)
def test_closed_streams_are_opened_and_no_file_takes_their_numbers(
    tmp_path: Path, redirection: str
) -> None:
    code = (
        "open_streams(); fd = os.open('/', os.O_RDONLY); print('said', flush=True)\n"
        "sys.stderr.write('told'); sys.stderr.flush(); sys.stdin.read()\n"
        "open(os.environ['RESULT'], 'w').write(str(fd > 2))"
    )
    result = tmp_path / "result"
    done = in_a_process(code, redirection or "</dev/null", RESULT=str(result))
    assert (done.returncode, result.read_text()) == (0, "True"), done.stderr
    assert done.stdout == ("" if " >&-" in f" {redirection}" else "said\n")
    assert done.stderr == ("" if "2>&-" in redirection else "told")


def test_signals_umask_and_mask_are_set_right_and_nohup_is_respected() -> None:
    code = (
        "for n in (1, 15, 17, 10): signal.signal(n, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); os.umask(0o777)\n"
        "set_up()\n"
        "assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())\n"
        "assert os.umask(0) == 0o77\n"
        "assert [signal.getsignal(n) for n in (1, 15, 17, 10)] == [1, 0, 0, 0]\n"
    )
    assert in_a_process(code).stderr == ""


def test_the_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("hard", "refused"), [(MIN_FILES - 1, True), (MIN_FILES, False)])
def test_a_limit_under_which_nothing_works_is_refused_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, hard: int, refused: bool
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (16, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: None)
    if refused:
        with pytest.raises(OSError, match=f"only {hard} files"):
            raise_file_limit()
    else:
        raise_file_limit()


def test_relative_places_are_made_absolute_before_we_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"A": "state", "B": "/b", "C": "", "D": "left"}
    absolute_places(environ, ("A", "B", "C", "E"))
    assert environ == {"A": str(tmp_path / "state"), "B": "/b", "C": "", "D": "left"}
    change_directory(tmp_path / "state")
    assert Path.cwd() == Path("/")
    (tmp_path / "state").mkdir()
    change_directory(tmp_path / "state")
    assert Path.cwd() == tmp_path / "state"


@pytest.mark.parametrize(
    ("terminal", "detached", "ignored", "ends"),
    [
        (True, False, False, True),
        (False, False, False, False),
        (True, True, False, False),
        (True, False, True, False),
    ],
)
def test_a_hangup_is_the_end_only_in_the_foreground_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, detached: bool, ignored: bool, ends: bool
) -> None:
    monkeypatch.setattr(os, "isatty", lambda fd: terminal)
    assert hangup_ends(detached=detached, ignored=ignored) is ends


def test_early_signals_are_kept_and_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda fd: False)
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    came: list[int] = []
    with EarlySignals() as early:
        signal.raise_signal(signal.SIGHUP)
        assert not early.ending  # it would reload
        signal.raise_signal(signal.SIGTERM)
        assert early.ending
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda n, frame: came.append(n))
        early.replay()
        assert came == [signal.SIGHUP, signal.SIGTERM]
        early.end()
        signal.raise_signal(signal.SIGINT)  # too late to change anything
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_second_request_to_end_does_not_wait() -> None:
    code = (
        "with EarlySignals():\n"
        "    signal.raise_signal(15)\n    print('held', flush=True)\n    signal.raise_signal(2)\n"
        "    print('never')"
    )
    done = in_a_process(code)
    assert (done.returncode, done.stdout, done.stderr) == (130, "held\n", "")
