"""How one incarnation of an account is started, and what is given back where that fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.bootstrap import WorkerBoot
from ipc.identity.peer import PeerProof
from runtime.config.supervisor_model import AccountLimitsConfig
from runtime.supervisor.accounts.launch import DrainedProcess
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.processes.process import Spec
from tests.support.accounts import Puppet, spec_of
from tests.support.parts_rig import SECRET, PartsRig
from tests.support.players import PlayedLauncher

pytestmark = pytest.mark.virtual_time
KEY = "local:a"
SPEC = spec_of(KEY, limits=AccountLimitsConfig(niceness=3, open_files=100))


class NotedLauncher(PlayedLauncher):
    """Spawns puppets and keeps what they were started with."""

    def __init__(self) -> None:
        super().__init__()
        self.specs: list[Spec] = []
        self.puppets: list[Puppet] = []

    async def spawn(self, spec: Spec) -> Any:
        if self.error is not None:
            raise self.error
        self.specs.append(spec)
        self.puppets.append(Puppet(KEY, 7, 999_999_999))
        return self.puppets[-1]


@asynccontextmanager
async def launching(directory: Path) -> AsyncIterator[tuple[PartsRig, NotedLauncher]]:
    launcher = NotedLauncher()
    rig = PartsRig(directory, launcher=launcher, concurrency=1)
    yield rig, launcher
    rig.close()


async def test_a_worker_is_started_with_its_configuration_and_proof(tmp_path: Path) -> None:
    async with launching(tmp_path) as (rig, launcher):
        workers = rig.parts.workers
        await workers.wait_turn(KEY, urgent=False)
        boot = workers.prepare(SPEC, 7)
        launched = await workers.spawn(SPEC, boot)
        (spec,) = launcher.specs
        assert (spec.name, spec.launcher) == (f"{KEY}#7", "zygote")
        assert msgspec.msgpack.decode(spec.payload, type=WorkerBoot) == boot
        assert boot.token == PeerProof(SECRET).token(KEY, 7)
        assert (boot.niceness, boot.open_files) == (3, 100)
        assert boot.revision == rig.configuration.revision
        assert os.stat(boot.storage).st_mode & 0o777 == 0o700
        assert (launched.process.pid, launched.log_dropped()) == (999_999_999, 0)


async def test_a_confined_worker_is_told_what_must_stay_out_of_its_reach(tmp_path: Path) -> None:
    async with launching(tmp_path) as (rig, _):
        workers, places = rig.parts.workers, rig.parts.places
        for confine in (False, True):
            await workers.wait_turn(KEY, urgent=False)
            boot = workers.prepare(spec_of(KEY, launcher="exec", confine=confine), 7)
            rig.parts.starts.release(KEY)
            hidden = [str(places.state_dir), str(places.config_path)]
            assert boot.confine == (hidden if confine else None)


async def is_free(rig: PartsRig) -> None:
    """Take the only place: it must be free at once, not after a while."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await rig.parts.starts.acquire("local:next", urgent=True)
    assert loop.time() == began


async def test_a_worker_is_told_where_its_files_lie_and_what_may_be_read(tmp_path: Path) -> None:
    async with launching(tmp_path) as (rig, _):
        workers, places = rig.parts.workers, rig.parts.places
        given = {"quotaBytes": 1 << 20, "ttlDays": 0.5, "allow": ["/srv/out"]}
        rig.config = {**rig.config, "media": given}
        rig.configuration.apply(rig.read())
        await workers.wait_turn(KEY, urgent=False)
        media = workers.prepare(SPEC, 7).media
        assert media is not None
        assert media.directory == str(places.state_dir / "media" / KEY)
        assert (media.quota, media.ttl, media.allow) == (1 << 20, 43_200.0, ["/srv/out"])
        assert media.hidden == [str(places.state_dir), str(places.config_path)]
        rig.parts.starts.release(KEY)


async def test_a_storage_that_cannot_be_made_gives_the_place_back(tmp_path: Path) -> None:
    (tmp_path / "accounts").touch()
    async with launching(tmp_path) as (rig, _):
        await rig.parts.workers.wait_turn(KEY, urgent=False)
        with pytest.raises(OSError, match="accounts"):
            rig.parts.workers.prepare(SPEC, 7)
        await is_free(rig)


async def test_a_spawn_that_fails_gives_the_place_back(tmp_path: Path) -> None:
    async with launching(tmp_path) as (rig, launcher):
        launcher.error = OSError(11, "no processes left")
        await rig.parts.workers.wait_turn(KEY, urgent=False)
        boot = rig.parts.workers.prepare(SPEC, 7)
        with pytest.raises(OSError, match="no processes left"):
            await rig.parts.workers.spawn(SPEC, boot)
        await is_free(rig)


async def test_a_process_whose_output_cannot_be_read_is_ended(tmp_path: Path) -> None:
    async with launching(tmp_path) as (rig, launcher):
        rig.logs.error = OSError(28, "no watches left")
        boot = rig.parts.workers.prepare(SPEC, 7)
        with pytest.raises(OSError, match="no watches left"):
            await rig.parts.workers.spawn(SPEC, boot)
        assert launcher.puppets[0].signals == ["kill"]


async def test_the_last_frames_of_a_worker_are_read_before_its_end_is_returned() -> None:
    did: list[str] = []
    puppet = Puppet(KEY, 7, 4711)
    process = DrainedProcess(puppet, lambda: did.append(f"drained, alive: {puppet.alive}"))
    process.terminate()
    assert await process.wait() == Exit(code=0)
    assert (process.pid, did) == (4711, ["drained, alive: False"])
    process.kill()
    assert puppet.signals == ["terminate", "kill"]
