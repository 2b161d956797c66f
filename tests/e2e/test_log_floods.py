"""Workers that print too much, or unreadable bytes: dropped, counted and bounded."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import ECHO, Daemon
from tests.support.person import talking
from tests.support.watching import Watcher, watching

pytestmark = pytest.mark.e2e

LIMITS = {"maxBytes": 200_000, "files": 2, "linesPerSecond": 2000, "burstLines": 5000}
BATCH = 2**17  # what one reading of a pipe may become; it is never split over two files


@asynccontextmanager
async def printing(
    tmp_path: Path, faulty_path: str, **logging: int
) -> AsyncIterator[tuple[Daemon, Watcher]]:
    """A daemon with an account that prints what it is told, beside a calm one."""
    channels: dict[str, Any] = {
        "faulty": {"accounts": {"one": {}}},
        "local": {"accounts": {"calm": {}}},
    }
    config = ECHO | {"channels": channels, "logging": logging}
    async with Daemon(tmp_path, config, PYTHONPATH=faulty_path) as daemon:
        await daemon.wait_phase("faulty:one", "running")
        await daemon.wait_phase("local:calm", "running")
        async with watching(daemon) as watcher:
            yield daemon, watcher


async def prints(watcher: Watcher, data: bytes, count: int = 1) -> None:
    """Have ``faulty:one`` write ``data`` to its standard output; return when it has."""
    text = f"write {base64.b64encode(data).decode()} {count}"
    params = {"channel": "faulty", "accountId": "one", "to": "x", "message": text}
    key = f"{len(watcher.messages)}-{hash(data)}"
    await watcher.client.call("send", params | {"idempotencyKey": key})


async def lines_of(daemon: Daemon, key: str, lines: int = 1000) -> list[dict[str, Any]]:
    found = await daemon.call("channels.logs", {"accounts": [key], "lines": lines})
    return list(found["lines"])


async def told(daemon: Daemon, watcher: Watcher) -> list[dict[str, Any]]:
    """Return the lines of ``faulty:one`` once everything that it has printed is among them."""
    await prints(watcher, b"\nthe end\n")
    while True:
        lines = await lines_of(daemon, "faulty:one")
        if lines[-1].get("text") == "the end":
            return lines[:-1]


async def test_a_gigabyte_of_output_is_dropped_and_counted_and_affects_nothing_else(
    tmp_path: Path, faulty_path: str
) -> None:
    async with printing(tmp_path, faulty_path, **LIMITS) as (daemon, watcher):
        before = (await daemon.status())["accounts"]
        async with talking(daemon, "calm") as person:
            await person.is_answered("before")
            line = b"bomb " * 200 + b"\n"
            block = b"".join(b"%04d " % number + line[5:] for number in range(100))
            count = 2**30 // len(block)
            began = time.monotonic()
            await prints(watcher, block, count)  # 1 GiB: it never waits for us for long
            await person.is_answered("after")

        def kept() -> float:  # at most
            return LIMITS["burstLines"] + LIMITS["linesPerSecond"] * (time.monotonic() - began)

        after = await daemon.wait(
            lambda s: s["accounts"]["faulty:one"]["logDropped"] > 100 * count - kept()
        )
        rows = after["accounts"]
        for key in ("faulty:one", "local:calm"):
            assert rows[key]["pid"] == before[key]["pid"]
        assert after["supervisor"]["rssBytes"] < 150 * 2**20
        size = sum(path.stat().st_size for path in (tmp_path / "state" / "logs").glob("faulty*"))
        assert LIMITS["maxBytes"] < size < LIMITS["files"] * (LIMITS["maxBytes"] + BATCH)


async def test_binary_output_is_logged_in_readable_form(tmp_path: Path, faulty_path: str) -> None:
    async with printing(tmp_path, faulty_path) as (daemon, watcher):
        await prints(watcher, bytes(range(256)) + b"\n")
        await prints(watcher, b"no end " * 20_000)  # 140 kB without a line's end
        await prints(watcher, b"\n" + b"{" * 10_000 + b"\n")
        await prints(watcher, b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"\n")
        await prints(watcher, b'{"text":"\\ud800","n":NaN,"big":' + b"9" * 400 + b"}\n")
        await prints(watcher, b'{"ts":[1],"text":{"a":1},"account":"local:calm"}\n')
        await prints(watcher, b'{"ts":5,"event":null}\n\x1b]0;title\x07\n')
        lines = await told(daemon, watcher)
        said = [line.get("text") for line in lines]
        assert any(isinstance(text, str) and "\\xff" in text for text in said)
        long = [line for line in lines if str(line.get("text")).startswith("no end")]
        assert [line.get("cut") for line in long] == [True]
        assert len(long[0]["text"]) <= 16 * 1024
        assert {line["account"] for line in lines} == {"faulty:one"}
        for line in (tmp_path / "state" / "logs" / "faulty:one.log").read_bytes().splitlines():
            json.loads(line)
        for args in (["logs"], ["channels", "logs", "faulty:one"], ["logs", "--json"]):
            code, out, err = await daemon.command(*args)
            assert (code, err) == (0, ""), err
            assert "\x1b" not in out
        calm = await lines_of(daemon, "local:calm")
        assert all("INFO" in line["text"] for line in calm)  # nobody else's are among them
        rows = (await daemon.status())["accounts"]
        assert rows["faulty:one"]["restarts"] == 0
        assert not [
            line for line in await lines_of(daemon, "supervisor") if line.get("level") == "error"
        ]
        assert "Traceback" not in daemon.output.read_text()
