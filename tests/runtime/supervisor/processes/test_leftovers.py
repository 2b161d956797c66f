"""Processes of an earlier supervisor are found by their run id, and ended by pidfd only."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.helpers import RUN_ID
from runtime.supervisor.instance import Instance
from runtime.supervisor.processes import leftovers
from runtime.supervisor.processes.leftovers import find, sweep

DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"


@contextlib.contextmanager
def left(run_id: str | None, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that a supervisor with this run id might have left."""
    env = {**os.environ} | ({} if run_id is None else {RUN_ID: run_id})
    process = subprocess.Popen(
        command or ("sleep", "60"), env=env, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        # execve(2) closes what Popen waits for before the new environment can be read.
        while not Path(f"/proc/{process.pid}/environ").read_bytes():
            os.sched_yield()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_every_run_of_a_state_directory_is_recognised_by_the_next(tmp_path: Path) -> None:
    first, second = Instance(tmp_path / "a"), Instance(tmp_path / "a")
    other = Instance(tmp_path / "b")
    assert first.run_id.startswith(second.runs)
    assert first.run_id != second.run_id
    assert not first.run_id.startswith(other.runs)


def test_only_what_is_ours_is_ended() -> None:
    with left("ours-1") as one, left("ours-2") as two, left("theirs-1") as other, left(None) as no:
        ended = sweep("ours-")
        assert {each.pid for each in ended} == {one.pid, two.pid}
        assert one.wait() == two.wait() == -signal.SIGTERM
        assert other.poll() is None
        assert no.poll() is None
        assert "sleep 60" in ended[0].command


def test_a_stopped_one_is_continued_so_that_it_notices() -> None:
    with left("stopped-1") as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        sweep("stopped-")
        assert process.wait() == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed() -> None:
    with left("deaf-1", sys.executable, "-c", DEAF) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sweep("deaf-", grace=0.2)
        assert process.wait() == -signal.SIGKILL


def test_the_parent_of_the_daemon_is_never_a_leftover(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; from runtime.supervisor.processes.leftovers import find;"
        "print(*[each.pid for each in find('nested-')])"
    )
    with left("nested-1") as beside:
        done = subprocess.run(
            ["sh", "-c", f'"{sys.executable}" -c "{code}"; true'],
            env={**os.environ, RUN_ID: "nested-1"},
            cwd=Path(leftovers.__file__).parents[3],
            capture_output=True,
            text=True,
        )
        assert done.stdout.split() == [str(beside.pid)], done.stderr


def test_a_run_does_not_end_what_it_has_started_itself() -> None:
    """The zygote runs already when the leftovers of earlier runs are swept."""
    with left("twice-old") as old, left("twice-new") as new:
        assert [each.pid for each in sweep("twice-", but="twice-new")] == [old.pid]
        assert old.wait() == -signal.SIGTERM
        assert new.poll() is None


def test_looking_leaves_no_descriptor_of_others_open() -> None:
    before = set(os.listdir("/proc/self/fd"))
    assert find("nobody-has-this-") == []
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_process_that_ends_while_it_is_looked_at_is_no_error() -> None:
    with left("gone-1") as process:
        (found,) = find("gone-")
        process.kill()
        process.wait()
        assert sweep("gone-") == []
        os.close(found.pidfd)


def test_no_process_is_signalled_by_its_number() -> None:
    """A number may be a stranger's by now; a pidfd never is, nor the group of one not reaped."""
    root = Path(leftovers.__file__).parents[3]
    found = {
        (path.relative_to(root).as_posix(), node.attr)
        for package in ("ipc", "workers", "runtime", "ops")
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in ("os.kill", "os.killpg", "psutil.Process.kill")
        and (root / package / "testing") not in path.parents  # it kills what it tests
    }
    assert found == {
        ("runtime/supervisor/processes/process.py", "killpg"),
        ("ipc/helpers.py", "killpg"),
        ("workers/agents/command/program.py", "killpg"),
    }
