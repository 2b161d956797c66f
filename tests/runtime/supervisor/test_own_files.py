"""Open handles of a running supervisor, after their names were taken away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.config.places import resolve
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor import own_files
from runtime.supervisor.instance import Instance, InstanceHeld
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.own_files import OwnFiles


def remove(path: Path) -> None:
    path.unlink()


def rotate(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(b"")
    other.replace(path)


def remove_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def rotate_and_make(path: Path) -> None:
    rotate(path)
    path.touch(mode=0o640)


LOSSES = [remove, rotate, replace, remove_directory, rotate_and_make]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lock_whose_file_lost_its_name_still_keeps_a_second_out(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    state = tmp_path / "state"
    with Instance(state) as instance:
        files = OwnFiles(instance, LogStore(tmp_path / "logs", LoggingConfig()))
        lose(state / "supervisor.lock")
        files.check()
        with pytest.raises(InstanceHeld, match=f"pid {os.getpid()}"), Instance(state):
            pass
        assert files.warnings == []


@pytest.mark.parametrize("lose", [remove, remove_directory])
def test_the_link_to_the_sockets_is_made_again(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    places = resolve({"TRUNKLINE_STATE_DIR": str(tmp_path / "state"), "XDG_RUNTIME_DIR": "/run/x"})
    with Instance(places.state_dir) as instance:
        logs = LogStore(tmp_path / "logs", LoggingConfig())
        files = OwnFiles(instance, logs, places=places)
        places.link_run_dir()
        lose(places.state_dir / "run")
        files.check()
        assert (places.state_dir / "run").readlink() == places.run_dir


def test_a_named_pipe_in_the_place_of_the_output_is_not_waited_for(tmp_path: Path) -> None:
    output = tmp_path / "up.log"
    os.mkfifo(output)
    with Instance(tmp_path / "state") as instance:
        logs = LogStore(tmp_path / "logs", LoggingConfig())
        OwnFiles(instance, logs, output).check()
    assert output.is_fifo()


def test_a_named_pipe_in_the_place_of_the_older_output_is_not_waited_for(tmp_path: Path) -> None:
    output = tmp_path / "up.log"
    output.write_bytes(b"x" * 2000)
    os.mkfifo(tmp_path / "up.log.1")
    own_files._shorten(output, 1000)  # what calls it takes the test's own output
    assert output.stat().st_size == 0


def test_a_lock_that_another_has_taken_meanwhile_is_a_warning(tmp_path: Path) -> None:
    with Instance(tmp_path) as instance:
        files = OwnFiles(instance, LogStore(tmp_path / "logs", LoggingConfig()))
        (tmp_path / "supervisor.lock").unlink()
        with Instance(tmp_path):
            files.check()
            (warning,) = files.warnings
            assert "two supervisors run on the same directory" in warning
            files.check()
        files.check()  # the other has ended
        assert files.warnings == []
        with pytest.raises(InstanceHeld), Instance(tmp_path):
            pass


@pytest.mark.parametrize("lose", LOSSES)
def test_a_log_is_written_on_under_its_name(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    store = LogStore(tmp_path / "logs", LoggingConfig())
    path = tmp_path / "logs" / "irc:a.log"
    store.add("irc:a", {"text": "before"})
    lose(path)
    store.add("irc:a", {"text": "after"})
    store.close()
    assert b"after" in path.read_bytes()
    assert b"before" not in path.read_bytes()


def test_sighup_lets_go_of_every_log(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs", LoggingConfig())
    with Instance(tmp_path / "state") as instance:
        store.add("irc:a", {"text": "before"})
        rotated = tmp_path / "rotated"
        (tmp_path / "logs" / "irc:a.log").rename(rotated)
        OwnFiles(instance, store).reopen()
        held = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.islink(f"/proc/self/fd/{fd}")
        ]
        assert str(rotated) not in held
    store.close()


def run_detached(program: str, directory: Path) -> Path:
    """Run a program as ``up --detach`` does, its output appended to a file; return the file."""
    output = directory / "up.log"
    with output.open("ab") as file:
        subprocess.run(
            [sys.executable, "-c", program, str(directory / "s"), str(output)],
            stdout=file,
            stderr=file,
            check=True,
        )
    return output


DETACHED = """
import sys
from pathlib import Path
from runtime.config.places import resolve
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.own_files import OwnFiles
root, output = Path(sys.argv[1]), Path(sys.argv[2])
with Instance(root) as instance:
    files = OwnFiles(instance, LogStore(root / "logs", LoggingConfig()), output)
    print("before", flush=True)
    output.rename(root / "rotated")
    files.check()
    print("after", flush=True)
    files.check()
    print("error", file=sys.stderr, flush=True)
"""


def test_the_output_of_a_detached_supervisor_goes_where_its_name_is(tmp_path: Path) -> None:
    output = run_detached(DETACHED, tmp_path)
    assert output.read_text() == "after\nerror\n"
    assert (tmp_path / "s" / "rotated").read_text() == "before\n"


VERBOSE = """
import sys
from pathlib import Path
from runtime.config.places import resolve
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.own_files import OwnFiles
root, output = Path(sys.argv[1]), Path(sys.argv[2])
with Instance(root) as instance:
    files = OwnFiles(instance, LogStore(root / "logs", LoggingConfig(max_bytes=4096)), output)
    for number in range(1000):
        print(f"{number:99}", flush=True)
        files.check()
"""


def test_the_output_of_a_detached_supervisor_does_not_grow_without_end(tmp_path: Path) -> None:
    output = run_detached(VERBOSE, tmp_path)
    older = tmp_path / "up.log.1"
    assert output.stat().st_size <= 4096
    assert older.stat().st_size == 4096
    assert older.stat().st_mode & 0o777 == 0o600
    numbers = [int(line) for line in (older.read_bytes() + output.read_bytes()).split()][1:]
    assert numbers == list(range(numbers[0], 1000))  # the first may be a part of one
