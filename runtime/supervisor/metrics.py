"""The supervisor's own figures: how its gateway fares, and what it dropped and swept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipc.metrics import Series, counter, gauge

if TYPE_CHECKING:
    from runtime.supervisor.supervisor import Supervisor


def of_supervisor(supervisor: Supervisor) -> list[Series]:
    """Return them; every one exists from the start."""
    front = supervisor.front
    restarts, attempts = front.restarts, front.attempts
    share = front.sessions / attempts if attempts else 1.0
    return [
        gauge("gateway_up", "1 while the gateway answers.", front.connected),
        gauge("gateway_failures", "Failures of the gateway in a row.", front.child.state.failures),
        counter("gateway_spawns", "Starts of the gateway.", front.spawned),
        counter("gateway_outages", "Losses of a working session.", front.outages),
        counter("gateway_session_attempts", "Tries to open a session.", attempts),
        counter("gateway_sessions", "Sessions that were opened.", front.sessions),
        counter("gateway_reconnects", "Sessions after the first.", max(0, front.sessions - 1)),
        gauge("gateway_session_success_ratio", "Sessions by tries.", share),
        counter("gateway_restarts_asked", "Restarts that were asked for.", restarts.asked),
        counter("gateway_restarts", "Restarts that were made.", restarts.executed),
        counter("gateway_restarts_deferred", "Restarts that were put off.", restarts.deferred),
        counter("gateway_restarts_folded", "Restarts that joined another.", restarts.coalesced),
        counter("stale_events", "Late news of ended processes, dropped.", supervisor.stale),
        counter("swept", "Processes that children left behind, ended.", supervisor.swept),
    ]
