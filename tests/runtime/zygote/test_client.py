"""A real zygote, started and asked as the supervisor does."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.zygote.client import Zygote, ZygoteStopped, environment
from runtime.zygote.prctl import set_subreaper
from tests.support.until import PATIENCE


@contextmanager
def running() -> Iterator[Zygote]:
    set_subreaper()
    zygote = Zygote("run-of-the-test")
    try:
        yield zygote
    finally:
        zygote.end()


def request(zygote: Zygote) -> bytes:
    """Ask for a child whose bootstrap is empty: it ends with 1."""
    reader, writer = os.pipe()
    os.close(writer)
    null = os.open(os.devnull, os.O_RDWR)
    message = {"kind": "spawn", "name": "irc:a#1", "env": {}, "fds": []}
    try:
        return zygote.request_fork(json.dumps(message).encode(), [reader, null, null, null])
    finally:
        os.close(reader)
        os.close(null)


def reap(answer: bytes) -> None:
    """Wait for the child whose pid is the answer of a zygote."""
    os.waitpid(struct.unpack("q", answer)[0], 0)


def test_one_that_is_stopped_is_seen_within_two_seconds() -> None:
    with running() as zygote:
        reap(request(zygote))  # it has imported what it needs
        os.kill(zygote.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(ZygoteStopped):
            request(zygote)
        assert time.monotonic() - began < PATIENCE


def test_one_that_is_stopped_for_a_moment_answers() -> None:
    with running() as zygote:
        reap(request(zygote))
        os.kill(zygote.pid, signal.SIGSTOP)
        timer = threading.Timer(0.7, os.kill, (zygote.pid, signal.SIGCONT))
        timer.start()
        reap(request(zygote))
        timer.join()


def test_its_environment_is_ours_with_the_run_and_no_relative_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OURS", "yes")
    monkeypatch.setattr(sys, "path", ["", "/one", "/two"])
    env = environment("r1")
    assert (env["TRUNKLINE_RUN_ID"], env["OURS"]) == ("r1", "yes")
    assert env["PYTHONPATH"] == f"/one{os.pathsep}/two"


def test_its_environment_is_without_what_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("OURS", "yes")
    env = environment("r1", {"SECRET", "NO_SUCH"})
    assert ("SECRET" in env, env["OURS"]) == (False, "yes")


def test_nothing_is_imported_from_the_directory_in_which_the_daemon_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders with names like ours are common, and any module there would run in every account."""
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "__init__.py").touch()
    (tmp_path / "uvloop.py").write_text("raise SystemExit('taken from the cwd')")
    monkeypatch.chdir(tmp_path)
    with running() as zygote:
        child = struct.unpack("q", request(zygote))[0]
        os.waitid(os.P_PID, child, os.WEXITED)


def test_it_forks_while_it_lives_and_answers_nothing_afterwards() -> None:
    with running() as zygote:
        zygote.preload(["no.such.module"])
        pid = struct.unpack("q", request(zygote))[0]
        assert pid != zygote.pid
        how = os.waitid(os.P_PID, pid, os.WEXITED)
        assert how is not None
        assert how.si_status == 1
        assert not zygote.dead
        os.kill(zygote.pid, 9)
        os.waitid(os.P_PID, zygote.pid, os.WEXITED | os.WNOWAIT)
        assert zygote.dead
        zygote.preload(["json"])  # noticed at the next start, not here
        try:
            answer = request(zygote)
        except OSError:
            answer = b""
        assert answer == b""


SUPERVISOR = """
import os, struct, subprocess, sys, time
from runtime.zygote.client import Zygote
from runtime.zygote.prctl import set_subreaper
from tests.runtime.zygote.test_client import reap, request
set_subreaper()
zygote = Zygote(sys.argv[1])
reap(request(zygote))  # it has imported what it needs, and waits
left = subprocess.Popen(
    ["sleep", "3600"],
    start_new_session=True,
    stdout=subprocess.DEVNULL,
    env={**os.environ, "TRUNKLINE_RUN_ID": sys.argv[2]},
)
print(zygote.pid, left.pid, flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("ours", [True, False])
def test_what_a_run_leaves_behind_ends_when_its_supervisor_is_killed(ours: bool) -> None:
    set_subreaper()
    run = f"run-{os.getpid()}-a"
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, run, run if ours else f"run-{os.getpid()}-b"],
        stdout=subprocess.PIPE,
    )
    assert supervisor.stdout is not None
    with supervisor, supervisor.stdout:
        zygote, left = (int(word) for word in supervisor.stdout.readline().split())
        supervisor.kill()
    os.waitid(os.P_PID, zygote, os.WEXITED)  # once it has swept: it is the last to end
    if not ours:
        os.kill(left, signal.SIGKILL)  # the process of another run lives
    how = os.waitid(os.P_PID, left, os.WEXITED)
    assert how is not None
    assert how.si_status == (signal.SIGKILL if not ours else signal.SIGTERM)
