"""``chat``: a person, a unix socket, an account that answers."""

from __future__ import annotations

import asyncio
import json
import os
import pty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.actions.chat import answers_to
from ops.exits import ExitCode
from tests.support.commandline import PROGRAM, ended, environment, started, trunkline
from tests.support.fakeserver import HELD, FakeServer, account, fake_supervisor, status
from tests.support.until import PATIENCE
from workers.channels.local.plugin import END, MARK_ENDS


class FakeAccount:
    """Echoes each line, or says nothing at all; ``lines`` is what it heard."""

    def __init__(self, answers: str | None = "echo: {}", greeting: str = "") -> None:
        self.answers = answers
        self.greeting = greeting
        self.lines: list[str] = []
        self.writer: asyncio.StreamWriter | None = None
        self.met = asyncio.Event()
        self.heard = asyncio.Condition()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        writer.write(self.greeting.encode())
        assert await reader.readline() == f"{MARK_ENDS}\n".encode()
        writer.write(f"person-1{END}\n".encode())
        self.met.set()
        while line := await reader.readline():
            async with self.heard:
                self.lines.append(line.decode().rstrip("\n"))
                self.heard.notify_all()
            if self.answers is not None:
                writer.write(f"{self.answers.format(self.lines[-1])}{END}\n".encode())
        writer.close()


@asynccontextmanager
async def demo(
    state: Path, person: FakeAccount, **status: Any
) -> AsyncIterator[tuple[FakeServer, asyncio.Server]]:
    row = account("local:demo", **status)
    told = {"status": row, "why": "stopped by an operator", "next": "nothing"}
    server = await asyncio.start_unix_server(person.talk, str(state / "local-demo.sock"))
    async with server, fake_supervisor(state, channels__describe=told) as fake:
        yield fake, server
        if person.writer is not None:
            person.writer.close()


async def test_scripts_get_an_object_for_each_answer(state: Path) -> None:
    async with demo(state, FakeAccount()):
        result = await trunkline(state, "chat", "local:demo", "-m", "hello", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json == {"account": "local:demo", "text": "echo: hello"}


async def test_chat_sends_one_message_and_prints_the_answer(state: Path) -> None:
    person = FakeAccount("echo: {}\x1b[2J")
    async with demo(state, person):
        result = await trunkline(state, "chat", "local:demo", "-m", "hello", "--nick", "ann")
    assert (result.code, result.err) == (0, "")
    assert result.out == "echo: /nick ann\\x1b[2J\necho: hello\\x1b[2J\n"
    assert person.lines == ["/nick ann", "hello"]


async def test_piped_lines_are_all_answered_before_the_end(state: Path) -> None:
    async with demo(state, FakeAccount()):
        result = await trunkline(state, "chat", "local:demo", typed=b"one\n\ntwo\nthree")
    assert (result.code, result.out) == (0, "echo: one\necho: two\necho: three\n")


async def test_what_a_new_session_begins_with_is_answered_after_its_confirmation(
    state: Path,
) -> None:
    person, command = FakeAccount("begun"), ("chat", "local:demo", "-m", "/new hello")
    async with demo(state, person), started(state, *command) as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await process.stdout.readline() == b"begun\n"
            assert person.writer is not None
            person.writer.write(f"hello yourself{END}\n".encode())
            assert await process.stdout.readline() == b"hello yourself\n"


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("hello", 1),
        ("/new", 1),
        ("/new hello", 2),
        ("/RESET hello", 2),
        ("/queue collect", 1),
        ("/path/new x", 1),
    ],
)
def test_a_new_session_may_be_answered_twice(line: str, answers: int) -> None:
    assert answers_to(line) == answers


async def test_an_answer_of_several_lines_is_one(state: Path) -> None:
    person = FakeAccount("you said\n{}\n", greeting="hello\nthere\n")
    async with demo(state, person):
        result = await trunkline(state, "chat", "local:demo", typed=b"one\ntwo\n")
        shown = "hello\nthere\nyou said\none\n\nyou said\ntwo\n\n"
        assert (result.code, result.out) == (0, shown)
        result = await trunkline(state, "chat", "local:demo", "--message", "x", "--json")
    texts = [json.loads(line)["text"] for line in result.out.splitlines()]
    assert texts == ["hello", "there", "you said\nx\n"]


async def test_no_answer_is_a_timeout(state: Path) -> None:
    async with demo(state, FakeAccount(answers=None)):
        result = await trunkline(state, "chat", "local:demo", "-m", "hello", "--timeout", "0.2")
    result.complains(ExitCode.TIMEOUT, "no answer from local:demo")


async def test_no_answer_for_a_full_disk_names_the_disk(state: Path) -> None:
    full = status(account("irc:a", health="degraded: journal full"))
    async with demo(state, FakeAccount(answers=None)) as (fake, _):
        fake.methods["supervisor.status"] = msgspec.to_builtins(full)
        result = await trunkline(state, "chat", "local:demo", "-m", "hello", "--timeout", "0.2")
    result.complains(ExitCode.TIMEOUT, f"(journal full): make room for {state}")


async def test_an_account_that_does_not_run_says_why_and_what_to_do(state: Path) -> None:
    async with demo(state, FakeAccount(), **HELD):
        result = await trunkline(state, "chat", "local:demo", "-m", "hello")
    result.complains(ExitCode.ERROR, "stopped by an operator")


async def test_an_account_of_another_channel_is_told_how_to_be_spoken_for(state: Path) -> None:
    told = {"status": account("irc:libera"), "why": "", "next": ""}
    async with fake_supervisor(state, channels__describe=told):
        result = await trunkline(state, "chat", "irc:libera", "-m", "hello")
    result.complains(ExitCode.ERROR, "message send --account irc:libera")


async def test_an_account_that_hangs_up_is_an_error_without_a_terminal(state: Path) -> None:
    person = FakeAccount(answers=None)
    async with demo(state, person), started(state, "chat", "local:demo") as process:
        async with asyncio.timeout(20):
            await person.met.wait()
        assert person.writer is not None
        person.writer.close()
        assert process.stderr is not None
        async with asyncio.timeout(20):  # before its input ends, which would be an end as well
            complaint = await process.stderr.readline()
        result = await ended(process)
    assert (result.code, b"hung up" in complaint) == (ExitCode.ERROR, True)


async def test_at_a_terminal_a_restart_of_the_account_is_waited_for(state: Path) -> None:
    person = FakeAccount()
    master, slave = pty.openpty()
    async with demo(state, person) as (fake, _):
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "chat", "local:demo", stdin=slave, stdout=slave, env=environment(state)
        )
        try:
            await _speak(master, person, "first")
            assert person.writer is not None
            person.met.clear()
            person.writer.close()
            await fake.asked_for("supervisor.status")
            await fake.tell("channel.status", account("local:demo", incarnation=4))
            await _speak(master, person, "second")
            assert person.lines == ["first", "/nick person-1", "second"], "the same person"
            os.write(master, b"\x04")  # Ctrl-D
            async with asyncio.timeout(20):
                assert await process.wait() == 0
            shown = os.read(master, 65536).decode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(master)
            os.close(slave)
    assert "echo: first" in shown
    assert "hung up" in shown
    assert "echo: second" in shown


async def _speak(master: int, person: FakeAccount, text: str) -> None:
    async with asyncio.timeout(20):
        await person.met.wait()
        os.write(master, text.encode() + b"\n")
        async with person.heard:
            await person.heard.wait_for(lambda: text in person.lines)
