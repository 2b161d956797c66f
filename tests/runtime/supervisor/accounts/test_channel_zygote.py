"""One zygote of a channel: what becomes of requests to one that is stopped, dead or full."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from runtime.supervisor.accounts.channel_zygote import ChannelZygote, ImportFailed
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.processes.preloading import ChannelPlan
from runtime.supervisor.processes.process import SpawnError
from tests.support.channel_packages import install
from tests.support.channel_site import NAME, Site, site_in
from tests.support.until import PATIENCE, until

PLAN = ChannelPlan((NAME, f"{NAME}.plugin"), frozenset())


async def start(site: Site) -> ChannelZygote:
    zygote = await ChannelZygote.start(site.launcher, site.logs, "zygote-x", 1, PLAN)
    report = await zygote.imported(None)
    assert report.error is None
    return zygote


async def test_one_that_is_ended_gives_back_all_that_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME)
    async with site_in(tmp_path, monkeypatch) as site:
        await (await start(site)).end()
        files = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            zygote = await start(site)
            assert await zygote.is_fresh()
            assert await zygote.end() == Exit(signal=9)
            assert zygote.dead
        await until(lambda: len(os.listdir("/proc/self/fd")) <= files, PATIENCE)


async def test_a_dead_one_is_not_fresh_and_forks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME)
    async with site_in(tmp_path, monkeypatch) as site:
        zygote = await start(site)
        os.kill(zygote.pid, signal.SIGKILL)
        await until(lambda: zygote.dead, PATIENCE)
        zygote.forget({"NAME"})
        assert not await zygote.is_fresh()
        with pytest.raises(SpawnError, match="the zygote of the channel: "):
            await zygote.request_fork(b"{}", [])
        await zygote.end()


async def test_one_that_is_stopped_is_ended_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME)
    async with site_in(tmp_path, monkeypatch) as site:
        zygote = await start(site)
        os.kill(zygote.pid, signal.SIGSTOP)
        with pytest.raises(SpawnError, match="it was stopped by a signal"):
            await zygote.request_fork(b"{}", [])
        await until(lambda: zygote.dead, PATIENCE)
        await zygote.end()


@pytest.mark.parametrize("importing", ["import time; time.sleep(600)\n", ""], ids=["long", "quick"])
async def test_one_that_takes_more_than_an_account_may_have_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, importing: str
) -> None:
    install(tmp_path, NAME)
    async with site_in(tmp_path, monkeypatch) as site:
        install(site.directory, NAME, importing)
        zygote = await ChannelZygote.start(site.launcher, site.logs, "zygote-x", 1, PLAN)
        with pytest.raises(ImportFailed, match="it takes more than 1 MiB, which is all"):
            await zygote.imported(1 << 20)
        await zygote.end()
