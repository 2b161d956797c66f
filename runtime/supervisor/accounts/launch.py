"""Starts the process of one incarnation of a worker: queues, spawns, captures its output.

The parameters of a started incarnation are returned as a value, which ``Account`` keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from ipc.endpoints import SocketPaths
from ipc.frames.bootstrap import MediaBoot, WorkerBoot
from ipc.identity.peer import PeerProof, peer_name
from ipc.media import account_directory
from runtime.config.places import Places
from runtime.config.variables import referenced
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.channel_zygotes import ChannelZygotes
from runtime.supervisor.accounts.start_queue import StartQueue
from runtime.supervisor.child import Process, StandInProcess
from runtime.supervisor.configuration import Configuration
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.limits import ProcessLimits, group_limits
from runtime.supervisor.processes.process import Spec
from workers.secrets import field_at

TARGET = "workers.process.worker:main"


class Launched(msgspec.Struct, frozen=True):
    """A worker's process, its resource limits, and how many lines of its output were dropped."""

    process: Process
    limits: ProcessLimits | None = None
    log_dropped: Callable[[], int] = lambda: 0


class AccountLauncher(Protocol):
    """Starts incarnations of accounts, in three steps."""

    async def wait_turn(self, key: str, *, urgent: bool) -> None:
        """Wait for a place in the start queue; raises ``Withdrawn`` if the account is stopped."""

    def prepare(self, spec: WorkerSpec, incarnation: int) -> WorkerBoot:
        """Return the worker's bootstrap object; gives the place back if it raises."""

    async def spawn(self, spec: WorkerSpec, boot: WorkerBoot) -> Launched:
        """Start the process; gives the place back if it raises."""


class WorkerLauncher:
    """Starts the workers of one supervisor. ``drain`` reads pending frames of the control link."""

    def __init__(
        self,
        starts: StartQueue,
        zygotes: ChannelZygotes,
        logs: LogStore,
        *,
        configuration: Configuration,
        places: Places,
        proof: PeerProof,
        drain: Callable[[], None],
    ) -> None:
        self._starts = starts
        self._zygotes = zygotes
        self._logs = logs
        self._configuration = configuration
        self._places = places
        self._endpoints = SocketPaths(places.run_dir)
        self._proof = proof
        self._drain = drain

    async def wait_turn(self, key: str, *, urgent: bool) -> None:
        """Wait for the imports of its channel, then for a place; raises ``Withdrawn``."""
        await self._zygotes.prepare(key)
        await self._starts.acquire(key, urgent=urgent)

    def prepare(self, spec: WorkerSpec, incarnation: int) -> WorkerBoot:
        """Create the worker's storage directory and return its bootstrap object."""
        with self._release_on_error(spec.key):
            storage = self._places.storage_of(spec.key)
            storage.mkdir(parents=True, exist_ok=True, mode=0o700)
            return WorkerBoot(
                key=spec.key,
                incarnation=incarnation,
                token=self._proof.token(spec.key, incarnation),
                control=self._endpoints.control,
                data=self._endpoints.data,
                manifest=spec.manifest_ref,
                config=spec.config,
                storage=str(storage),
                run_dir=str(self._places.run_dir),
                beat=self._configuration.config.supervisor.beat_seconds,
                stop_within=spec.restart.stop_within_seconds,
                revision=self._configuration.revision,
                niceness=spec.limits.niceness,
                open_files=spec.limits.open_files,
                processes=spec.limits.processes,
                confine=self._out_of_reach() if spec.confine else None,
                proxy=spec.proxy,
                media=self._media(spec.key),
                ingress_url=spec.ingress_url,
            )

    def _media(self, key: str) -> MediaBoot:
        config, places = self._configuration.config.media, self._places
        return MediaBoot(
            directory=str(account_directory(places.state_dir, key)),
            quota=config.quota_bytes,
            ttl=config.ttl_days * 86_400,
            allow=config.allow,
            hidden=self._out_of_reach(),
        )

    def _out_of_reach(self) -> list[str]:
        """Return the paths of the daemon that no account may send, and no confined one read."""
        return [str(self._places.state_dir), str(self._places.config_path)]

    async def spawn(self, spec: WorkerSpec, boot: WorkerBoot) -> Launched:
        """Start the process and capture its output."""
        if spec.is_attached:
            self._starts.release(spec.key)
            return Launched(StandInProcess())
        with self._release_on_error(spec.key):
            process = await self._zygotes.spawn(
                spec.key,
                Spec(
                    name=peer_name(boot.key, boot.incarnation),
                    target=TARGET,
                    payload=msgspec.msgpack.encode(boot),
                    launcher=spec.launcher,
                    python=spec.python,
                    limits=group_limits(spec.limits),
                    variables=_variables(spec),
                ),
            )
            capture = await self._logs.capture_or_kill(boot.key, boot.incarnation, process)
        limits = ProcessLimits(process, spec.limits)
        return Launched(DrainedProcess(process, self._drain), limits, lambda: capture.dropped)

    @contextmanager
    def _release_on_error(self, key: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._starts.release(key)
            raise


def _variables(spec: WorkerSpec) -> frozenset[str]:
    """Return the environment variables that hold secrets of an account."""
    return referenced([field_at(spec.config, name) for name in spec.manifest.secrets])


class DrainedProcess:
    """A worker's process whose exit is reported only after its last frames were read."""

    def __init__(self, process: Process, drain: Callable[[], None]) -> None:
        self.pid = process.pid
        self.terminate = process.terminate
        self.kill = process.kill
        self._process = process
        self._drain = drain

    async def wait(self) -> Exit:
        """Return how it ended."""
        how = await self._process.wait()
        self._drain()
        return how
