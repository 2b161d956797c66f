"""Why a gateway may not answer, as far as its supervisor and the disk show it."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import CallTimeout
from ops.connect import no_answer
from ops.connect.places import places_of
from ops.connect.target import RuntimeTarget
from tests.support.fakeserver import account, fake_supervisor, status

Usage = namedtuple("Usage", "total used free")
GIB = 1 << 30


@pytest.mark.parametrize(
    ("health", "free", "said"),
    [
        ("ok", GIB, None),
        ("degraded: not connected", GIB, None),
        ("degraded: journal full", GIB, "nothing can be stored (journal full): make room for "),
        ("degraded: journal: disk I/O error", GIB, "nothing can be stored (journal: disk I/O"),
        ("ok", 4096, "the disk is full, and nothing can be stored: make room for "),
    ],
)
async def test_what_keeps_a_gateway_from_answering(
    state: Path, monkeypatch: pytest.MonkeyPatch, health: str, free: int, said: str | None
) -> None:
    monkeypatch.setenv("TRUNKLINE_RUNTIME_DIR", str(state))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2 * GIB, GIB, free))
    found: Any = msgspec.to_builtins(status(account("irc:a", health=health)))
    target = RuntimeTarget({"state_dir": str(state)})
    error = CallTimeout("cron.add", 30.0)
    async with fake_supervisor(state, supervisor__status=found):
        answer = await no_answer.why_no_answer(places_of(target))
        text = await no_answer.explained(error, target)
    if said is None:
        assert (answer, text) == (None, "cron.add: no answer within 30 s")
    else:
        assert str(answer).startswith(said)
        assert text == f"cron.add: no answer within 30 s; {answer}"


async def test_of_another_gateway_nothing_is_known(state: Path) -> None:
    target = RuntimeTarget({"state_dir": str(state)}, url="ws://gateway.example:1")
    text = await no_answer.explained(CallTimeout("cron.add", 30.0), target)
    assert text == "cron.add: no answer within 30 s"


async def test_without_a_supervisor_the_disk_is_looked_at(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(GIB, GIB, 0))
    found = await no_answer.why_no_answer(places_of(RuntimeTarget({"state_dir": str(state)})))
    assert str(found).startswith("the disk is full")
