"""What the supervisor says about itself: status, metrics, one line, the gateway's bootstrap."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ipc.frames.words import JOURNAL_FULL, Phase
from runtime.supervisor import status
from tests.support.accounts import Stage, agent_of, phase, spec_of
from tests.support.parts_rig import SECRET, PartsRig

pytestmark = pytest.mark.virtual_time
A, B = "local:a", "irc:b"


@asynccontextmanager
async def rig_with_accounts(directory: Path) -> AsyncIterator[PartsRig]:
    rig = PartsRig(directory, workers=Stage(), boot=7)
    rig.parts.roster.add(spec_of(A))
    rig.parts.roster.add(spec_of(B, enabled=False, agent_line="channels.irc.agent"))
    await phase(rig.parts.accounts[A], Phase.STARTING)
    await phase(rig.parts.accounts[B], Phase.STOPPED)
    try:
        yield rig
    finally:
        await rig.parts.roster.close()
        rig.close()


async def test_the_line_for_people_counts_accounts_by_phase(tmp_path: Path) -> None:
    async with rig_with_accounts(tmp_path) as rig:
        assert status.summary(rig.parts) == "gateway stopped; accounts: 1 starting, 1 stopped"


def test_without_accounts_the_line_says_so(tmp_path: Path) -> None:
    rig = PartsRig(tmp_path)
    assert status.summary(rig.parts) == "gateway stopped; accounts: none"
    rig.close()


async def test_the_status_names_what_a_person_should_know(tmp_path: Path) -> None:
    async with rig_with_accounts(tmp_path) as rig:
        rig.configuration.refuse(OSError("gone"))
        whole = status.status(rig.parts)
        assert [row.account for row in whole.accounts] == [A, B]
        assert (whole.supervisor.boot, whole.supervisor.version) == (7, "1.2")
        assert whole.supervisor.warnings[0] == "the configuration was not taken over: gone"


async def test_what_stops_messages_is_warned_of_first(tmp_path: Path) -> None:
    async with rig_with_accounts(tmp_path) as rig:
        rig.configuration.refuse(OSError("gone"))
        rig.parts.links.apply({"attached": [], "journal": JOURNAL_FULL})
        assert len(status.warnings(rig.parts)) > 1
        assert "stores no messages" in status.warnings(rig.parts)[0]


async def test_every_series_exists_from_the_start(tmp_path: Path) -> None:
    async with rig_with_accounts(tmp_path) as rig:
        series = {each.name: each for each in status.metrics(rig.parts)}
        names = ("gateway_up", "gateway_restarts", "stale_events", "swept")
        assert {f"trunkline_{name}" for name in names} <= {
            name.removesuffix("_total") for name in series
        }


async def test_clients_see_only_sealed_revisions(tmp_path: Path) -> None:
    async with rig_with_accounts(tmp_path) as rig:
        revision = rig.configuration.revision
        boot = status.gateway_boot(rig.parts, 3, "token")
        assert (boot.incarnation, boot.secret, boot.session_token) == (3, SECRET, "token")
        assert boot.revision == rig.configuration.seal(revision) != revision
        beside = status.beside_accounts(rig.parts)
        assert beside["agents"]["accounts"] == {A: "echo", B: "echo"}
        assert beside["agents"]["lines"] == {B: "channels.irc.agent"}
        assert revision not in str(beside)


async def test_a_row_of_an_account_that_is_gone_is_none(tmp_path: Path) -> None:
    async with rig_with_accounts(tmp_path) as rig:
        row = status.account_row(rig.parts, A)
        assert row is not None
        assert row.phase == "starting"
        assert status.account_row(rig.parts, "local:gone") is None


async def test_agents_have_a_part_of_their_own(tmp_path: Path) -> None:
    async with rig_with_accounts(tmp_path) as rig:
        rig.parts.roster.add(agent_of("main"))
        await phase(rig.parts.agents["agent:main"], Phase.STARTING)
        whole = status.status(rig.parts)
        assert [row.account for row in whole.accounts] == [A, B]
        (agent,) = whole.agents
        assert (agent.account, agent.channel, agent.account_id) == ("agent:main", "agent", "main")
        assert (agent.agent, agent.journal) == ("none", "off")
        assert status.summary(rig.parts) == (
            "gateway stopped; accounts: 1 starting, 1 stopped; agents: 1 starting"
        )
        beside = status.beside_accounts(rig.parts)
        assert list(beside["access"]) == [A, B]
        assert beside["agents"]["entries"] == {
            "echo": {
                "kind": "echo",
                "name": None,
                "label": "",
                "repeat": "unseen",
                "timeoutSeconds": 600.0,
                "maxConcurrent": None,
                "heartbeat": None,
                "attached": False,
                "lacks": ["instructions", "model", "thinking", "tools"],
                "process": False,  # no account of this configuration asks it
            }
        }
        row = status.account_row(rig.parts, "agent:main")
        assert row is not None
        assert row.phase == "starting"
