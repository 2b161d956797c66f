"""The parts of a supervisor as they are connected when they are made."""

from __future__ import annotations

from tests.support.short_directory import ShortDirectory
from tests.support.supervisor_rig import SupervisorRig, ending

A = "local:a"


async def test_the_parts_are_made_without_starting_anything() -> None:
    with ShortDirectory() as directory:
        rig = SupervisorRig(directory, {"a": {}}, {})
        assert rig.launcher.children == []
        assert rig.parts.roster.workers == {}
        assert not rig.places.run_dir.exists()


async def test_an_account_that_comes_once_the_end_has_begun_is_not_started() -> None:
    async with ending(A) as (rig, task):
        rig.accounts["b"] = {}
        spec = rig.load().accounts["local:b"]
        rig.parts.shutdown.request("SIGTERM")
        rig.parts.roster.add(spec)
        assert await task == 0
        assert rig.launcher.of("local:b") == []
