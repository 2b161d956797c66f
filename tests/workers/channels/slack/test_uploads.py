from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.channels.slack.running_app import RunningApp, message, running
from workers.channels.slack.objects import SlackFile
from workers.channels.slack.uploads import SlackUploads
from workers.errors import MaybeSent, SendFailed
from workers.messages import Attachment
from workers.testing.fakes.slack_apps import MethodFault


def uploads_of(app: RunningApp, paused: list[float]) -> SlackUploads:
    api = app.plugin._api  # the client with its tokens
    assert api is not None

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    return SlackUploads(app.ctx.http, api, app.ctx.media, sleep=sleep)


async def stored(app: RunningApp, content: bytes, name: str) -> Attachment:
    return await app.ctx.media.save(content, name=name)


async def test_the_content_goes_without_the_token_and_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        content = bytes(range(256)) * 4096  # more than is read at once
        files = [await stored(app, content, "große.bin"), await stored(app, b"1", 'a "b".txt')]
        made = await uploads_of(app, []).upload(files)
        assert [each["title"] for each in made] == ["große.bin", 'a "b".txt']
        kept = [app.fake.files.files[each["id"]] for each in made]
        assert [each.content for each in kept] == [content, b"1"]
        assert app.app.sent == [], "nothing is seen before it is completed"


async def test_the_message_of_a_file_is_looked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        paused: list[float] = []
        file = app.fake.files.files[app.fake.files.add(b"1", "a.txt")["id"]]
        uploads = uploads_of(app, paused)
        assert await uploads.message_of(SlackFile(file.id), "C1") is None
        assert paused == [0.0, 0.5, 1.0]
        file.shares["C1"] = [{"ts": "5.000001"}, {"ts": "6.000001"}]
        file.hidden = 1
        paused.clear()
        assert await uploads.message_of(SlackFile(file.id), "C1") == "6.000001"
        assert paused == [0.0, 0.5]
        app.app.faults.append(MethodFault("files.info", "missing_scope", needed="files:read"))
        assert await uploads.message_of(SlackFile(file.id), "C1") is None


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        (MethodFault("files.getUploadURLExternal", drop="after"), SendFailed, "unavailable"),
        (MethodFault("files.getUploadURLExternal", "fatal_error"), SendFailed, "unavailable"),
        (
            MethodFault("files.getUploadURLExternal", "missing_scope", needed="files:write"),
            SendFailed,
            "forbidden",
        ),
        (MethodFault("files.completeUploadExternal", drop="after"), MaybeSent, None),
        (MethodFault("files.completeUploadExternal", "not_in_channel"), SendFailed, "forbidden"),
    ],
)
async def test_what_was_not_sent_is_told_apart_from_what_may_have_been(
    tmp_path: Path, fault: MethodFault, kind: type[SendFailed], reason: str | None
) -> None:
    async with running(tmp_path) as app:
        file = await stored(app, b"1", "a.txt")
        app.app.faults.append(fault)
        with pytest.raises(SendFailed) as found:
            await app.plugin.send(message("x", "C1", attachments=[file]))
        assert type(found.value) is kind
        assert found.value.reason == reason
        assert len(app.app.sent) == (kind is MaybeSent)
        assert app.fake.root not in str(found.value)


async def test_content_that_is_not_taken_fails_the_message(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        file = await stored(app, b"12345", "a.txt")
        app.fake.files.broken_uploads = 1
        with pytest.raises(SendFailed, match="HTTP 503") as found:
            await app.plugin.send(message("x", "C1", attachments=[file]))
        assert (found.value.reason, app.app.sent) == ("unavailable", [])
        await app.plugin.send(message("x", "C1", attachments=[file]))
        assert len(app.app.sent) == 1
