"""One supervisor for each state directory and each runtime directory; numbers of boots."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ipc.errors import EndpointError
from runtime.config.places import Places
from runtime.gateway.journal.interface import FILE
from runtime.supervisor.instance import (
    JOURNAL,
    Instance,
    InstanceHeld,
    claim_sockets,
    state_dir_of,
)
from runtime.supervisor.run_id import new_run_id, runs_of

HOLDER = """
import sys, time
from pathlib import Path
from runtime.supervisor.instance import Instance
with Instance(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(3600)
"""


def test_every_boot_has_larger_incarnations_than_all_before(tmp_path: Path) -> None:
    seen = []
    for _ in range(3):
        with Instance(tmp_path) as instance:
            seen.append((instance.boot, instance.first_incarnation))
    assert seen == [(1, 1 << 20), (2, 2 << 20), (3, 3 << 20)]


def test_an_instance_has_the_run_id_that_it_is_given_or_a_new_one(tmp_path: Path) -> None:
    run_id = new_run_id(tmp_path)
    given, new = Instance(tmp_path, run_id), Instance(tmp_path)
    assert (given.run_id, given.runs) == (run_id, runs_of(tmp_path))
    assert new.run_id != run_id
    assert new.run_id.startswith(f"{new.runs}-")


def test_a_second_instance_is_refused_with_the_pid_and_the_start_of_the_first(
    tmp_path: Path,
) -> None:
    with Instance(tmp_path):
        with pytest.raises(InstanceHeld) as caught, Instance(tmp_path):
            pass
        assert f"pid {os.getpid()}" in str(caught.value)
        assert "up since 20" in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    with Instance(tmp_path) as free:
        assert free.boot == 2  # the refused one did not count


def test_a_holder_that_was_killed_holds_no_longer(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
    with pytest.raises(InstanceHeld, match=f"pid {holder.pid}"), Instance(tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Instance(tmp_path) as instance:
        assert instance.boot == 2


def test_a_lock_file_without_sense_still_refuses_the_second(tmp_path: Path) -> None:
    with Instance(tmp_path):
        (tmp_path / "supervisor.lock").write_bytes(b"")
        with pytest.raises(InstanceHeld, match="another process"), Instance(tmp_path):
            pass


def test_the_directory_is_made_and_only_its_owners(tmp_path: Path) -> None:
    with Instance(tmp_path / "new" / "state"):
        assert stat.S_IMODE((tmp_path / "new" / "state").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "damage",
    ["", "x", "1e9", "-3", "\x00\x00", "9" * 20, pytest.param("9" * 5000, id="many digits")],
)
def test_a_damaged_boot_counter_never_leads_back_to_earlier_incarnations(
    tmp_path: Path, damage: str
) -> None:
    (tmp_path / "boot").write_text(damage)
    with Instance(tmp_path) as instance:
        assert instance.boot > 1_000_000  # more boots than any supervisor ever has
        assert instance.first_incarnation < 2**53  # still exact as a number of JSON
        lost = instance.boot
    with Instance(tmp_path) as instance:
        assert instance.boot == lost + 1


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_lost_boot_counter_beside_a_journal_does_not_begin_anew(tmp_path: Path) -> None:
    assert JOURNAL == FILE
    (tmp_path / JOURNAL).touch()
    with Instance(tmp_path) as instance:
        assert instance.boot > 1_000_000


def test_incarnations_of_another_host_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "boot").write_text("70")
    with Instance(tmp_path) as instance:
        instance.skip_incarnations((70 << 20) + 3)  # of an earlier boot of this one
    with Instance(tmp_path) as instance:
        assert instance.boot == 72
        instance.skip_incarnations((72 << 20) + 3)
    with Instance(tmp_path) as instance:
        assert instance.boot > 1_000_000  # more than the other can have come to since
        last = instance.boot
        instance.skip_incarnations((72 << 20) + 3)
    with Instance(tmp_path) as instance:
        assert instance.boot == last + 1
        instance.skip_incarnations(1 << 62)  # of no host that there is
        last = instance.boot
    with Instance(tmp_path) as instance:
        assert instance.boot == last + 1
        assert instance.first_incarnation < 2**53


def test_incarnations_that_cannot_be_skipped_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Instance(tmp_path) as instance:
        monkeypatch.setattr("runtime.supervisor.instance.write_atomically", full)
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="boot cannot be written"):
            instance.skip_incarnations(70 << 20)


def test_a_directory_that_cannot_be_made_is_an_error_and_leaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), Instance(tmp_path / "file"):
        pass


def test_a_full_disk_takes_the_next_number_in_the_place_of_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Instance(tmp_path):
        pass
    monkeypatch.setattr("runtime.supervisor.instance.write_atomically", full)
    for boot in (2, 3):
        with Instance(tmp_path) as instance:
            assert instance.boot == boot


def test_a_disk_that_takes_nothing_gives_way_to_the_clock_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("runtime.supervisor.instance.write_atomically", full)
        patch.setattr(os, "pwrite", full)
        instance = Instance(tmp_path)
        with instance:
            assert instance.boot > 1_000_000
            assert instance.ensure_locks() == []
            assert not (tmp_path / "boot").exists()
            patch.undo()
            instance.ensure_locks()  # there is room
            assert int((tmp_path / "boot").read_text()) == instance.boot
    with Instance(tmp_path) as later:
        assert later.boot == instance.boot + 1


def test_a_boot_that_cannot_be_counted_is_no_boot(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    with pytest.raises(OSError, match="boot"), Instance(tmp_path):
        pass
    (tmp_path / "boot").rmdir()
    with Instance(tmp_path) as instance:
        assert instance.boot == 1


def places_in(directory: Path, state: str) -> Places:
    run_dir = directory / "run"
    return Places(directory / state, directory / "c.json5", run_dir, directory / "logs", None)


def test_a_second_supervisor_with_the_same_sockets_is_refused_and_told_whose_they_are(
    short_path: Path,
) -> None:
    with claim_sockets(places_in(short_path, "first")):
        with (
            pytest.raises(EndpointError, match=f"pid {os.getpid()}") as caught,
            claim_sockets(places_in(short_path, "second")),
        ):
            pass
        assert f"of {short_path / 'first'} there" in str(caught.value)
        assert "TRUNKLINE_RUNTIME_DIR" in str(caught.value)


def test_sockets_that_were_let_go_are_free(short_path: Path) -> None:
    for state in ("first", "second"):
        with claim_sockets(places_in(short_path, state)):
            assert stat.S_IMODE((short_path / "run").stat().st_mode) == 0o700


def test_a_supervisor_is_known_by_the_state_that_it_holds(tmp_path: Path) -> None:
    assert state_dir_of(os.getpid()) is None
    with Instance(tmp_path):
        assert state_dir_of(os.getpid()) == tmp_path
    assert state_dir_of(os.getpid()) is None
    assert state_dir_of(2**22 + 1) is None  # no process has such an id
