"""A worker compares its secrets with what they would be now, and tells nobody what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ipc.frames import control
from tests.workers.rig import Rig, rig

RECHECK = control.encode([control.Recheck()])


def kept_in(path: Path, secret: str) -> dict[str, Any]:
    path.write_text(secret)
    path.chmod(0o600)
    return {"password": {"source": "file", "id": str(path)}}


async def asked(here: Rig) -> control.Rechecked:
    here.supervisor.frames.clear()
    here.supervisor.send_raw(RECHECK)
    (answer,) = await here.supervisor.until(lambda: here.supervisor.of(control.Rechecked))
    return answer


async def test_only_another_secret_is_a_change(run_dir: Path) -> None:
    async with rig(run_dir) as here:
        config = kept_in(run_dir / "secret", "the-first-one")
        here.start(config=config)
        await here.up()
        assert await asked(here) == control.Rechecked(False)
        kept_in(run_dir / "secret", "the-first-one")
        assert await asked(here) == control.Rechecked(False)
        kept_in(run_dir / "secret", "the-second-one")
        for _ in range(2):  # until it is replaced, it says so each time
            answer = await asked(here)
            assert answer.changed
            assert b"second" not in msgspec.msgpack.encode(answer)
        assert await here.stop() == 0


async def test_a_secret_that_cannot_be_read_changes_nothing(run_dir: Path) -> None:
    async with rig(run_dir) as here:
        here.start(config=kept_in(run_dir / "secret", "the-first-one"))
        await here.up()
        (run_dir / "secret").unlink()
        answer = await asked(here)
        assert not answer.changed
        assert "password: the secret file:" in answer.problem
        assert await here.stop() == 0


async def test_it_ends_while_it_still_looks(run_dir: Path) -> None:
    async with rig(run_dir) as here:
        slow = run_dir / "slow"
        command = f"sh -c 'test -e {slow} && sleep 1; echo secret'"
        here.start(config={"password": {"source": "exec", "id": command}})
        await here.up()
        slow.touch()
        here.supervisor.send_raw(RECHECK)
        here.supervisor.send_raw(RECHECK)  # while the first is under way: one answer for both
        assert await here.stop() == 0
        assert not here.supervisor.of(control.Rechecked)
