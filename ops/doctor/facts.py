"""Gathers the facts for the checks, each independently and within its own time limit.

Anything may be missing: the daemon, the configuration, systemd. A check without its facts finds
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ipc.errors import IpcError
from ipc.hidden_fields import hide_fields
from ipc.permissions import reason
from ops.actions.service import Service, read_unit, service_of, service_status
from ops.connect.gateway import connected_gateway, own_address
from ops.connect.identity import own_version
from ops.connect.places import flags_of
from ops.connect.supervisor import ADVICE, connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError
from runtime.config.errors import ConfigError, config_error
from runtime.config.load import Loaded, load_effective
from runtime.config.places import Places

ANSWER_SECONDS = 1.5  # for the daemon; for the gateway's questions together
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HostLimits:
    """The limits of the host: open files and processes of this user, memory and disk in bytes."""

    open_files: int
    processes: int
    memory_free: int
    disk_free: int
    disk_total: int


@hide_fields("environ")
@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about one runtime; ``None`` for what is missing or could not be found out.

    ``status`` is the supervisor's, ``waiting`` counts what waits for a decision, by kind,
    ``services`` has the state of each installed unit, ``refused`` the errors of the configuration.
    """

    places: Places
    environ: Mapping[str, str]
    version: str
    now: float
    limits: HostLimits
    loaded: Loaded | None = None
    refused: ConfigError | None = None
    status: Row | None = None
    silent: str | None = None
    waiting: dict[str, int] = field(default_factory=dict)
    services: list[Row] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    no_systemd: str | None = None

    @property
    def accounts(self) -> list[Row]:
        """The rows of the accounts, none without a daemon."""
        return list((self.status or {}).get("accounts", ()))

    @property
    def rows(self) -> list[Row]:
        """The rows of accounts and agents."""
        return [*self.accounts, *(self.status or {}).get("agents", ())]


def gather(target: RuntimeTarget, places: Places) -> Facts:
    """Gather the facts about a runtime; never raises for anything that is missing."""
    loaded, refused = _configuration(target, places)
    status, silent, waiting = asyncio.run(_ask(places))
    services, units, no_systemd = _services(target)
    return Facts(
        places=places,
        environ=dict(os.environ),
        version=own_version(),
        now=time.time(),
        limits=_limits(places),
        loaded=loaded,
        refused=refused,
        status=status,
        silent=silent,
        waiting=waiting,
        services=services,
        units=units,
        no_systemd=no_systemd,
    )


def _configuration(
    target: RuntimeTarget, places: Places
) -> tuple[Loaded | None, ConfigError | None]:
    if not places.config_path.exists():
        return None, None
    try:
        return load_effective(places, os.environ, flags_of(target)), None
    except ConfigError as error:
        return None, error
    except OSError as error:
        return None, config_error(places.config_path, reason(error))


async def _ask(places: Places) -> tuple[Row | None, str | None, dict[str, int]]:
    try:
        async with connected_supervisor(places, within=ANSWER_SECONDS) as client:
            status: Row = await client.call("supervisor.status", {}, timeout=ANSWER_SECONDS)
    except (OperatorError, IpcError) as error:
        return None, str(error).removesuffix(ADVICE), {}
    return status, None, await _waiting(places, status)


async def _waiting(places: Places, status: Row) -> dict[str, int]:
    """Count the devices, nodes and people that wait for a decision."""
    found: dict[str, int] = {}
    if not status["gateway"].get("connected"):
        return found
    with contextlib.suppress(OperatorError, IpcError):
        async with connected_gateway(await own_address(places), timeout=ANSWER_SECONDS) as client:
            for kind, method, name in (
                ("devices", "device.pair.list", "pending"),
                ("nodes", "node.pair.list", "pending"),
                ("people", "channels.pairing.list", "requests"),
            ):
                answer = await client.call(method, {}, timeout=ANSWER_SECONDS)
                found[kind] = len(answer.get(name) or ())
    return found


def _services(target: RuntimeTarget) -> tuple[list[Row], dict[str, str], str | None]:
    rows, units, absent = [], {}, None
    for scope in ("user", "system"):
        try:
            service: Service = service_of(target, scope)
        except (OperatorError, ConfigError):
            continue
        text = read_unit(service.file)
        if text is None:
            continue
        units[str(service.file)] = text
        try:
            rows.append(service_status(service))
        except OperatorError as error:
            absent = str(error)
    return rows, units, absent


def _limits(places: Places) -> HostLimits:
    directory: Path = places.state_dir
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    disk = shutil.disk_usage(directory)
    return HostLimits(
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        processes=resource.getrlimit(resource.RLIMIT_NPROC)[0],
        memory_free=psutil.virtual_memory().available,
        disk_free=disk.free,
        disk_total=disk.total,
    )
