"""What ``channels.logs`` and ``logs.tail`` answer, from memory and from files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.websocket import MAX_FRAME_BYTES
from runtime.supervisor.api.logs import older
from tests.support.accounts import spec_of
from tests.support.parts_rig import PartsRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PartsRig]:
    made = PartsRig(tmp_path)
    yield made
    made.close()


def texts(answer: dict[str, Any]) -> list[str]:
    """Return the texts of an answer as its client reads it."""
    read = msgspec.json.decode(msgspec.json.encode(answer))
    return [line["text"] for line in read["lines"]]


async def test_logs_are_of_all_or_of_those_named(rig: PartsRig) -> None:
    for key in ("local:a", "local:b"):
        rig.parts.roster.add(spec_of(key, enabled=False))
    rig.logs.lines = [{"text": "1"}, {"text": "2"}]
    assert texts(await rig.ask("channels.logs", lines=1)) == ["2"]
    await rig.ask("channels.logs", accounts=["gateway", "local", "supervisor"])
    assert rig.logs.asked == [
        (None, 1),
        (["gateway", "supervisor", "local:a", "local:b"], 100),
    ]
    with pytest.raises(RemoteError, match="/lines"):
        await rig.ask("channels.logs", lines=-1)
    await rig.parts.roster.close()


async def test_an_answer_fits_into_a_frame_and_ends_with_the_newest_line(rig: PartsRig) -> None:
    rig.logs.lines = [{"text": f"{number}{'x' * 10_000}"} for number in range(3000)]
    answer = await rig.ask("channels.logs", lines=3000)
    assert len(msgspec.json.encode(answer)) < MAX_FRAME_BYTES
    found = texts(answer)
    assert 1000 < len(found) < 3000
    assert found[-1] == rig.logs.lines[-1]["text"]


async def test_a_tail_goes_on_from_its_cursor(rig: PartsRig) -> None:
    rig.parts.recent_log.add_line("gateway", {"text": "one"})
    first = await rig.ask("logs.tail")
    assert [json.loads(line)["text"] for line in first["lines"]] == ["one"]
    rig.parts.recent_log.add_line("gateway", {"text": "two"})
    second = await rig.ask("logs.tail", cursor=first["cursor"])
    assert [json.loads(line)["text"] for line in second["lines"]] == ["two"]
    assert (second["reset"], second["file"]) == (
        False,
        str(rig.parts.places.log_dir / "supervisor.log"),
    )
    assert (await rig.ask("logs.tail", cursor=second["cursor"] + 1))["reset"]


async def test_a_first_tail_begins_in_the_files(rig: PartsRig) -> None:
    directory = rig.parts.places.log_dir
    directory.mkdir()
    (directory / "a.log").write_text(json.dumps({"ts": "", "text": "no time"}) + "\n")
    rig.parts.recent_log.since = "2"
    (directory / "b.log").write_text(json.dumps({"ts": "1", "text": "old"}) + "\n")
    rig.parts.recent_log.add_line("gateway", {"text": "new"})
    lines = (await rig.ask("logs.tail", limit=2))["lines"]
    assert [json.loads(line)["text"] for line in lines] == ["old", "new"]


def test_older_lines_are_read_from_the_files_in_the_order_of_their_time(tmp_path: Path) -> None:
    for name, times in (("a", "13"), ("b", "24")):
        lines = [json.dumps({"ts": ts, "text": name + ts}) for ts in times]
        (tmp_path / f"{name}.log").write_text("\n".join([*lines, "no json"]) + "\n")
    os.mkfifo(tmp_path / "pipe.log")
    found = [json.loads(line)["text"] for line in older(tmp_path, "4", 10, 10_000)]
    assert found == ["a1", "b2", "a3"]
    assert [json.loads(line)["text"] for line in older(tmp_path, "4", 1, 10_000)] == ["a3"]
    assert older(tmp_path, "4", 10, 0) == []
    (line,) = older(tmp_path, "4", 1, 10_000)
    assert older(tmp_path, "4", 1, len(line)) == []
    assert older(tmp_path, "4", 1, len(line) + 1) == [line]
