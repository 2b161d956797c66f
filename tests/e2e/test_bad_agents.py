"""Whatever an agent does wrong, the person reads one sentence of the list, and no other notices."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runtime.gateway.conversations.error_texts import TEXTS
from tests.support import bad_agent
from tests.support.agent_packages import install_kind
from tests.support.daemon import Daemon
from tests.support.person import Person, talking
from workers.testing.fakes.model import fake_model

pytestmark = pytest.mark.e2e

MIB = 1 << 20
SECONDS = 20.0  # that a turn may take
SOON = 2.0  # likewise, where nothing else ends it
AT_ONCE = 6  # bad agents that are asked
LATER = 5.0  # seconds after that, within which the person knows
LIMITS = {"memorySoftBytes": 48 * MIB, "memoryHardBytes": 64 * MIB, "recycleJitterSeconds": 0}
FINE = "fine"  # the answer of a turn that has gone well all the same
GONE = ("died", "unavailable", "timeout")  # which of them depends on when its process is missed


class Row(NamedTuple):
    """What is wrong with an agent, and which sentences of the list may be read then.

    ``told`` are keys of ``TEXTS``, or an answer. A turn may take ``seconds``. ``fields`` are the
    agent's, by default those of the kind ``bad`` with a fault of the row's name.
    """

    name: str
    told: Collection[str]
    seconds: float = SECONDS
    fields: Mapping[str, Any] = {}


def program(name: str, told: str, script: str, seconds: float = SECONDS) -> Row:
    """Return a row of the kind ``command``."""
    return Row(name, [told], seconds, {"kind": "command", "command": ["sh", "-c", script]})


def model(name: str, told: str, seconds: float = SECONDS) -> Row:
    """Return a row of the kind ``openai``; the fake model does what the name says."""
    return Row(name, [told], seconds, {"kind": "openai", "model": "fake-1"})


QUICK = [
    Row("hangs", ["timeout"], 0.5),
    Row("dies_answering", ["died"]),
    Row("one_large_piece", ["failed"]),
    Row("a_dict", ["failed"]),
]
REST = [
    Row("deaf", ["timeout"], SOON),
    Row("blocks", GONE, SOON),
    Row("freezes", GONE, SOON),
    Row("leaks", GONE, SOON, {"limits": LIMITS}),
    Row("dies", GONE, SOON),
    Row("exits", GONE, SOON),
    Row("unmade", ["unavailable"], SOON),
    Row("cuts_itself_off", GONE, SOON),
    Row("cancels_everything", [*GONE, "failed"], SOON),
    Row("floods", ["failed"]),
    Row("floods_nothing", ["timeout"], SOON),
    Row("one_large_answer", ["failed"]),
    Row("one_large_call", ["failed"]),
    Row("deep_call", ["failed"]),
    Row("endless_call", ["failed"]),
    Row("a_number", ["failed"]),
    Row("bytes_in_a_final", ["failed"]),
    Row("no_text", ["failed"]),
    Row("no_text_at_the_end", ["failed"]),
    Row("wrong_usage", ["failed"]),
    Row("wrong_files", ["failed"]),
    Row("no_iterator", ["failed"]),
    Row("nothing", ["failed"]),
    Row("raises_at_once", ["failed"]),
    Row("raises_unspeakably", ["failed"]),
    Row("ends_the_interpreter", ["failed"]),
    Row("interrupts", ["failed"]),
    Row("wrong_frames", [FINE, "failed", "timeout"], SOON),
    program("program_no_text", "\ufffd" * 2, r"printf '\377\376'"),
    program("program_floods", "failed", "exec yes"),
    program("program_hangs", "timeout", "exec sleep 3600", SOON),
    program("program_dies", "failed", "printf beginning; kill -9 $$"),
    model("!hang", "timeout", SOON),
    model("!flood", "transient"),
    model("!cut", "transient"),
    model("!empty", "empty"),
]


class Bench:
    """A daemon with a bad agent for each row, and one that answers."""

    def __init__(self, directory: Path, rows: list[Row], model: str) -> None:
        lib = install_kind(directory / "lib", bad_agent.KIND, bad_agent.MANIFEST)
        entries: dict[str, Any] = {"good": {"kind": "echo"}}
        bindings = []
        for number, row in enumerate(rows):
            fields = dict(row.fields)
            if fields.get("kind") == "openai":
                fields["baseUrl"] = model
            if "kind" not in fields:
                fields |= {"kind": bad_agent.KIND, "fault": row.name}
            entries[f"bad{number}"] = {"timeoutSeconds": row.seconds} | fields
            peer = {"kind": "direct", "id": f"unverified:p{number}"}
            match = {"channel": "local", "accountId": "*", "peer": peer}
            bindings.append({"agentId": f"bad{number}", "match": match})
        config: dict[str, Any] = {
            "agents": {"default": "good", "entries": entries, "maxConcurrent": 100},
            "bindings": bindings,
            "channels": {"local": {"accounts": {"one": {}, "two": {}}}},
            "supervisor": {
                "beatSeconds": 0.1,
                "suspectAfterSeconds": 1.0,
                "silentAfterSeconds": 1.5,
            },
        }
        self.rows, self.state = rows, directory / "state"
        self.daemon = Daemon(directory, config, PYTHONPATH=str(lib))

    async def ready(self) -> None:
        """Wait until all run that can be made."""

        def runs(status: dict[str, Any]) -> bool:
            rows = [*status["accounts"].values(), *status["agents"]]
            return all(row["phase"] == "running" or row["failures"] for row in rows)

        await self.daemon.wait(runs)

    async def check(self, number: int) -> str:
        """Have a person ask the bad agent of a row; return what is wrong about what is read."""
        row = self.rows[number]
        allowed = {TEXTS[key].text if key in TEXTS else key for key in row.told}
        async with talking(self.daemon, "one") as person:
            person.says(f"/nick p{number}")
            await person.hears(1)
            asked = time.monotonic()
            person.says(row.name)
            try:
                async with asyncio.timeout(row.seconds + LATER):
                    (read,) = await person.hears(1)
            except TimeoutError:
                return f"{row.name}: nothing was read"
            spent = time.monotonic() - asked
            person.says("/whoami")  # the gateway answers, behind all that was to be said
            (next_read,) = await person.hears(1)
            if read not in allowed:
                return f"{row.name}: {read!r} after {spent:.1f} s"
            return "" if f"p{number}" in next_read else f"{row.name}: {next_read!r} follows"

    def open_runs(self) -> int:
        """Return how many runs the journal holds that have not ended."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.state}/journal.db?mode=ro", uri=True)
        ) as db:
            return int(db.execute("SELECT count(*) FROM run WHERE open = 1").fetchone()[0])


@asynccontextmanager
async def answered(person: Person) -> AsyncIterator[list[float]]:
    """Have a good agent answer somebody, one line after the other; yield the seconds of each."""
    seconds: list[float] = []
    enough = asyncio.Event()

    async def talk() -> None:
        while not enough.is_set():
            begun = time.monotonic()
            await person.is_answered(f"line {len(seconds)}")
            seconds.append(time.monotonic() - begun)

    async with asyncio.TaskGroup() as group:
        group.create_task(talk())
        try:
            yield seconds
        finally:
            enough.set()


async def play(directory: Path, rows: list[Row]) -> None:
    """Have the agents of the rows asked, while a good one answers in two accounts."""
    async with fake_model() as fake:
        bench = Bench(directory, rows, fake.base)
        async with bench.daemon as daemon:
            await bench.ready()
            gateway = (await daemon.status())["gateway"]["pid"]
            async with (
                talking(daemon, "one") as same,
                talking(daemon, "two") as other,
                answered(same) as first,
                answered(other) as second,
            ):
                for start in range(0, len(rows), AT_ONCE):
                    some = range(len(rows))[start : start + AT_ONCE]
                    wrong = await asyncio.gather(*map(bench.check, some))
                    assert "\n".join(filter(None, wrong)) == ""
                assert min(len(first), len(second)) > 0
                assert max(first + second) < LATER
            client = await daemon.client()
            status = await client.call("status")
            await client.close()
            assert (status["runs"]["waiting"], status["runs"]["running"]) == (0, 0), status["runs"]
            assert bench.open_runs() == 0
            after = await daemon.status()
            assert (after["gateway"]["pid"], after["gateway"]["outages"]) == (gateway, 0)
            assert [row["restarts"] for row in after["accounts"].values()] == [0, 0]


async def test_some_faulty_agents_affect_only_their_own_turns(tmp_path: Path) -> None:
    await play(tmp_path, QUICK)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_every_faulty_agent_affects_only_its_own_turns(tmp_path: Path) -> None:
    await play(tmp_path, QUICK + REST)
