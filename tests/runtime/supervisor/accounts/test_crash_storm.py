from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from ipc.frames.words import Phase
from runtime.supervisor.accounts.crash_storm import free_memory
from runtime.supervisor.lifecycle import Exit
from tests.support.accounts import agent_of, spec_of
from tests.support.fleet import fleet

pytestmark = pytest.mark.virtual_time

SPECS = [spec_of(f"local:a{number}") for number in range(10)]
NO_ROUTE = Exit(code=75, said="transient", text="no route to host")


async def test_a_storm_names_what_all_accounts_share(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as rig:
        await rig.wait(1.0)
        await rig.ready()
        assert rig.parts.storm.warnings() == []
        rig.outside.gateway_up, rig.outside.free_memory = False, 0.02
        await rig.crash(*[spec.key for spec in SPECS[:5]])
        (warning,) = rig.parts.storm.warnings()
        assert warning.startswith("5 of 10 accounts crashed within 30 s (at most 2 starts")
        assert "the gateway does not answer" in warning
        assert "only 2 % of the memory is free" in warning
        assert rig.parts.starts.interval == 0.5
        await rig.wait(31.0)
        assert (rig.parts.storm.warnings(), rig.parts.starts.interval) == ([], 0.0)
        assert rig.parts.storm.storms == 1


async def test_without_a_cause_it_says_where_to_look(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as rig:
        await rig.wait(1.0)
        await rig.ready()
        await rig.crash(*rig.accounts)
        assert "none found: check the accounts' logs" in rig.parts.storm.warnings()[0]


async def test_an_operator_does_not_wait_for_the_pace_of_a_storm(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as rig:
        await rig.wait(1.0)
        await rig.ready()
        await rig.crash(*rig.accounts)
        await rig.start("local:a9")
        await rig.ready("local:a9")
        assert rig.phase("local:a9") is Phase.RUNNING


async def test_the_return_of_the_network_starts_those_that_wait_because_of_it(
    tmp_path: Path,
) -> None:
    async with fleet(tmp_path, *SPECS[:4]) as rig:
        await rig.ready()
        rig.outside.route = False
        await rig.wait(6.0)
        await rig.crash("local:a0", how=NO_ROUTE)
        await rig.crash("local:a1", how=Exit(code=1))
        await rig.crash("local:a2", how=Exit(code=78, final=True))
        await rig.stop("local:a3")
        assert rig.parts.storm.shared_causes() == ["this host has no route to the network"]
        failures = rig.row("local:a0").failures
        rig.outside.route = True
        await rig.wait(4.6)
        assert rig.account("local:a0").history[-1]["text"] == "the network is back"
        assert rig.row("local:a0").failures == failures  # nobody has forgiven them
        assert rig.phase("local:a1") is Phase.BACKOFF
        assert rig.phase("local:a2") is Phase.FAILED
        assert rig.phase("local:a3") is Phase.STOPPED


async def test_the_return_of_the_network_ends_the_storm_that_its_loss_was(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS) as rig:
        await rig.wait(1.0)
        await rig.ready()
        rig.outside.route = False
        await rig.wait(6.0)
        await rig.crash(*rig.accounts, how=NO_ROUTE)
        assert rig.parts.starts.interval == 0.5
        rig.outside.route = True
        await rig.wait(5.0)
        assert (rig.parts.starts.interval, rig.parts.storm.warnings()) == (0.0, [])


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
    async with fleet(tmp_path, *SPECS) as rig:
        await rig.wait(1.0)
        await rig.ready()
        rig.zygote_failure, rig.outside.gateway_up = "the zygote was broken by some_sdk", False
        with structlog.testing.capture_logs() as logs:
            await rig.crash(*rig.accounts)
        (warning,) = rig.parts.storm.warnings()
        assert "cause: the zygote was broken by some_sdk; the gateway does not" in warning
        assert [line["what"] for line in logs if "many accounts" in line["event"]] == [warning]
        rig.zygote_failure = None
        await rig.wait(31.0)
        await rig.crash(*rig.accounts)
        assert "some_sdk" not in rig.parts.storm.warnings()[0]


async def test_one_account_that_cannot_be_spawned_is_reason_enough_to_look(tmp_path: Path) -> None:
    async with fleet(tmp_path, *SPECS[:2]) as rig:
        assert rig.repaired == 0
        rig.broken["local:a0"] = OSError(11, "Resource temporarily unavailable")
        await rig.restart("local:a0")
        assert rig.repaired == 1
        await rig.crash("local:a1")
        assert rig.repaired == 1


async def test_agents_are_no_part_of_a_storm_and_come_back_with_the_network(
    tmp_path: Path,
) -> None:
    agents = [agent_of(f"a{number}") for number in range(6)]
    async with fleet(tmp_path, *agents, spec_of("local:a")) as rig:
        await rig.ready()
        await rig.crash(*[spec.key for spec in agents[1:]])
        assert rig.parts.storm.storms == 0
        rig.outside.route = False
        await rig.wait(6.0)
        await rig.crash("agent:a0", how=NO_ROUTE)
        rig.outside.route = True
        await rig.wait(4.6)
        assert rig.account("agent:a0").history[-1]["text"] == "the network is back"
