"""The channel ``local`` in a real worker, spoken to through its real socket."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ipc.frames import control
from tests.support.until import PATIENCE
from tests.support.worker_rig import WorkerRig, worker_rig
from workers.channels.local import manifest
from workers.channels.local.plugin import END, MARK_ENDS

LOCAL = "workers.channels.local:manifest"


class Person:
    """Somebody at the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def type(self, line: str) -> None:
        self.writer.write(line.encode() + b"\n")

    async def reads(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return (await self.reader.readline()).decode().rstrip("\n")

    async def name(self) -> str:
        """Return the name that the account gave; the ends of messages are marked from now on."""
        self.type(MARK_ENDS)
        return (await self.reads()).removesuffix(END)

    def leave(self) -> None:
        self.writer.close()


@asynccontextmanager
async def account(run_dir: Path, **config: Any) -> AsyncIterator[WorkerRig]:
    async with worker_rig(run_dir) as rig:
        rig.start(LOCAL, key="local:demo", config=config)
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        yield rig


@asynccontextmanager
async def person(run_dir: Path) -> AsyncIterator[Person]:
    someone = Person(*await asyncio.open_unix_connection(run_dir / "local-demo.sock"))
    try:
        yield someone
    finally:
        someone.leave()
        await someone.writer.wait_closed()


async def heard(rig: WorkerRig, count: int) -> list[dict[str, Any]]:
    await rig.gateway.heard(count)
    return [json.loads(each.payload)["message"] for each in rig.gateway.accepted]


async def send(rig: WorkerRig, to: str, text: str, key: str, **more: Any) -> Any:
    return await rig.gateway.result("send", {"to": to, "text": text, "key": key, **more})


async def test_an_account_that_is_ready_is_connected(run_dir: Path) -> None:
    """Else its row would call it degraded for a moment at every start."""
    async with account(run_dir) as rig:
        kinds = [type(frame) for frame in rig.supervisor.frames]
        assert control.StatusPatch in kinds[: kinds.index(control.WorkerReady)]
        assert rig.supervisor.of(control.StatusPatch)[0].patch["connected"] is True


async def test_a_line_is_a_direct_message_to_the_account(run_dir: Path) -> None:
    async with account(run_dir) as rig, person(run_dir) as ann:
        ann.type("hello")
        ann.type("")
        ann.type("/me waves")
        first, second = await heard(rig, 2)
        assert first["text"] == "hello"
        assert first["chat"] == {"id": await ann.name(), "kind": "direct"}
        assert first["addressed"] is True
        assert (second["text"], second["action"]) == ("waves", True)
        assert first["id"] != second["id"]


async def test_the_account_answers_to_one_person(run_dir: Path) -> None:
    async with account(run_dir) as rig, person(run_dir) as ann, person(run_dir) as bob:
        for_ann, for_bob = await named(rig, ann), await named(rig, bob)
        await send(rig, for_bob, "for bob", "k1")
        await send(rig, "*", "for everybody", "k2")
        await send(rig, for_ann, "waves", "k3", action=True)
        assert await bob.reads() == "for bob"
        assert await bob.reads() == "for everybody"
        assert await ann.reads() == "for everybody"
        assert await ann.reads() == "* waves"


async def named(rig: WorkerRig, someone: Person) -> str:
    """Return the name that the account gave to a person, after whose first words."""
    before = len(await heard(rig, 0))
    someone.type("hi")
    return str((await heard(rig, before + 1))[-1]["sender"]["id"])


async def test_no_name_is_given_twice(run_dir: Path) -> None:
    """Else a new person would continue the conversation of another one after a restart."""
    names: list[str] = []
    for _ in range(2):
        async with account(run_dir), person(run_dir) as ann, person(run_dir) as bob:
            names += [await ann.name(), await bob.name()]
    assert len(set(names)) == 4, names
    assert all(re.fullmatch(r"person-[0-9a-f]{10}", name) for name in names), names


async def test_a_person_may_choose_a_name(run_dir: Path) -> None:
    async with account(run_dir) as rig, person(run_dir) as ann, person(run_dir) as bob:
        ann.type("/nick ann")
        assert await ann.reads() == "you are ann"
        bob.type("/nick ann")
        assert await bob.reads() == "ann cannot be your name"
        bob.type("/nick *")
        assert await bob.reads() == "* cannot be your name"
        ann.type("hi")
        assert (await heard(rig, 1))[0]["sender"] == {"id": "ann", "name": "ann"}
        await send(rig, "ann", "hi ann", "k")
        assert await ann.reads() == "hi ann"


async def test_the_ends_of_messages_are_marked_on_request(run_dir: Path) -> None:
    async with account(run_dir, greeting="welcome\nall") as rig, person(run_dir) as ann:
        ann.type(MARK_ENDS)
        assert [await ann.reads() for _ in range(2)] == ["welcome", "all"]
        assert re.fullmatch(rf"person-\w+{END}", await ann.reads())
        ann.type("/nick ann")
        assert await ann.reads() == f"you are ann{END}"
        await send(rig, "ann", f"two\nli{END}nes", "k1")
        assert [await ann.reads() for _ in range(2)] == ["two", f"lines{END}"]
        async with person(run_dir) as bob:
            bob.type("/nick bob")
            assert [await bob.reads() for _ in range(3)] == ["welcome", "all", "you are bob"]
        assert not [each for each in await heard(rig, 0) if "to" not in each]


async def test_sending_to_an_absent_person_fails(run_dir: Path) -> None:
    async with account(run_dir) as rig:
        error = await rig.gateway.error("send", {"to": "ann", "text": "?", "key": "k"})
        assert error["message"] == "ann is not connected"


async def test_a_person_is_greeted_and_listed(run_dir: Path) -> None:
    async with account(run_dir, greeting="Hello!") as rig:
        async with person(run_dir) as ann:
            assert await ann.reads() == "Hello!"
            people = [await ann.name()]
            assert await rig.gateway.result("probe", {}) == {"ok": True, "people": people}
            # over another link than the answers, so it may arrive later
            await rig.supervisor.until(lambda: rig.supervisor.status()["detail"] == "1 connected")
        await rig.supervisor.until(lambda: rig.supervisor.status()["detail"] == "0 connected")


async def test_a_last_line_without_its_end_counts(run_dir: Path) -> None:
    async with account(run_dir) as rig, person(run_dir) as ann:
        ann.writer.write(b"no newline")
        ann.writer.write_eof()
        assert (await heard(rig, 1))[0]["text"] == "no newline"


async def test_bytes_that_are_no_text_are_replaced(run_dir: Path) -> None:
    async with account(run_dir) as rig, person(run_dir) as ann:
        ann.writer.write(b"\xff\x00ok\n")
        assert (await heard(rig, 1))[0]["text"] == "\ufffd\ufffdok"


async def test_a_line_without_end_is_hung_up_on(run_dir: Path) -> None:
    async with account(run_dir), person(run_dir) as ann:
        ann.writer.write(b"x" * 100_000)
        assert await ann.reads() == "that line is too long"
        assert await ann.reads() == ""


async def test_a_person_who_does_not_read_is_disconnected(run_dir: Path) -> None:
    async with account(run_dir) as rig, person(run_dir) as ann:
        to = await named(rig, ann)
        deaf = "x" * 200_000
        errors = 0
        for number in range(20):
            params = {"to": to, "text": deaf, "key": f"k{number}"}
            answer = await rig.gateway.call("send", params)
            errors += not answer.ok
        assert errors, "somebody who reads nothing was waited for without end"


async def test_the_socket_is_private_and_goes_away(run_dir: Path) -> None:
    async with account(run_dir) as rig:
        path = run_dir / "local-demo.sock"
        assert path.stat().st_mode & 0o777 == 0o600
        async with person(run_dir) as ann:
            ann.type("hi")
            await heard(rig, 1)
            assert await rig.stop() == 0
            assert await ann.reads() == ""
        assert not path.exists()


async def test_what_a_killed_one_left_is_replaced(run_dir: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(run_dir / "local-demo.sock"))
    left.close()
    async with account(run_dir) as rig, person(run_dir) as ann:
        ann.type("hi")
        await heard(rig, 1)


async def test_a_file_in_the_way_is_not_removed(run_dir: Path) -> None:
    (run_dir / "local-demo.sock").write_text("precious")
    async with worker_rig(run_dir) as rig:
        rig.start(LOCAL, key="local:demo")
        assert await rig.code() == 75
        assert rig.said[0][1].endswith("local-demo.sock: Address already in use")


async def test_a_path_too_long_for_a_socket_says_what_to_do(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        deep = run_dir / ("d" * 60)
        rig.start(LOCAL, key=f"local:{'a' * 60}", run_dir=str(deep))
        assert await rig.code() == 78
        assert "shorter account id" in rig.said[0][1]


@pytest.mark.parametrize("config", [{"rate": -2}, {"payloadBytes": 0}, {"speed": 3}])
async def test_wrong_configuration_is_refused(run_dir: Path, config: dict[str, Any]) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(LOCAL, key="local:demo", config=config)
        assert await rig.code() == 78


def test_the_manifest_describes_an_account() -> None:
    assert manifest.describe({}) == "unix socket"
    assert manifest.describe({"rate": -1}) == "load source, as fast as it may"
    assert manifest.describe({"rate": 50}) == "load source, 50 messages/s"
    assert manifest.unconfigured({}) is None


async def test_attachments_are_printed_below_the_text(run_dir: Path) -> None:
    async with account(run_dir) as rig, person(run_dir) as al:
        al.type("hi")
        (message,) = await heard(rig, 1)
        files = [{"url": "http://a/1", "name": "one"}, {"url": "http://a/2"}]
        sent = {"to": message["chat"]["id"], "text": "look", "key": "k", "attachments": files}
        await rig.gateway.call("send", sent)
        assert [await al.reads() for _ in range(3)] == [
            "look",
            "[one] http://a/1",
            "[file] http://a/2",
        ]


@pytest.mark.parametrize(
    ("action", "printed"),
    [
        ({"name": "edit", "text": "better"}, "(edited 7) better"),
        ({"name": "delete"}, "(deleted 7)"),
        ({"name": "react", "emoji": "+1"}, "(reacted +1 to 7)"),
        ({"name": "react", "emoji": "+1", "remove": True}, "(took back +1 to 7)"),
    ],
)
async def test_what_is_done_to_a_message_is_printed_once(
    run_dir: Path, action: dict[str, Any], printed: str
) -> None:
    async with account(run_dir) as rig, person(run_dir) as al:
        al.type("hi")
        (message,) = await heard(rig, 1)
        asked = {"chat": message["chat"]["id"], "message": "7", "key": "k", **action}
        for _ in range(2):
            assert await rig.gateway.result("action", asked) == {"messageId": "7"}
        await rig.gateway.call("send", {"to": asked["chat"], "text": "end", "key": "k"})
        assert [await al.reads(), await al.reads()] == [printed, "end"]
