"""A process that stores the steps of runs is killed: what it was told of is there, and whole."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.gateway.journal.database import Database
from runtime.gateway.journal.reader import JournalReader
from tests.support.conversations import TALK
from tests.support.journals import KEY

ROOT = Path(__file__).parents[4]
ORDER = ("queued", "started", "seen", "ended")

# Takes runs through their lives, and writes a line to its output when each step is stored.
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from runtime.gateway.journal.records import Answered
from runtime.gateway.journal.runs import RunEnded, RunSeen, RunStarted
from runtime.gateway.journal.stored import StoredJournal
from tests.support.conversations import NOW, TALK, asked, said, talk
from tests.support.journals import KEY, outgoing, store

async def main():
    journal = StoredJournal(Path(sys.argv[1]))
    for number in range(1, 100_000):
        run = f"r{number}"
        entries = said("question", f"answer {number}", run=run)
        steps = {
            "queued": Answered(KEY, (1, number), runs=[asked(run)]),
            "started": RunStarted(KEY, run, 7, NOW),
            "seen": RunSeen(KEY, run, 1, True, "answer"),
            "ended": RunEnded(
                KEY, run, TALK, "final", NOW, f"answer {number}", answers=[outgoing(f"k{number}")],
                entries=entries, changed=talk(runs=number),
            ),
        }
        for name, record in steps.items():
            await store(journal, record)
            os.write(1, f"{name} {number}\\n".encode())

asyncio.run(main())
"""


def killed_after(path: Path, lines: int) -> tuple[str, int]:
    """Run the program until it has written so many lines, kill it, and return the last one."""
    program = [sys.executable, "-c", PROGRAM, str(path)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        written = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        written += process.stdout.readlines()  # what it wrote until then
    name, number = [each for each in written if each.endswith("\n")][-1].split()
    return name, int(number)


def check(path: Path, name: str, number: int) -> None:
    """Look at what is there after the step ``name`` of a run was reported as stored."""
    database = Database(path)
    reader = JournalReader(path)
    place = database.places[KEY]
    queued = place.settled[1] if place.settled else 0
    assert number <= queued <= number + 1
    states = []
    for each in range(1, queued + 1):
        run = reader.run(f"r{each}")
        assert run is not None, "its position is settled"
        states.append(run.state)
        if each <= number - (name != "ended"):
            assert (run.state, run.answer) == ("final", f"answer {each}")
        elif each == number and name == "seen" and run.is_open:
            assert (run.answer, run.seen, run.incarnation) == ("answer", True, 7)
        elif each == number and name == "started":
            assert run.state in ("running", "final")
    ended = states.count("final")
    session = reader.session(TALK)
    assert (session.runs if session else 0) == ended  # with its last end, and never before
    entries = reader.entries(TALK, 0, None, 10 * queued)
    assert [each.text for each in entries if each.role == "assistant"] == [
        f"answer {each}" for each in range(1, ended + 1)
    ]
    assert [each.row.key for each in reader.outgoing(KEY)] == [
        f"k{each}" for each in range(1, ended + 1)
    ]
    assert len(reader.open_runs(KEY)) == queued - ended
    reader.close()
    database.close()


MOMENTS = random.Random(1).sample(range(1, 80), 20)


@pytest.mark.parametrize(
    "lines", [7, *(pytest.param(each, marks=pytest.mark.slow) for each in MOMENTS)]
)
def test_every_step_that_was_reported_is_there_after_a_kill(lines: int, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    check(path, *killed_after(path, lines))
