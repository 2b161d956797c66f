"""Installs, removes and shows the systemd service of a runtime."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipc.files import write_atomically
from ipc.users import user_name
from ops.connect.identity import own_version
from ops.connect.places import flags_of
from ops.connect.supervisor import call_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError, UsageFailure
from ops.service.installed import service_command
from ops.service.systemd import Systemd
from ops.service.unit import (
    MARKED,
    MARKER,
    Scope,
    UnitFacts,
    command_of,
    credentials_of,
    environment_of,
    unit_name,
    unit_text,
)
from ops.service.variables import missing_variables, used_variables
from runtime.config.errors import ConfigError
from runtime.config.files import read_text
from runtime.config.places import Places, resolve, run_dir_name
from runtime.config.text.parse import parse

OPEN_FILES = 65536  # 500 accounts need about 10,000
PROPERTIES = ("LoadState", "ActiveState", "SubState", "MainPID", "UnitFileState", "Result")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_.-]+\Z")  # a file name, systemd.exec(5)
_PATHS = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one runtime: its unit and its service manager."""

    systemd: Systemd
    name: str
    user: str
    places: Places

    @property
    def file(self) -> Path:
        """The unit file."""
        return self.systemd.units / self.name

    @property
    def scope(self) -> Scope:
        """Whether it is the system's or the user's."""
        return self.systemd.scope


def service_of(target: RuntimeTarget, scope: Scope | None, run_as: str | None = None) -> Service:
    """Return the service of a runtime; the default scope is the system for root, else the user.

    ``run_as`` is the user of a service of the system; by default the one who typed ``sudo``, or
    root. Raises ``UsageFailure`` where a user is named for another scope or is not known, and
    ``OperatorError`` where the state directory belongs to another user.
    """
    chosen: Scope = scope or ("system" if os.geteuid() == 0 else "user")
    caller = user_name(os.geteuid())
    if chosen == "user":
        if run_as is not None:
            raise UsageFailure("--run-as is for --system; a user's service runs as that user")
        places = resolve(os.environ, flags_of(target))
        return Service(Systemd(chosen), unit_name(places.profile), caller, places)
    user = run_as or (os.environ.get("SUDO_USER") if os.geteuid() == 0 else None) or caller
    try:
        home = pwd.getpwnam(user).pw_dir
    except KeyError:
        raise UsageFailure(f"there is no user {user!r}") from None
    if user != caller:  # the platform's directories are those of the user's home
        os.environ.update(HOME=home)
        for name in _PATHS[1:]:
            os.environ.pop(name, None)
    places = resolve(os.environ, flags_of(target))
    _must_own(user, places.state_dir)
    return Service(Systemd(chosen), unit_name(places.profile), user, places)


def install(
    service: Service, credentials: Sequence[str] = (), *, force: bool = False
) -> dict[str, Any]:
    """Write the unit, start it now and at each boot; return what was done.

    Does nothing if all is so already. Returns once the daemon has reported that it is ready. Raises
    ``OperatorError`` if there is another unit file and ``force`` is not given (with it a copy is
    kept), if a daemon runs outside the service, and if the service does not start.
    """
    if service.scope == "system" and os.geteuid() != 0:
        raise OperatorError("a service of the system needs root: `sudo trunkline service install`")
    before = read_unit(service.file)
    kept = credentials_of(before) if before is not None and not credentials else ()
    text = unit_text(facts_of(service, tuple(map(_credential, credentials)) or kept))
    state = service.systemd.properties(service.name, PROPERTIES)
    _must_run_alone(service, state)
    done: dict[str, Any] = {"unit": str(service.file), "scope": service.scope}
    if before != text:
        if before is not None and not force:
            raise OperatorError(
                f"{service.file} differs from what would be written now (`trunkline service status`"
                " says how); --force replaces it and keeps a copy"
            )
        done["backup"] = None if before is None else str(_kept(service.file, before))
        _write(service.file, text)
        service.systemd.control("daemon-reload")
    running = state.get("ActiveState") == "active"
    enabled = state.get("UnitFileState") == "enabled"
    done["outcome"] = "unchanged" if before == text and running and enabled else "installed"
    done["restartNeeded"] = running and before != text
    if done["outcome"] == "installed":
        try:
            service.systemd.control("enable", "--now", service.name)
        except OperatorError as error:
            raise OperatorError(f"{error}\nsee `trunkline service logs`", error.exit) from None
    if service.scope == "user":
        done["lingers"] = service.systemd.lingers(service.user)
    given = {*environment_of(text), *_variables(service)}
    done["notPassed"] = missing_variables(os.environ, _used_variables(service.places), given)
    return done


def uninstall(service: Service) -> bool:
    """Stop the service and remove its unit; return whether there was one. The state is kept."""
    if service.scope == "system" and os.geteuid() != 0:
        raise OperatorError(
            "a service of the system needs root: `sudo trunkline service uninstall`"
        )
    if read_unit(service.file) is None:
        return False
    service.systemd.control("disable", "--now", service.name)
    service.file.unlink(missing_ok=True)
    service.systemd.control("daemon-reload")
    return True


def service_status(service: Service) -> dict[str, Any]:
    """Return what is installed, its state, and how it differs from a new installation."""
    text = read_unit(service.file)
    found: dict[str, Any] = {
        "unit": str(service.file),
        "scope": service.scope,
        "user": service.user,
        "installed": text is not None,
        "doubts": [] if text is None else doubts(service, text),
    }
    other: Scope = "user" if service.scope == "system" else "system"
    if text is None and (Systemd(other).units / service.name).exists():
        found["otherScope"] = other
    state = service.systemd.properties(service.name, PROPERTIES)
    found |= {
        "active": state.get("ActiveState") or "unknown",
        "substate": state.get("SubState"),
        "enabled": state.get("UnitFileState") == "enabled",
        "pid": int(state.get("MainPID") or 0) or None,
        "result": state.get("Result"),
        "variables": sorted(_variables(service)),
    }
    if service.scope == "user":
        found["lingers"] = service.systemd.lingers(service.user)
    return found


def doubts(service: Service, text: str) -> list[str]:
    """Return how a unit file differs from what an installation would write now."""
    found = []
    environment = environment_of(text)
    if environment.get(MARKER) != MARKED:
        found.append("it was not written by trunkline")
    wanted = facts_of(service)
    command = command_of(text)
    if command != list(wanted.command):
        found.append(f"it starts `{' '.join(command)}`, not `{' '.join(wanted.command)}`")
    if command and not os.access(command[0], os.X_OK):
        found.append(f"its interpreter {command[0]} does not exist")
    for line in unit_text(wanted).splitlines():
        name = line.partition("=")[0]
        if "=" in line and not line.startswith(("#", "ExecStart=")) and line not in text:
            had = [each for each in text.splitlines() if each.startswith(f"{name}=")]
            found.append(f"{' '.join(had) or f'{name}= is missing'}; now `{line}`")
    return found


def control(service: Service, verb: str) -> None:
    """Start, stop or restart the service by systemd; raises ``OperatorError`` if not installed."""
    if read_unit(service.file) is None:
        other: Scope = "user" if service.scope == "system" else "system"
        there = (Systemd(other).units / service.name).exists()
        todo = (
            f"that of the {other} does: `{service_command(verb, other)}`"
            if there
            else "`trunkline service install` writes it"
        )
        raise OperatorError(f"{service.file} does not exist; {todo}", ExitCode.NOT_RUNNING)
    service.systemd.control(verb, service.name)


def facts_of(service: Service, credentials: tuple[tuple[str, Path], ...] = ()) -> UnitFacts:
    """Return the facts for the unit: this interpreter and this configuration."""
    places = service.places
    chosen = (
        ("--profile", places.profile)
        if places.profile
        else ("--state-dir", str(places.state_dir), "--config", str(places.config_path))
    )
    # -P: what lies in the directory of the start is no module of ours
    program = (sys.executable, "-P", "-m", "ops.cli.entry")
    return UnitFacts(
        scope=service.scope,
        command=(*program, *chosen, "up", "--quiet"),
        version=own_version(),
        state_dir=places.state_dir,
        config_dir=places.config_path.parent,
        run_name=run_dir_name(places.state_dir),
        open_files=OPEN_FILES,
        user=service.user if service.scope == "system" else None,
        credentials=credentials,
    )


def _variables(service: Service) -> set[str]:
    """Return the names of the variables that the service gets; none where systemd is absent."""
    try:
        return service.systemd.variables(service.name)
    except OperatorError:
        return set()


def _used_variables(places: Places) -> frozenset[str]:
    """Return the variables that the configuration names; none where it cannot be read."""
    try:
        return used_variables(parse(places.config_path, read_text(places.config_path))[0])
    except ConfigError:  # reported by the daemon
        return frozenset()


def read_unit(path: Path) -> str | None:
    """Read a unit file; ``None`` if there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _credential(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (equals and _CREDENTIAL.match(name) and os.path.isabs(path)):
        raise UsageFailure(f"--credential takes NAME=/path/of/a/file, not {text!r}")
    if not os.path.exists(path):  # systemd starts no service whose credential is missing
        raise UsageFailure(f"--credential {name}: {path} does not exist")
    return name, Path(path)


def _must_own(user: str, state_dir: Path) -> None:
    try:
        owner = state_dir.stat().st_uid
    except OSError:
        return
    if owner != pwd.getpwnam(user).pw_uid:
        name = user_name(owner)
        raise OperatorError(f"{state_dir} belongs to {name}, not to {user}; use --run-as {name}")


def _must_run_alone(service: Service, state: dict[str, str]) -> None:
    """Raise ``OperatorError`` if a daemon of this state directory runs outside the service."""
    try:
        status = asyncio.run(call_supervisor(service.places, "supervisor.status", {}))
    except OperatorError:
        return
    pid = status["supervisor"]["pid"]
    if str(pid) != state.get("MainPID"):
        raise OperatorError(
            f"a daemon already runs outside the service (pid {pid}); `trunkline down` ends it"
        )


def _kept(path: Path, text: str) -> Path:
    copy = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
    _write(copy, text)
    return copy


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode(), mode=0o644)
