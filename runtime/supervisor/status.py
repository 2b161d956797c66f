"""Describes the running supervisor: its status, metrics, summary line and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from ipc.frames.status import AccountStatus, Status, SupervisorStatus
from ipc.frames.words import Phase
from ipc.metrics import Series, counter, gauge
from ipc.procfs import rss_bytes
from runtime.config.accounts import AccountSpec
from runtime.config.agents import AgentSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.link_reports import LinkReports
from runtime.supervisor.parts import Parts

# The order in which ``summary`` names phases.
ORDER = (
    Phase.RUNNING,
    Phase.STARTING,
    Phase.STOPPING,
    Phase.BACKOFF,
    Phase.FAILED,
    Phase.STOPPED,
)


def status(parts: Parts) -> Status:
    """Return everything that ``trunkline status`` shows."""
    about, places = parts.about, parts.places
    own = SupervisorStatus(
        pid=about.pid,
        version=about.version,
        boot=about.boot,
        started_at=about.started_at,
        state_dir=str(places.state_dir),
        config_path=str(places.config_path),
        config_revision=parts.configuration.revision,
        rss_bytes=rss_bytes(about.pid),
        cpu_percent=about.cpu_percent(),
        stale_events=stale_events(parts),
        handshakes_refused=_update_links(parts).refused_by_link(),
        limits_by=parts.launcher.limits_by,
        warnings=warnings(parts),
    )
    rows = [account.status() for account in parts.accounts.values()]
    agents = [agent.status() for agent in parts.agents.values()]
    return Status(own, parts.gateway.status(), accounts=rows, agents=agents)


def summary(parts: Parts) -> str:
    """Return one line: the gateway's phase, and the numbers of accounts and agents by phase."""
    gateway = parts.gateway.child.state.phase.value
    agents = f"; agents: {_counted(parts.agents)}" if parts.agents else ""
    return f"gateway {gateway}; accounts: {_counted(parts.accounts)}{agents}"


def _counted(workers: Mapping[str, Account]) -> str:
    counts = Counter(each.phase for each in workers.values())
    return ", ".join(f"{counts[phase]} {phase.value}" for phase in ORDER if counts[phase]) or "none"


def pending(parts: Parts) -> list[str]:
    """Return a warning for each part of the configuration that does not apply yet."""
    return [*parts.reconfiguration.waiting(), *parts.roster.pending_limits()]


def stale_events(parts: Parts) -> int:
    """Return how many late events of ended processes were dropped."""
    workers = parts.roster.workers.values()
    return sum(worker.child.stale for worker in workers) + parts.link.stale


def metrics(parts: Parts) -> list[Series]:
    """Return the supervisor's own series; every one exists from the start."""
    gateway = parts.gateway
    restarts, attempts = gateway.restarts, gateway.attempts
    share = gateway.sessions / attempts if attempts else 1.0
    failures = gateway.child.state.failures
    return [
        gauge("gateway_up", "1 while the gateway answers.", gateway.connected),
        gauge("gateway_failures", "Failures of the gateway in a row.", failures),
        counter("gateway_spawns", "Starts of the gateway.", gateway.spawned),
        counter("gateway_outages", "Lost sessions to a working gateway.", gateway.outages),
        counter("gateway_session_attempts", "Tries to open a session.", attempts),
        counter("gateway_sessions", "Sessions that were opened.", gateway.sessions),
        counter("gateway_reconnects", "Sessions after the first.", max(0, gateway.sessions - 1)),
        gauge("gateway_session_success_ratio", "Opened sessions by number of tries.", share),
        counter("gateway_restarts_asked", "Requested restarts.", restarts.asked),
        counter("gateway_restarts", "Executed restarts.", restarts.executed),
        counter("gateway_restarts_deferred", "Postponed restarts.", restarts.deferred),
        counter(
            "gateway_restarts_folded",
            "Requested restarts that were combined with another one.",
            restarts.coalesced,
        ),
        counter(
            "stale_events", "Dropped late reports of earlier incarnations.", stale_events(parts)
        ),
        *_update_links(parts).series(),
        counter("swept", "Ended processes that children had left behind.", parts.launcher.swept),
        *_of_processes(parts),
        *parts.channel_zygotes.series(),
    ]


def _of_processes(parts: Parts) -> list[Series]:
    """Return the figures of the supervisor's own process and of the zygote."""
    pid, launcher = parts.about.pid, parts.launcher
    zygote = launcher.zygote_pid
    used, began = parts.about.cpu_seconds, parts.about.started_at / 1000
    own, others = rss_bytes(pid) or 0, rss_bytes(zygote) if zygote else 0
    return [
        gauge("supervisor_start_time_seconds", "Start time, in seconds since the epoch.", began),
        gauge("supervisor_rss_bytes", "Resident memory of the supervisor.", own),
        counter("supervisor_cpu_seconds", "CPU that the supervisor has used.", used),
        gauge("supervisor_warnings", "Warnings in the status.", len(warnings(parts))),
        gauge("zygote_up", "1 while the zygote runs.", zygote is not None),
        gauge("zygote_rss_bytes", "Resident memory of the zygote.", others or 0),
        counter("zygote_starts", "Starts of the zygote.", launcher.zygotes),
    ]


def account_row(parts: Parts, key: str) -> AccountStatus | None:
    """Return the status row of an account or agent; ``None`` if there is none."""
    worker = parts.roster.get(key)
    return None if worker is None else worker.status()


def beside_accounts(parts: Parts) -> dict[str, Any]:
    """Return the fields of a report beside the accounts: the gateway's row, channels, agents."""
    gateway: dict[str, Any] = msgspec.to_builtins(parts.gateway.status())
    if gateway["revision"]:
        gateway["revision"] = parts.configuration.seal(gateway["revision"])
    channels = [msgspec.to_builtins(channel) for channel in parts.configuration.channels()]
    return {"gateway": gateway, "channels": channels, "agents": _agents(parts)} | {
        "journal": _journal(parts),
        "ingress": msgspec.to_builtins(parts.configuration.config.ingress),
        "cron": msgspec.to_builtins(parts.configuration.config.cron),
        "hooks": msgspec.to_builtins(parts.configuration.config.hooks),
        "access": _access(parts),
        "conversations": _conversations(parts),
    }


def gateway_boot(parts: Parts, incarnation: int, session_token: str) -> GatewayBoot:
    """Return the bootstrap object of one incarnation of our own gateway."""
    configuration = parts.configuration
    return GatewayBoot(
        incarnation=incarnation,
        version=parts.about.version,
        session_token=session_token,
        secret=parts.secret,
        data=parts.endpoints.data,
        gateway=msgspec.to_builtins(configuration.config.gateway),
        agents=_agents(parts),
        channels=configuration.channels(),
        state_dir=str(parts.places.state_dir),
        config_path=str(parts.places.config_path),
        revision=configuration.seal(configuration.revision),
        canvas=msgspec.to_builtins(configuration.config.canvas_host),
    )


def _journal(parts: Parts) -> dict[str, Any]:
    """Return the retention settings of the gateway's journal."""
    keep: dict[str, Any] = msgspec.to_builtins(parts.configuration.config.journal.keep)
    return keep


def _agents(parts: Parts) -> dict[str, Any]:
    """Return the agents, and which one answers for which account."""
    loaded, section = parts.configuration.loaded, parts.configuration.config.agents
    workers = loaded.workers
    return {
        "default": section.default,
        "maxConcurrent": section.max_concurrent,
        "accounts": {spec.key: spec.agent for spec in _account_specs(parts)},
        "lines": {
            spec.key: spec.agent_line
            for spec in _account_specs(parts)
            if spec.agent_line is not None
        },
        "entries": {
            spec.account_id: _agent(spec, process=spec.key in workers)
            for spec in loaded.agents.values()
        },
    }


def _account_specs(parts: Parts) -> Iterator[AccountSpec]:
    """Yield the specs of all accounts, including those being removed."""
    specs = (account.spec for account in parts.accounts.values())
    return (spec for spec in specs if isinstance(spec, AccountSpec))


def _agent(spec: AgentSpec, *, process: bool) -> dict[str, Any]:
    """Return the gateway's data about an agent, which may not be running."""
    return {
        "kind": spec.manifest.id,
        "name": spec.name,
        "label": spec.label,
        "repeat": spec.repeat,
        "timeoutSeconds": spec.timeout_seconds,
        "maxConcurrent": spec.max_concurrent,
        "process": process,
        "heartbeat": msgspec.to_builtins(spec.heartbeat),
        "attached": spec.is_attached,
        "lacks": list(spec.lacks),
    }


def _conversations(parts: Parts) -> dict[str, Any]:
    """Return the settings of conversations."""
    config = parts.configuration.config
    return {
        "session": msgspec.to_builtins(config.session),
        "bindings": msgspec.to_builtins(config.bindings),
        "queue": msgspec.to_builtins(config.queue),
        "commands": msgspec.to_builtins(config.commands),
    }


def _access(parts: Parts) -> dict[str, Any]:
    """Return the access policies of the accounts."""
    return {spec.key: msgspec.to_builtins(spec.access) for spec in _account_specs(parts)}


def _update_links(parts: Parts) -> LinkReports:
    """Return the state of both links, after updating that of the control link."""
    parts.links.record("control", parts.link.handshakes_refused, parts.link.floods)
    return parts.links


def warnings(parts: Parts) -> list[str]:
    """Return what an operator is warned of, one sentence each.

    What stops messages stands first: the console shows only the first until it is asked for more.
    """
    configuration = parts.configuration
    return [
        *_update_links(parts).warnings(),
        *filter(None, [configuration.invalid, parts.config_watch.failed]),
        *configuration.warnings,
        *pending(parts),
        *parts.gateway.warnings,
        *parts.background.warnings,
        *parts.files.warnings,
        *parts.logs.warnings,
        *parts.holds.warnings,
        *parts.history.warnings,
        *parts.watch.warnings,
        *parts.storm.warnings(),
        *parts.zygote.warnings,
        *parts.channel_zygotes.warnings,
    ]
