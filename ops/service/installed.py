"""Finds the unit that starts the daemon of a runtime, and names the command that starts it."""

from __future__ import annotations

import os

from ops.service.systemd import Systemd
from ops.service.unit import Scope, command_of, unit_name
from runtime.config.places import Places

SCOPES: tuple[Scope, ...] = ("user", "system")


def start_command(places: Places) -> str:
    """Return the command that starts the daemon: its service, where one is installed."""
    scope = installed_scope(places)
    return "trunkline up" if scope is None else service_command("start", scope)


def installed_scope(places: Places) -> Scope | None:
    """Return the scope of the unit that starts this runtime; ``None`` without one."""
    for scope in SCOPES:
        try:
            command = command_of((Systemd(scope).units / unit_name(places.profile)).read_text())
        except (OSError, ValueError):  # no unit, or none that could be ours
            continue
        if places.profile is not None or str(places.state_dir) in command:
            return scope
    return None


def service_command(verb: str, scope: Scope) -> str:
    """Return the command for a verb of the service, as this user types it."""
    sudo = "sudo " if scope == "system" and os.geteuid() != 0 else ""
    return f"{sudo}trunkline service {verb} --{scope}"
