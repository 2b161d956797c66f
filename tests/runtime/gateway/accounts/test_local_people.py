"""People of the channel ``local`` who talk through the gateway, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ipc.errors import RemoteError
from runtime.gateway.accounts import local_people
from runtime.gateway.accounts.local_people import LocalPeople
from tests.support.until import until

KEY = "local:home"


class Site:
    """A socket as an account of ``local`` has it. ``taken`` are names that others have."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.left = 0
        self.taken = {"eve"}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Hello!\nType something\n")
        while line := (await reader.readline()).decode().rstrip("\n"):
            name = line.removeprefix("/nick ")
            if name in self.taken:
                writer.write(f"{name} cannot be your name\n".encode())
            elif name != line:
                writer.write(f"you are {name}\n".encode())
            else:
                self.heard.append(line)
        self.left += 1
        writer.close()


@asynccontextmanager
async def site(path: Path) -> AsyncIterator[Site]:
    found = Site()
    async with await asyncio.start_unix_server(found.serve, str(path)):
        yield found


async def test_one_connection_is_one_person_until_it_leaves(short_path: Path) -> None:
    people, path = LocalPeople(), short_path / "a.sock"
    async with site(path) as account:
        assert await people.send(KEY, path, "ada", ["one", "two"])
        assert not await people.send(KEY, path, "ada", ["three"])
        await until(lambda: account.heard == ["one", "two", "three"])
        people.close()
        await until(lambda: account.left == 1)
        assert await people.send(KEY, path, "ada", ["again"]), "she comes anew"
        people.close()
        await until(lambda: account.left == 2)


async def test_two_at_once_come_once(short_path: Path) -> None:
    people, path = LocalPeople(), short_path / "a.sock"
    async with site(path) as account:
        fresh = await asyncio.gather(*(people.send(KEY, path, "ada", [each]) for each in "ab"))
        assert sorted(fresh) == [False, True]
        await until(lambda: sorted(account.heard) == ["a", "b"])
        people.close()
        await until(lambda: account.left == 1)


async def test_a_name_that_is_taken_and_an_account_that_is_away(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, path = LocalPeople(), short_path / "a.sock"
    async with site(path) as account:
        with pytest.raises(RemoteError, match="another person has it"):
            await people.send(KEY, path, "eve", ["one"])
        account.taken.clear()
        assert await people.send(KEY, path, "eve", ["one"])
        monkeypatch.setattr(local_people, "MOST", 1)
        with pytest.raises(RemoteError, match="1 people talk here already"):
            await people.send(KEY, path, "ada", ["one"])
        people.close()
        await until(lambda: account.left == 2)
    with pytest.raises(RemoteError, match=r"local:home: .*No such file|refused") as caught:
        await people.send(KEY, short_path / "none.sock", "ada", ["one"])
    assert caught.value.retryable
