"""``messages.forget`` over real sockets and a real file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.media import account_directory
from runtime.gateway.journal.people import Person
from tests.support.gateway_rig import gateway_rig, row
from tests.support.messages import KEY, acked

ON: dict[str, Any] = {"journal": "on", "wanted": True}
SEND = {"to": "person-1", "message": "for later", "channel": "irc", "queue": True}


async def test_everything_of_a_person_goes_and_the_answer_is_in_numbers(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, **ON), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, **ON)
        place = account_directory(tmp_path, KEY)
        place.mkdir(parents=True)
        (place / ("a" * 32)).write_text("a picture")
        (place / ("a" * 32 + ".json")).write_text("{}")
        worker.say(1, attachments=[{"url": "media:" + "a" * 32}])
        worker.say(2, sender={"id": "person-2"}, chat={"id": "person-2", "kind": "direct"})
        await acked(worker, 2)
        rig.parts.gatekeeper.append_person(KEY, Person("person-1", "allowed", name="Ada"))
        await rig.report(row(KEY, "backoff", **ON))
        client = await rig.client()
        await client.call("send", SEND | {"idempotencyKey": "k"})
        (tmp_path / "backup").mkdir()
        (tmp_path / "backup" / "journal-20260101T000000Z.db").touch()
        answer = await client.call("messages.forget", {"sender": "person-1"})
        assert answer == {
            "messages": 1,
            "sends": 1,
            "runs": 0,
            "entries": 0,
            "sessions": 0,
            "givenUp": 1,
            "underWay": 0,
            "files": 1,
            "people": 1,
            "cleaned": True,
            "copies": 1,
        }
        assert list(place.iterdir()) == []
        assert rig.parts.outbox.depth == 0
        assert await rig.parts.gatekeeper.people_of(KEY) == {}
        assert b"for later" not in (tmp_path / "journal.db").read_bytes()
        again = await client.call("messages.forget", {"sender": "person-1", "account": KEY})
        assert (again["messages"], again["sends"], again["files"], again["people"]) == (0, 0, 0, 0)
        with pytest.raises(RemoteError, match="irc:nobody is not known"):
            await client.call("messages.forget", {"sender": "x", "account": "irc:nobody"})


async def test_without_a_journal_there_is_nothing_to_erase() -> None:
    async with gateway_rig(row(KEY)) as rig:
        client = await rig.client()
        with pytest.raises(RemoteError, match="no account has a journal"):
            await client.call("messages.forget", {"sender": "x"})
