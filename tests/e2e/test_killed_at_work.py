"""kill -9 in the middle of what takes the journal long: nothing is lost, nothing is sent twice.

The process is stopped at one of its system calls and killed there (``stopped_calls``); the next one
must go on, and carry out or repeat what was cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from ipc.errors import IpcError
from runtime.gateway.journal import copies, schema
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.interface import COPIES, FILE
from runtime.gateway.journal.outgoing import GivenUp, Queued
from tests.support.daemon import CLI, ECHO, Daemon
from tests.support.journals import arrived, outgoing
from tests.support.stopped_calls import StopAt, Stopping, stopping, tracing_command
from tests.support.until import until
from workers.testing.fakes.telegram import FakeTelegram, fake_telegram

pytestmark = pytest.mark.e2e

FILES = Path(__file__).parents[1] / "runtime" / "gateway" / "journal" / "files"
KEY, TOKEN = "telegram:bot1", "1:AAtoken-of-a-fake-bot"
BULK = "irc:gone"  # an account that is not configured any more
SECRET = "what-ada-had-to-say"
GATEWAY, SUPERVISOR = "gateway", "supervisor"
HOURS = 3_600_000
# Many rows like the first one of a table, each numbered by ``c.i``.
NUMBERS = "WITH RECURSIVE c(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM c WHERE i < {count})"
MORE_PACKS = f"""
INSERT INTO pack(account, incarnation, first, last, at, body)
{NUMBERS} SELECT account, incarnation, c.i, c.i, at, body FROM pack, c WHERE pos = 1
"""
SETTLED = """
UPDATE account SET place = json_set(place, '$.seq', ?, '$.settled', json_array(1, ?)) WHERE key = ?
"""
MORE_ANSWERS = f"""
INSERT INTO answer(account, key, at, message)
{NUMBERS} SELECT account, key || c.i, at, CAST(json_set(CAST(message AS TEXT), '$.text',
  printf('%.1000c', 'x')) AS BLOB) FROM answer, c WHERE n = 1
"""


class Rig:
    """A bot of Telegram under the real daemon, whose journal was made before."""

    def __init__(self, place: Path, fake: FakeTelegram) -> None:
        self.place, self.fake, self.bot = place, fake, fake.bot(TOKEN)
        self.state = place / "state"
        self.state.mkdir(mode=0o700)
        self.journal = self.state / FILE
        self.daemon = Daemon(place, {})
        self.result: asyncio.Task[tuple[int, str, str]] | None = None  # of the command under way

    def write(self, *, on: bool = True, days: float = 30) -> None:
        """Write the configuration, with or without a journal."""
        account = {"botToken": TOKEN, "journal": "on" if on else "off"}
        section = {"apiRoot": self.fake.root, "accounts": {"bot1": account}}
        agents = ECHO if on else {}
        self.daemon.write(
            {**agents, "channels": {"telegram": section}, "journal": {"keep": {"days": days}}}
        )

    async def reload(self, **config: Any) -> None:
        self.write(**config)
        await self.daemon.call("config.reload")

    async def command(self, *words: str) -> None:
        """Begin a command beside the test."""
        self.result = asyncio.create_task(self.daemon.command(*words))

    async def runs(self) -> int:
        """Wait until everything runs; return the gateway's pid."""

        def running(status: dict[str, Any]) -> bool:
            phase = status["accounts"].get(KEY, {}).get("phase")
            return bool(status["gateway"]["connected"]) and phase == "running"

        status = await self.daemon.wait(running)
        return int(status["gateway"]["pid"])

    async def kill(self, process: str, gateway: int) -> None:
        """Kill a process, and wait until the next one runs."""
        if process == GATEWAY:
            os.kill(gateway, signal.SIGKILL)
            await self.daemon.wait(lambda now: now["gateway"]["pid"] != gateway)
        else:
            self.daemon.kill()
            await self.daemon.start()
        await self.runs()

    async def is_answered(self, text: str) -> None:
        """Say something and wait for its one answer."""
        await self.fake.say(TOKEN, text)
        await self.fake.until(lambda: f"echo: {text}" in self.bot.texts, 60)
        assert self.bot.texts.count(f"echo: {text}") == 1

    def ask(self, query: str, *values: object) -> Any:
        """Return the first column of the first row of a query to the journal."""
        with closing(sqlite3.connect(self.journal)) as journal:
            return journal.execute(query, values).fetchone()[0]


class Work(NamedTuple):
    """What is under way: ``begin`` starts it in a daemon over the journal that ``fill`` has made.

    ``opens``: the journal is opened by that, and not before. ``check`` looks at what has become of
    it, ``killed`` and ``at`` say where it was cut off.
    """

    fill: Callable[[Rig], None]
    begin: Callable[[Rig], Coroutine[Any, Any, None]]
    check: Callable[[Rig, str, StopAt], Coroutine[Any, Any, None]]
    moments: list[StopAt]
    opens: bool = False


def fill_bulk(rig: Rig, count: int, hours: float, key: str = BULK, **message: Any) -> None:
    """Store many messages of an account that were received, and answered, so long ago."""
    at = int(time.time() * 1000 - hours * HOURS)
    with closing(Database(rig.journal)) as database:
        record = arrived(1, "m1", key=key, at=at)
        if message:
            event = json.loads(record.payloads[0])
            event["message"] |= message
            payload = json.dumps(event, separators=(",", ":")).encode()
            record = replace(record, payloads=[payload])
        database.store([record])
        database.connection.execute(MORE_PACKS.format(count=count))
        database.connection.execute(SETTLED, (count, count, key))


def fill_old_version(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.journal)) as journal:
        journal.executescript((FILES / "version-1.sql").read_text())
        journal.execute(MORE_ANSWERS.format(count=ANSWERS))
        journal.commit()
        journal.execute("PRAGMA journal_mode=WAL").fetchall()


ANSWERS, MESSAGES = 30_000, 5_000


async def open_journal(rig: Rig) -> None:
    await rig.reload(on=True)


async def check_migrated(rig: Rig, killed: str, at: StopAt) -> None:
    assert rig.ask("PRAGMA user_version") == schema.VERSION
    assert rig.ask("SELECT count(*) FROM outgoing WHERE account = 1") == ANSWERS
    assert rig.ask("SELECT count(*) FROM sqlite_master WHERE name = 'answer'") == 0


def fill_damaged(rig: Rig) -> None:
    fill_bulk(rig, MESSAGES, 1)
    with closing(sqlite3.connect(rig.journal)) as journal:
        journal.execute("INSERT INTO account VALUES(9, 'irc:none', 'none', x'')")
        journal.commit()


async def check_repaired(rig: Rig, killed: str, at: StopAt) -> None:
    assert rig.ask("SELECT count(*) FROM pack WHERE incarnation = 1") == MESSAGES
    assert rig.ask("SELECT count(*) FROM account WHERE key = ?", BULK) == 1
    left = [each.name for each in rig.state.glob(f"{FILE}.*")]
    assert left, "the damaged one is kept"
    assert all(".damaged-" in each for each in left), left


async def shorten(rig: Rig) -> None:
    await rig.reload(days=1)


OLD = "SELECT count(*) FROM pack WHERE incarnation = 1"


async def check_deleted(rig: Rig, killed: str, at: StopAt) -> None:
    await until(lambda: rig.ask(OLD) == 0, 60)
    assert json.loads(rig.ask("SELECT place FROM account WHERE key = ?", BULK))["floor"] == [
        1,
        3000,
    ]
    assert rig.ask("SELECT count(*) FROM seen WHERE id = 'm1'") == 1  # known for a week


def fill_letter(rig: Rig) -> None:
    with closing(Database(rig.journal)) as database:
        made = outgoing("k1", "7", "a late word")
        given_up = GivenUp(KEY, "k1", "unknown", "unknown", "it broke", letter=True)
        database.store([Queued(KEY, made), given_up])


async def retry(rig: Rig) -> None:
    await rig.command("deadletters", "retry", "id-k1")


async def check_retried(rig: Rig, killed: str, at: StopAt) -> None:
    async with rig.daemon.reconnecting() as client:

        async def letters() -> list[dict[str, Any]]:
            return list((await client.call("deadletters.list"))["letters"])

        async def is_over() -> bool:
            return bool(await letters()) or "a late word" in rig.bot.texts

        async with asyncio.timeout(60):
            while not await is_over():  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.05)
        left = await letters()
        if left and left[0]["attempts"] and killed == SUPERVISOR:
            return  # its worker has died with it: in doubt, and named
        if left:  # it was killed before that was stored
            assert (await rig.daemon.command("deadletters", "retry", "id-k1"))[0] == 0
        await rig.fake.until(lambda: "a late word" in rig.bot.texts, 60)
        await rig.is_answered("and then")
        assert rig.bot.texts.count("a late word") == 1
        assert await letters() == []


def fill_person(rig: Rig) -> None:
    chat = {"id": "ada", "kind": "direct"}
    fill_bulk(rig, MESSAGES, 2, KEY, text=SECRET + "x" * 900, sender={"id": "ada"}, chat=chat)


async def forget(rig: Rig) -> None:
    await rig.command("messages", "forget", "--sender", "ada")


async def check_forgotten(rig: Rig, killed: str, at: StopAt) -> None:
    left = rig.ask("SELECT count(*) FROM pack WHERE instr(body, ?)", SECRET.encode())
    assert left in (0, MESSAGES)
    code, out, err = await rig.daemon.command("messages", "forget", "--sender", "ada", "--json")
    assert (code, json.loads(out)["messages"], json.loads(out)["cleaned"]) == (0, left, True), err
    for each in rig.state.glob(f"{FILE}*"):
        assert SECRET.encode() not in each.read_bytes(), each


def moments(call: str, *numbers: int) -> list[StopAt]:
    return [StopAt(call, number) for number in numbers]


WORKS = {
    "a migration": Work(
        fill_old_version,
        open_journal,
        check_migrated,
        [*moments("pwrite64", 1, 200, 5000), *moments("fdatasync", 1)],
        opens=True,
    ),
    "a repair": Work(
        fill_damaged,
        open_journal,
        check_repaired,
        [*moments("pwrite64", 40, 600), *moments("rename", 1, 2, 3), *moments("fdatasync", 1)],
        opens=True,
    ),
    "retention": Work(
        lambda rig: fill_bulk(rig, 3000, 48),
        shorten,
        check_deleted,
        [*moments("pwrite64", 1, 30, 300), *moments("fdatasync", 1, 2)],
    ),
    "a retry": Work(
        fill_letter,
        retry,
        check_retried,
        [*moments("pwrite64", 1), *moments("fdatasync", 1, 2, 3)],
    ),
    "an erasure": Work(
        fill_person,
        forget,
        check_forgotten,
        [*moments("pwrite64", 1, 1500, 4000), *moments("fdatasync", 1, 2)],
    ),
}
CELLS = [
    pytest.param(
        name, at, killed, id=f"{name}, {at}, {killed}", marks=() if few else pytest.mark.slow
    )
    for name, work in WORKS.items()
    for number, at in enumerate(work.moments)
    for killed in (GATEWAY, SUPERVISOR)
    for few in [number == 1 and killed == GATEWAY]
]


@pytest.mark.parametrize(("name", "at", "killed"), CELLS)
async def test_a_kill_in_the_middle_of(name: str, at: StopAt, killed: str, tmp_path: Path) -> None:
    work = WORKS[name]
    async with fake_telegram() as fake:
        rig = Rig(tmp_path, fake)
        work.fill(rig)
        rig.write(on=not work.opens)
        async with rig.daemon:
            gateway = await rig.runs()
            async with stopping(gateway, at, tmp_path) as process:
                beginning = asyncio.create_task(work.begin(rig))
                await process.stopped()
                await rig.fake.say(TOKEN, "meanwhile")
                await rig.kill(killed, gateway)
            with contextlib.suppress(IpcError, OSError):  # whom it asked is gone
                await beginning
            if rig.result is not None:
                await rig.result
            await rig.fake.until(lambda: "echo: meanwhile" in rig.bot.texts, 60)
            await work.check(rig, killed, at)
            await rig.is_answered("later")
            assert rig.bot.texts.count("echo: meanwhile") == 1
            assert rig.daemon.end() == 0
        assert rig.ask("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize(
    ("at", "killed"),
    [
        (StopAt("pwrite64", 300), GATEWAY),
        pytest.param(StopAt("pwrite64", 300), SUPERVISOR, marks=pytest.mark.slow),
        pytest.param(StopAt("pwrite64", 300), "backup", marks=pytest.mark.slow),
        pytest.param(StopAt("rename", 1), "backup", marks=pytest.mark.slow),
    ],
    ids=str,
)
async def test_a_kill_during_a_backup(at: StopAt, killed: str, tmp_path: Path) -> None:
    async with fake_telegram() as fake:
        rig = Rig(tmp_path, fake)
        fill_bulk(rig, MESSAGES, 1)
        rig.write()
        trace = tmp_path / "trace"
        async with rig.daemon:
            gateway = await rig.runs()
            await rig.is_answered("before")
            command = [*tracing_command(at, trace), *CLI, "backup"]
            backup = await asyncio.to_thread(subprocess.Popen, command, env=rig.daemon.env)
            process = Stopping(backup, trace)
            await process.stopped()
            copying = int(trace.read_text().split(maxsplit=1)[0])
            if killed == "backup":
                os.kill(copying, signal.SIGKILL)
            else:
                await rig.kill(killed, gateway)
                await rig.is_answered("meanwhile")
                os.kill(copying, signal.SIGCONT)
            assert (await asyncio.to_thread(backup.wait, 60) == 0) is (killed != "backup")
            for each in (rig.state / COPIES).glob("*.unfinished*"):
                assert killed == "backup"
                os.utime(each, (1, 1))  # some hours later
            assert (await rig.daemon.command("backup"))[0] == 0
            assert not list((rig.state / COPIES).glob("*.unfinished*"))
            for made in copies.copies_in(rig.state / COPIES):
                copies.check(made)
                with closing(sqlite3.connect(made)) as copied:
                    assert copied.execute(OLD).fetchone() == (MESSAGES,)
            await rig.is_answered("later")
