"""Files of messages under the real daemon: from the platform to a client, and back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.daemon import Daemon
from tests.support.tiny_disk import tiny_disk
from tests.support.watching import watching
from workers.testing.fakes.telegram import ApiFault, FakeTelegram, fake_telegram

pytestmark = pytest.mark.e2e

KEY, TOKEN = "telegram:bot", "1:AAtoken-of-a-fake-bot"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000


def configuration(fake: FakeTelegram, tmp_path: Path, **media: Any) -> dict[str, Any]:
    account = {"botToken": TOKEN, "apiRoot": fake.root, "agent": "none"}
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a b.png").write_bytes(PNG)
    (tmp_path / "secret.txt").write_text("secret")
    return {
        "channels": {"telegram": {"accounts": {"bot": account}}},
        "media": {"allow": [str(tmp_path / "out")], **media},
    }


async def test_a_photo_reaches_a_client_and_goes_back(tmp_path: Path) -> None:
    async with (
        fake_telegram() as fake,
        Daemon(tmp_path, configuration(fake, tmp_path)) as daemon,
        watching(daemon) as watcher,
    ):
        await daemon.wait_phase(KEY, "running")
        await fake.say(TOKEN, caption="see", photo=[fake.file(PNG)])
        await watcher.until(lambda: watcher.messages)
        (attachment,) = watcher.messages[0]["message"]["attachments"]
        asked = {"channel": "telegram", "urls": [attachment["url"]]}
        answer = await watcher.client.call("media.ticket", asked)
        address = f"http://127.0.0.1:{daemon.port}{answer['paths'][attachment['url']]}"
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            assert (response.status, await response.read()) == (200, PNG)
            assert response.content_type == "image/png"
        sent = {"to": "7", "mediaUrl": attachment["url"], "channel": "telegram"}
        await watcher.client.call("send", sent | {"idempotencyKey": "k"})
        assert fake.bot(TOKEN).sent[-1]["photo"]["size"] == len(PNG)
        await daemon.wait(lambda status: status["accounts"][KEY]["mediaBytes"] >= len(PNG))
        assert "AAtoken" not in str(watcher.messages)


async def test_the_command_line_sends_what_is_allowed_and_nothing_else(tmp_path: Path) -> None:
    async with (
        fake_telegram() as fake,
        Daemon(tmp_path, configuration(fake, tmp_path)) as daemon,
    ):
        await daemon.wait_phase(KEY, "running")
        send = ["message", "send", "--account", KEY, "--target", "7", "--media"]
        code, out, error = await daemon.command(*send, str(tmp_path / "out/a b.png"))
        assert (code, out.split()[0]) == (0, "sent"), error
        assert fake.bot(TOKEN).sent[-1]["photo"] == {"name": "a b.png", "size": len(PNG)}
        (tmp_path / "out/link.txt").symlink_to(tmp_path / "secret.txt")
        for path in ("secret.txt", "out/link.txt", "trunkline.json5"):
            code, _, error = await daemon.command(*send, str(tmp_path / path))
            assert code == 1
            assert "is not below a directory of media.allow" in error
        code, _, error = await daemon.command(*send, f"http://127.0.0.1:{daemon.port}/health")
        assert code == 1
        assert "private address" in error
        assert len(fake.bot(TOKEN).sent) == 1


async def test_a_worker_that_is_killed_amid_a_file_loses_neither(tmp_path: Path) -> None:
    async with (
        fake_telegram() as fake,
        Daemon(tmp_path, configuration(fake, tmp_path)) as daemon,
        watching(daemon) as watcher,
    ):
        row = await daemon.wait_phase(KEY, "running")
        fake.bot(TOKEN).faults.append(ApiFault("download", slow=60.0))
        await fake.say(TOKEN, caption="see", photo=[fake.file(PNG)])
        await fake.until(lambda: fake.bot(TOKEN).calls["download"], 30)
        place = tmp_path / "state/media" / KEY
        place.mkdir(parents=True, exist_ok=True)
        (place / f".{'a' * 32}.part").write_bytes(b"left behind")
        os.kill(row["pid"], signal.SIGKILL)
        await watcher.until(lambda: watcher.messages)
        (attachment,) = watcher.messages[0]["message"]["attachments"]
        found = place / attachment["url"].removeprefix("media:")
        assert found.read_bytes() == PNG
        assert {each.name for each in place.iterdir()} == {found.name, f"{found.name}.json"}


async def test_a_full_disk_costs_the_file_and_not_the_message(tmp_path: Path) -> None:
    place = tmp_path / "state/media"
    place.parent.mkdir()
    async with fake_telegram() as fake:
        config = configuration(fake, tmp_path)
        with tiny_disk(place):
            async with Daemon(tmp_path, config) as daemon, watching(daemon) as watcher:
                await daemon.wait_phase(KEY, "running")
                await fake.say(TOKEN, caption="large", photo=[fake.file(bytes(2_000_000))])
                await watcher.until(lambda: watcher.messages)  # or both would want the room at once
                await fake.say(TOKEN, caption="small", photo=[fake.file(PNG)])
                await watcher.until(lambda: len(watcher.messages) == 2)
                large, small = (each["message"]["attachments"][0] for each in watcher.messages)
                assert large["missing"] == "no space is left on the disk for files"
                assert large["url"] == ""
                assert small["url"].startswith("media:")
                assert len([*(place / KEY).iterdir()]) == 2
