"""Scenarios 7, 13, 15, 74 and 85: gateways that are not ours.

The programs are real and end as they are told; only the supervisor around them is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from ipc.frames.words import Phase
from runtime.config.gateway_model import GatewayConfig
from runtime.config.http_model import CanvasHostConfig
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.gateways import foreign
from runtime.supervisor.gateways.attached import AttachedGateway
from runtime.supervisor.gateways.foreign import ForeignGateway, Program
from runtime.supervisor.gateways.interface import GatewayContext, GatewayKind
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.operator_session import Access, OperatorSession
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.policy import Policy
from runtime.supervisor.processes.launcher import Launcher
from runtime.zygote.prctl import set_subreaper
from tests.support.players import PlayedGateway
from tests.support.until import PATIENCE, until
from workers.testing.ports import free_port

DAMAGE = "Config invalid: run openclaw doctor --fix"
# A backoff that nobody here waits for: what follows at once shows that it was none.
NEVER = Policy(initial=3600.0, maximum=3600.0, stop_within=10.0, ready_within=60.0, jitter=0.0)


class GatewayRig:
    """A managed gateway and the directory in which its programs leave their traces."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        set_subreaper()
        self.launcher = Launcher(run_id="foreign-scenarios")
        self.launcher.start()
        self.logs = LogStore(directory / "logs", LoggingConfig())
        self.gateway: ManagedGateway

    def access(self, url: str) -> Access:
        return Access(url, "1", self._nothing, self._nothing)

    async def _nothing(self) -> None:
        return None

    def keep(self, kind: GatewayKind) -> ManagedGateway:
        loaded: Any = SimpleNamespace(
            revision="r",
            config=SimpleNamespace(gateway=GatewayConfig(), canvas_host=CanvasHostConfig()),
        )
        self.gateway = ManagedGateway(
            kind, first_incarnation=0, loaded=lambda: loaded, on_change=lambda: None
        )
        return self.gateway

    def program(
        self, script: str, repair: Sequence[str] = (), policy: Policy = NEVER
    ) -> ManagedGateway:
        """Keep a shell script as the gateway."""
        port = free_port()
        program = Program(
            ("sh", "-c", f"cd {self.directory}; {script}"), "127.0.0.1", port, tuple(repair)
        )
        return self.keep(
            ForeignGateway(
                program,
                self.access(f"ws://127.0.0.1:{port}"),
                cast(GatewayContext, self),  # of which a foreign program gets only these
                policy=policy,
            )
        )

    def note(self, name: str) -> list[str]:
        """Return the command that adds a line to a file."""
        return ["sh", "-c", f"echo . >> {self.directory / name}"]

    def lines(self, name: str) -> int:
        path = self.directory / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def respawn(self, reason: str) -> None:
        self.gateway.respawn(reason)

    async def is_in(self, phase: Phase) -> None:
        gateway = self.gateway
        there = await gateway.until(lambda: gateway.child.state.phase is phase, PATIENCE)
        assert there, gateway.child.state

    def programs(self) -> list[str]:
        """Return what runs below us, the zygote aside."""
        found = psutil.Process().children(recursive=True)
        return [each.name() for each in found if each.pid != self.launcher.zygote_pid]


@contextlib.asynccontextmanager
async def gateway_rig(directory: Path) -> AsyncIterator[GatewayRig]:
    rig = GatewayRig(directory)
    tasks: list[asyncio.Task[None]] = []
    keep = rig.keep

    def keep_running(kind: GatewayKind) -> ManagedGateway:
        gateway = keep(kind)
        tasks.append(asyncio.create_task(gateway.run()))
        return gateway

    rig.keep = keep_running  # type: ignore[method-assign]
    try:
        yield rig
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        rig.launcher.close()
        rig.logs.close()


DAMAGED_ONCE = f"""
echo . >> starts
case $(wc -l < starts) in
    1) echo "{DAMAGE}" >&2; exit 1;;
    2) echo "out of luck" >&2; exit 1;;
esac
"""


async def test_s013_damage_is_repaired_once_and_the_next_start_follows_at_once(
    tmp_path: Path,
) -> None:
    async with gateway_rig(tmp_path) as rig:
        gateway = rig.program(DAMAGED_ONCE, repair=rig.note("repairs"))
        await asyncio.sleep(0)
        gateway.start()
        await rig.is_in(Phase.BACKOFF)
        assert (rig.lines("starts"), rig.lines("repairs")) == (2, 1)
        state = gateway.child.state
        assert state.failures == 1  # the damage was none
        # The second start is judged by its own words, not by those of the first.
        assert state.reason == "exited (code 1): out of luck"
        assert rig.programs() == []


async def test_s013_a_stop_that_comes_while_it_ends_is_not_undone_by_the_repair(
    tmp_path: Path,
) -> None:
    script = (
        f"trap 'echo \"{DAMAGE}\" >&2; exit 1' TERM; echo . >> starts; while :; do sleep 0.1; done"
    )
    async with gateway_rig(tmp_path) as rig:
        gateway = rig.program(script, repair=rig.note("repairs"))
        await asyncio.sleep(0)
        gateway.start()
        await until(lambda: rig.lines("starts"), PATIENCE)
        gateway.stop()
        await rig.is_in(Phase.STOPPED)
        assert (rig.lines("starts"), rig.lines("repairs")) == (1, 0)


@pytest.mark.parametrize("repair", [["false"], ["/no/such/doctor"], ["sleep", "3600"]])
async def test_s015_a_repair_that_fails_or_hangs_leaves_the_damage_as_the_reason(
    tmp_path: Path, repair: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "REPAIR_WITHIN", 1.0)
    async with gateway_rig(tmp_path) as rig:
        gateway = rig.program(f'echo . >> starts; echo "{DAMAGE}" >&2; exit 1', repair=repair)
        await asyncio.sleep(0)
        gateway.start()
        await rig.is_in(Phase.FAILED)
        assert (gateway.child.state.cause, gateway.child.state.reason) == ("misconfigured", DAMAGE)
        assert rig.lines("starts") == 1
        assert rig.programs() == []


async def test_s015_a_stop_does_not_wait_for_a_repair(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path) as rig:
        gateway = rig.program(f'echo "{DAMAGE}" >&2; exit 1', repair=["sleep", "3600"])
        await asyncio.sleep(0)
        gateway.start()
        await until(lambda: "sleep" in rig.programs(), PATIENCE)
        gateway.stop()
        await rig.is_in(Phase.STOPPED)
        assert rig.programs() == []


@contextlib.asynccontextmanager
async def attached(directory: Path, silence: float = 60.0) -> AsyncIterator[tuple[GatewayRig, Any]]:
    """A gateway that runs already, and a gateway that is attached to it."""
    gateway = PlayedGateway({"system-presence": []})
    await gateway.on_tcp()
    quick = Policy(initial=0.05, maximum=0.2, ready_within=20.0, slow_after=None)
    try:
        async with gateway_rig(directory) as rig:
            access = rig.access(gateway.url)
            rig.keep(AttachedGateway(access, gateway.port, silence=silence, policy=quick))
            await asyncio.sleep(0)
            rig.gateway.start()
            await rig.is_in(Phase.RUNNING)
            yield rig, gateway
    finally:
        await gateway.close()


async def test_s007_a_gateway_that_is_there_is_connected_to_and_nothing_is_started(
    tmp_path: Path,
) -> None:
    async with attached(tmp_path) as (rig, gateway):
        row = rig.gateway.status()
        assert (row.kind, row.connected, row.pid) == ("attached", True, None)
        assert row.port == gateway.port
        assert rig.programs() == []
        rig.gateway.restart()  # of what is not ours only the connection
        await until(lambda: rig.gateway.sessions == 2, PATIENCE)
        assert rig.programs() == []


async def test_s074_silence_of_a_gateway_that_is_not_ours_costs_it_only_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OperatorSession, "VERIFY_WITHIN", 0.3)
    async with attached(tmp_path, silence=0.3) as (rig, gateway):
        gateway.leaves_unanswered("system-presence")
        await until(lambda: rig.gateway.outages == 1, PATIENCE)
        assert "no answer for" in str(rig.gateway.status().last_error)
        gateway.methods["system-presence"] = []
        await rig.is_in(Phase.RUNNING)
        assert rig.gateway.sessions == 2
        assert {method for method, _ in gateway.asked} <= {"connect", "system-presence"}
        assert rig.programs() == []


async def test_s085_a_stop_lets_go_and_says_shutdown_only_when_it_is_asked_to(
    tmp_path: Path,
) -> None:
    async with attached(tmp_path) as (rig, gateway):
        rig.gateway.stop()
        await rig.is_in(Phase.STOPPED)
        assert [method for method, _ in gateway.asked] == ["connect"]
        rig.gateway.start()
        await rig.is_in(Phase.RUNNING)
        first = await rig.gateway.shut_down()
        assert first == "INVALID_REQUEST: unknown method: shutdown"
        assert await rig.gateway.shut_down() == "it does not know the method shutdown"
        assert [method for method, _ in gateway.asked] == ["connect", "connect", "shutdown"]
