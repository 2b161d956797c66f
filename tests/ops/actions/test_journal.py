"""``trunkline backup`` and ``trunkline restore`` on a state directory of their own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ops.exits import ExitCode
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.interface import FILE
from runtime.gateway.journal.replacing import RESTORED
from runtime.supervisor.instance import Instance
from tests.ops.conftest import CommandLine
from tests.support.journals import arrived


def _write(state: Path, *numbers: int) -> None:
    with closing(Database(state / "journal.db")) as database:
        for number in numbers:
            database.store([arrived(number, f"m{number}")])


def _count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as journal:
        return int(journal.execute("SELECT sum(count) FROM ids").fetchone()[0])


def test_a_journal_is_copied_and_restored(cli: CommandLine, state: Path) -> None:
    _write(state, 1, 2)
    made = cli("backup --json").json
    copy = Path(made["path"])
    assert copy.parent == state / "backup"
    assert made["bytes"] == copy.stat().st_size
    _write(state, 3)
    found = cli(f"restore {copy}")
    assert (found.code, found.err) == (0, "")
    assert _count(state / "journal.db") == 2
    (aside,) = state.glob("journal.db.replaced-*")
    assert found.out == f"restored {copy}\nthe previous journal is now {aside}\n"
    assert _count(aside) == 3


def test_a_copy_goes_where_it_is_wanted_and_replaces_nothing(cli: CommandLine, state: Path) -> None:
    _write(state, 1)
    wanted = state / "mine.db"
    assert cli(f"backup --to {wanted}").out.startswith(f"copied to {wanted} (")
    cli(f"backup --to {wanted}").complains(ExitCode.USAGE, "exists already", str(wanted))
    cli(f"backup --to {state}/no/such/place.db").complains(ExitCode.ERROR, "No such file")


def test_without_a_journal_there_is_nothing_to_copy(cli: CommandLine, state: Path) -> None:
    cli("backup").complains(ExitCode.ERROR, "there is no journal in", str(state), "has run here")
    (state / f"{FILE}{RESTORED}").touch()  # a kill came before it was renamed
    cli("backup").complains(ExitCode.ERROR, "the daemon's next start finishes it")


def test_incarnations_go_on_behind_those_of_a_journal_of_another_host(
    cli: CommandLine, state: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    with closing(Database(other)) as database:
        database.store([arrived(1, "m1", incarnation=(70 << 20) + 3)])
    assert cli(f"restore {other}").code == 0
    with Instance(state) as instance:
        assert instance.boot > 70
        boot = instance.boot
    assert cli(f"restore {other}").code == 0  # again, on the host that has gone on with it
    with Instance(state) as instance:
        assert instance.boot == boot + 2


def test_nothing_is_restored_below_a_running_daemon(cli: CommandLine, state: Path) -> None:
    _write(state, 1)
    copy = Path(cli("backup --json").json["path"])
    with Instance(state):
        cli(f"restore {copy}").complains(ExitCode.ERROR, "already runs", "trunkline down")
    assert not list(state.glob("journal.db.replaced-*"))


def test_what_is_no_journal_is_not_restored(cli: CommandLine, state: Path) -> None:
    _write(state, 1)
    (state / "notes.txt").write_text("hello")
    cli(f"restore {state}/notes.txt").complains(ExitCode.USAGE, "notes.txt")
    cli(f"restore {state}/none.db").complains(ExitCode.USAGE, "is no file")
    assert _count(state / "journal.db") == 1
