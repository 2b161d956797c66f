from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.workers.channels.slack.running_app import BOT_TOKEN, RunningApp, running
from workers.channels.slack import manifest
from workers.channels.slack.downloads import SlackDownloads, slack_address
from workers.channels.slack.objects import SlackFile
from workers.messages import Attachment


async def brought(app: RunningApp, *files: dict[str, Any]) -> list[Attachment]:
    """Let somebody send files; return what the message has of them."""
    await app.say("see", files=list(files), subtype="file_share")
    return (await app.ctx.message("see")).attachments


async def test_a_file_of_a_message_comes_as_it_is_stored(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        (attachment,) = await brought(app, app.fake.files.add(b"12345", "a.txt"))
        assert (attachment.name, attachment.size_bytes) == ("a.txt", 5)
        assert (attachment.mime_type, attachment.missing) == ("text/plain", None)
        async with app.ctx.media.open(attachment.url) as stored:
            assert await stored.read() == b"12345"
        heard = str(app.ctx.emitted)
        assert app.fake.root not in heard
        assert BOT_TOKEN not in heard


async def test_a_mention_with_a_file_fetches_it_once(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        file = app.fake.files.add(b"1", "a.txt")
        await app.say("<@UBOT1> see", "C1", files=[file], subtype="file_share")
        await app.fake.until(lambda: len(app.app.acknowledged) == 2)
        assert [len(each.attachments) for each in app.ctx.emitted] == [1]
        assert app.fake.files.given == 1


async def test_what_cannot_be_had_says_why_and_holds_nothing_back(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        files = app.fake.files
        locked = files.add(b"1", "a.png", "image/png", locked=True)
        elsewhere = {"url_private": "https://slack.com.example/x", "url_private_download": None}
        strange = files.add(b"1", "b.png", "image/png") | elsewhere
        unknown = {"id": "F999", "name": "c.png", "file_access": "check_file_info"}
        large = files.add(b"1", "d.bin") | {"size": manifest.media.max_down + 1}
        deleted = {"id": "F998", "mode": "tombstone"}
        found = await brought(app, locked, strange, unknown, large, deleted)
        assert [each.url for each in found] == [""] * 5
        scope, address, refused, size, gone = (str(each.missing) for each in found)
        assert "files:read" in scope
        assert "no address of its own" in address
        assert "file_not_found" in refused
        assert "more than 100000000 bytes" in size
        assert "no address of its own" in gone


async def test_a_file_of_another_workspace_is_looked_up(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        file = app.fake.files.add(b"123", "a.txt")
        (found,) = await brought(app, {"id": file["id"], "file_access": "check_file_info"})
        assert (found.name, found.size_bytes) == ("a.txt", 3)


async def test_a_file_that_the_store_refuses_is_reported(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        app.ctx.media.directory.quota = 3
        (found,) = await brought(app, app.fake.files.add(b"12345", "a.txt"))
        assert (found.url, found.name, found.size_bytes) == ("", "a.txt", 5)
        assert "at most 3 are taken" in str(found.missing)


async def test_it_is_tried_again_where_that_may_help(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        paused: list[float] = []

        async def heal(seconds: float) -> None:
            paused.append(seconds)
            app.fake.down = len(paused) < 2

        api = app.plugin._api  # the client with its tokens
        assert api is not None
        bringer = SlackDownloads(app.ctx.http, api, app.ctx.media, app.fake.root, sleep=heal)
        file = app.fake.files.add(b"123", "a.txt")
        app.fake.down = True
        known = SlackFile(file["id"], url_private=file["url_private_download"])
        (found,) = await bringer.download([known])
        assert (found.size_bytes, paused) == (3, [1.0, 2.0])
        paused.clear()
        (found,) = await bringer.download([SlackFile("F999", file_access="check_file_info")])
        assert "file_not_found" in str(found.missing)
        assert paused == [], "a refusal stays one"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://files.slack.com/files-pri/T1-F1/download/a", True),
        ("https://files.slack.com/a%2fb", True),
        ("http://files.slack.com/x", False),
        ("https://files.slack.com:8443/x", False),
        ("https://evilslack.com/x", False),
        ("https://slack.com/x", False),
        ("https://files.slack.com.example/x", False),
        ("https://files.slack.com@example.com/x", False),
        ("https://example.com\\@files.slack.com/x", False),
        ("https://me@files.slack.com/x", False),
        ("http://127.0.0.1:80/x", True),
        ("http://127.0.0.1:81/x", False),
        ("https://127.0.0.1:80/x", False),
        ("http://[x", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_the_token_is_shown_to_slack_and_the_configured_server_alone(
    address: str, shown: bool
) -> None:
    assert (slack_address(address, URL("http://127.0.0.1:80")) is not None) is shown
