"""The zygotes of channels with real processes: good plugins, and such as are bad to import."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from runtime.supervisor.accounts.channel_zygotes import BESIDE
from runtime.supervisor.accounts.start_queue import Withdrawn
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.processes import preloading
from tests.support.channel_packages import BAD_IMPORTS, install
from tests.support.channel_site import LARGE, NAME, site_in
from tests.support.spawned import exists, line, readable
from tests.support.until import PATIENCE, until


def versioned(version: int) -> str:
    return f"version = {version}\n"


async def test_accounts_are_forked_from_what_their_channel_has_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME, versioned(1) + "print('imported', flush=True)\n")
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        assert [await site.has_imported(f"{NAME}:{n}") for n in (0, 1, 0)] == ["1", "1", "1"]
        assert site.zygotes.warnings == []
        assert site.zygotes.about(f"{NAME}:0") is None
        figures = site.figures()
        assert figures["zygote_up"] == 1.0
        assert 0 < figures["import_seconds"] < PATIENCE
        printed = [each["text"] for each in site.logs.tail([BESIDE + NAME], 10)]
        assert printed == ["imported"]


async def test_an_account_of_another_channel_has_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME, versioned(1))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        await site.has_imported()
        process = await site.run("local:a", "plugin_version", f"{NAME}.plugin".encode())
        assert await line(process.stdout) == "none"
        await process.wait()


async def test_changed_code_is_taken_at_the_next_start_and_what_runs_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = install(tmp_path, NAME, versioned(1))
    install(tmp_path, "beside", versioned(7))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2, beside=2)
        assert await site.has_imported() == "1"
        assert await site.has_imported("beside:0") == "7"
        beside, first = site.pid("beside"), site.pid()
        running = await site.run(f"{NAME}:1", "stop_politely")
        await line(running.stdout)
        install(tmp_path, NAME, versioned(22))
        assert await site.has_imported() == "22"
        assert not exists(first)
        second = site.pid()
        (package / "more.py").write_text("")  # as an upgrade adds it
        assert await site.has_imported() == "22"
        assert site.pid() not in (first, second)
        assert site.pid("beside") == beside
        running.terminate()
        assert (await running.wait()).code == 0


async def test_a_killed_zygote_is_made_again_and_what_it_has_forked_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME, versioned(1))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        running = await site.run(f"{NAME}:1", "stop_politely")
        await line(running.stdout)
        killed = site.pid()
        os.kill(killed, signal.SIGKILL)
        await until(lambda: not exists(killed), PATIENCE)
        assert site.figures()["zygote_up"] == 0.0
        assert await site.has_imported() == "1"
        assert site.pid() != killed
        assert site.zygotes.warnings == []
        running.terminate()
        assert (await running.wait()).code == 0


async def test_a_stopped_zygote_is_replaced_and_delays_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME, versioned(1))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        await site.has_imported()
        stopped = site.pid()
        os.kill(stopped, signal.SIGSTOP)
        late = asyncio.create_task(site.has_imported())
        other = await site.run("local:a", "leave", b"0")
        assert await other.wait() == Exit(code=0)
        assert not late.done()
        assert await late == "1"
        assert not exists(stopped)


async def test_a_single_account_keeps_no_zygote_but_shares_its_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME, versioned(1))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=1)
        assert await site.has_imported() == "1"
        await asyncio.gather(*site.tasks)
        assert site.zygotes._channels[NAME]._zygote is None  # it has ended, and is not kept
        assert site.figures()["zygote_up"] == 0.0
        install(tmp_path, NAME, versioned(22))
        assert await site.has_imported() == "22"


async def test_a_fork_that_is_not_yet_on_its_own_outlives_its_zygote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    hold = f"lambda: os.path.exists({str(gate)!r}) and open({str(gate)!r}).close()"
    install(
        tmp_path, NAME, versioned(1) + f"import os\nos.register_at_fork(after_in_child={hold})\n"
    )
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        assert await site.has_imported() == "1"
        os.mkfifo(gate)  # from now on each fork stops in its first instructions
        held = await site.run(f"{NAME}:1", "plugin_version", f"{NAME}.plugin".encode())
        ended = site.pid()
        site.configure()
        await asyncio.gather(*site.tasks)
        assert not exists(ended)
        opened = os.open(gate, os.O_RDWR)
        try:
            assert await line(held.stdout) == "1"
        finally:
            os.close(opened)
            how = await held.wait()
        assert how == Exit(code=0)


# What an operator reads of each bad import.
SENTENCES = {
    "raises": "it fails: RuntimeError: this SDK is broken",
    "exits": "it fails: SystemExit: no such licence",
    "ends": "it ends the process: exited (code 5)",
    "segfaults": "it ends the process: exited (signal 11)",
    "threads": "it starts a thread, which a fork would lack",
    "breaks": "it breaks every process that is forked after it",
    "eats": f"it takes more than {LARGE >> 20} MiB, which is all that an account may have",
    "hangs": "it is not done after 3 s",
}


@pytest.mark.parametrize("kind", BAD_IMPORTS)
@pytest.mark.parametrize("count", [1, 2])
async def test_a_bad_import_costs_its_own_channel_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, count: int
) -> None:
    if kind == "hangs":
        monkeypatch.setattr(preloading, "IMPORT_SECONDS", 3.0)
        monkeypatch.setattr("runtime.supervisor.accounts.channel_zygote.IMPORT_SECONDS", 3.0)
    install(tmp_path, NAME, BAD_IMPORTS[kind])
    install(tmp_path, "beside", versioned(7))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=count, beside=2)
        bad = asyncio.create_task(site.has_imported())
        assert await site.has_imported("beside:0") == "7"
        assert await bad == "none"  # it would import it alone
        (warning,) = site.zygotes.warnings
        assert warning.startswith(f"{NAME}.plugin is not imported for all accounts of its channel")
        assert SENTENCES[kind] in warning
        assert warning == site.zygotes.about(f"{NAME}:0")
        assert await site.has_imported("beside:1") == "7"
        if kind != "eats":  # that is killed at any moment, also while it tries whether forks live
            assert site.launcher.swept == 0


async def test_a_failed_import_is_retried_later_and_no_account_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME, BAD_IMPORTS["raises"])
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        assert await site.has_imported() == "none"
        install(tmp_path, NAME, versioned(22))
        assert await site.has_imported() == "none"  # too early
        monkeypatch.setattr(site.zygotes._channels[NAME], "_again_at", 0.0)
        await site.zygotes.prepare(f"{NAME}:0")
        assert site.zygotes.warnings != []
        await asyncio.gather(*site.tasks)
        assert await site.has_imported() == "22"
        assert site.zygotes.warnings == []


async def test_a_slow_import_is_waited_for_by_its_own_accounts_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = 0.5
    monkeypatch.setattr(preloading, "LONG_SECONDS", long)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    install(tmp_path, NAME, versioned(1) + f"open({str(gate)!r}).read()\n")
    install(tmp_path, "beside", versioned(7))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2, beside=2)
        slow = asyncio.create_task(site.has_imported())
        assert await site.has_imported("beside:0") == "7"
        opened = await asyncio.to_thread(os.open, gate, os.O_WRONLY)  # when the import reads it
        arrived = time.monotonic()
        await until(lambda: site.zygotes.about(f"{NAME}:0"))
        said = site.zygotes.about(f"{NAME}:0")
        assert said is not None
        assert said.startswith(f"the import of {NAME}.plugin has taken ")
        stopped = asyncio.create_task(site.zygotes.prepare(f"{NAME}:1"))
        # A spawn that waits shows nowhere else.
        await until(lambda: f"{NAME}:1" in site.zygotes._waiting, PATIENCE)
        site.zygotes.withdraw(f"{NAME}:1")
        with pytest.raises(Withdrawn):
            await stopped
        assert not slow.done()
        # Accounts wait for more than the import: it is long by itself, too.
        await until(lambda: time.monotonic() >= arrived + long)
        os.close(opened)
        assert await slow == "1"
        said = site.zygotes.about(f"{NAME}:0")
        assert said is not None
        assert said.startswith(f"the import of {NAME}.plugin took ")
        assert said in site.zygotes.warnings


async def test_a_channel_that_is_configured_no_more_has_no_zygote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, NAME, versioned(1))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        await site.has_imported()
        ended = site.pid()
        site.configure()
        await asyncio.gather(*site.tasks)
        assert not exists(ended)
        assert await site.has_imported() == "none"


@pytest.mark.parametrize("how", ["configured no more", "for a single account"])
async def test_an_end_that_is_cancelled_is_finished_at_the_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    install(tmp_path, NAME, versioned(1))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        await site.has_imported()
        ended = site.pid()
        if how == "configured no more":
            site.configure()
        else:
            site.configure(made_up=1)
            running = await site.run(f"{NAME}:0", "leave", b"0")
        await asyncio.sleep(0)  # the end is under way
        for task in site.tasks:
            task.cancel()
        await site.zygotes.close()
        assert not exists(ended)
        if how == "for a single account":
            assert await running.wait() == Exit(code=0)


async def test_a_withheld_variable_is_in_no_later_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATE_SECRET", "s3cret")
    install(tmp_path, NAME, versioned(1))
    async with site_in(tmp_path, monkeypatch) as site:
        site.configure(made_up=2)
        await site.has_imported()
        site.launcher.withhold({"LATE_SECRET"})
        site.zygotes.forget(site.launcher.withheld)
        process = await site.run(f"{NAME}:0", "environment")
        await readable(process.stdout)
        assert "s3cret" not in await line(process.stdout)
        process.kill()
        await process.wait()
