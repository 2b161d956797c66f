from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from ipc.frames.words import Phase
from runtime.supervisor.accounts.crash_storm import free_memory
from runtime.supervisor.lifecycle import Exit
from tests.support.accounts import spec_of
from tests.support.fleet import fleet

pytestmark = pytest.mark.virtual_time

SPECS = [spec_of(f"local:a{number}") for number in range(10)]
NO_ROUTE = Exit(code=75, said="transient", text="no route to host")


async def test_a_storm_names_what_all_accounts_share(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as it:
        await it.wait(1.0)
        await it.ready()
        assert it.parts.storm.warnings() == []
        it.outside.gateway_up, it.outside.free_memory = False, 0.02
        await it.crash(*[spec.key for spec in SPECS[:5]])
        (warning,) = it.parts.storm.warnings()
        assert warning.startswith("5 of 10 accounts crashed within 30 s (at most 2 starts")
        assert "the gateway does not answer" in warning
        assert "only 2 % of the memory is free" in warning
        assert it.parts.starts.interval == 0.5
        await it.wait(31.0)
        assert (it.parts.storm.warnings(), it.parts.starts.interval) == ([], 0.0)
        assert it.parts.storm.storms == 1


async def test_without_a_cause_it_says_where_to_look(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as it:
        await it.wait(1.0)
        await it.ready()
        await it.crash(*it.accounts)
        assert "none found: look at the accounts' logs" in it.parts.storm.warnings()[0]


async def test_an_operator_does_not_wait_for_the_pace_of_a_storm(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as it:
        await it.wait(1.0)
        await it.ready()
        await it.crash(*it.accounts)
        await it.start("local:a9")
        await it.ready("local:a9")
        assert it.phase("local:a9") is Phase.RUNNING


async def test_the_return_of_the_network_starts_those_that_wait_because_of_it(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, *SPECS[:4]) as it:
        await it.ready()
        it.outside.route = False
        await it.wait(6.0)
        await it.crash("local:a0", how=NO_ROUTE)
        await it.crash("local:a1", how=Exit(code=1))
        await it.crash("local:a2", how=Exit(code=78))
        await it.stop("local:a3")
        assert it.parts.storm.shared_causes() == ["this host has no route to the network"]
        failures = it.row("local:a0").failures
        it.outside.route = True
        await it.wait(4.6)
        assert it.account("local:a0").history[-1]["text"] == "the network is back"
        assert it.row("local:a0").failures == failures  # nobody has forgiven them
        assert it.phase("local:a1") is Phase.BACKOFF
        assert it.phase("local:a2") is Phase.FAILED
        assert it.phase("local:a3") is Phase.STOPPED


async def test_the_return_of_the_network_ends_the_storm_that_its_loss_was(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as it:
        await it.wait(1.0)
        await it.ready()
        it.outside.route = False
        await it.wait(6.0)
        await it.crash(*it.accounts, how=NO_ROUTE)
        assert it.parts.starts.interval == 0.5
        it.outside.route = True
        await it.wait(5.0)
        assert (it.parts.starts.interval, it.parts.storm.warnings()) == (0.0, [])


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("MemTotal: 1000 kB\nMemAvailable: 250 kB\n", 0.25),
        ("MemTotal: 1000 kB\n", 1.0),
        ("MemTotal: 0 kB\nMemAvailable: 0 kB\n", 1.0),
        ("garbage\n", 1.0),
    ],
)
async def test_free_memory_is_a_share_of_all(tmp_path: Path, text: str, share: float) -> None:
    (tmp_path / "meminfo").write_text(text)
    assert free_memory(tmp_path / "meminfo") == share
    assert free_memory(tmp_path / "none") == 1.0


async def test_what_starts_all_processes_is_looked_at_first_and_named_first(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, *SPECS) as it:
        await it.wait(1.0)
        await it.ready()
        it.zygote_trouble, it.outside.gateway_up = "the zygote was broken by some_sdk", False
        with structlog.testing.capture_logs() as logs:
            await it.crash(*it.accounts)
        (warning,) = it.parts.storm.warnings()
        assert "cause: the zygote was broken by some_sdk; the gateway does not" in warning
        assert [line["what"] for line in logs if "many accounts" in line["event"]] == [warning]
        it.zygote_trouble = None
        await it.wait(31.0)
        await it.crash(*it.accounts)
        assert "some_sdk" not in it.parts.storm.warnings()[0]


async def test_one_account_that_cannot_be_spawned_is_reason_enough_to_look(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS[:2]) as it:
        assert it.repaired == 0
        it.broken["local:a0"] = OSError(11, "Resource temporarily unavailable")
        await it.restart("local:a0")
        assert it.repaired == 1
        await it.crash("local:a1")
        assert it.repaired == 1
