"""Writes the systemd unit of a runtime, and parses units. Pure.

Directives are those of systemd 252 (Debian 12): systemd.unit(5), systemd.service(5),
systemd.exec(5). Each has a comment with its reason, for readers of the installed file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MARKER = "TRUNKLINE_SERVICE_MARKER"
MARKED = "trunkline"  # its value in our units
KIND = "TRUNKLINE_SERVICE_KIND"
VERSION = "TRUNKLINE_SERVICE_VERSION"

Scope = Literal["system", "user"]


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """The facts by which the units of runtimes differ.

    ``command`` is the whole command line of the daemon; ``user`` runs it in the system's scope.
    ``run_name`` names the directory of its sockets below ``/run`` there. ``credentials`` are
    files that systemd hands over, by the name under which the configuration refers to them.
    """

    scope: Scope
    command: tuple[str, ...]
    version: str
    state_dir: Path
    config_dir: Path
    run_name: str
    open_files: int
    user: str | None = None
    credentials: tuple[tuple[str, Path], ...] = ()


def unit_name(profile: str | None) -> str:
    """Return the name of the unit of a profile."""
    return f"trunkline-{profile}.service" if profile else "trunkline.service"


def unit_text(facts: UnitFacts) -> str:
    """Return the unit file."""
    system = facts.scope == "system"
    sections = [_unit(system), _service(facts), _install(system)]
    return "\n".join(sections)


def command_of(text: str) -> list[str]:
    """Return the command line of a unit file, empty where it has none."""
    for line in text.splitlines():
        if line.startswith("ExecStart="):
            words = shlex.split(line.removeprefix("ExecStart="))
            return [word.replace("$$", "$").replace("%%", "%") for word in words]
    return []


def environment_of(text: str) -> dict[str, str]:
    """Return what the ``Environment=`` lines of a unit file set."""
    found = {}
    for line in text.splitlines():
        if line.startswith("Environment="):
            for word in shlex.split(line.removeprefix("Environment=")):
                name, _, value = word.partition("=")
                found[name] = value.replace("%%", "%")
    return found


def credentials_of(text: str) -> tuple[tuple[str, Path], ...]:
    """Return the credential files of a unit file, by name."""
    pairs = [
        line.removeprefix("LoadCredential=").replace("%%", "%").partition(":")
        for line in text.splitlines()
        if line.startswith("LoadCredential=")
    ]
    return tuple((name, Path(path)) for name, _, path in pairs)


def _unit(system: bool) -> str:
    lines = [
        "# Written by `trunkline service install`; `--force` writes it anew and keeps a copy.",
        "# Local changes belong into a drop-in: `systemctl edit`.",
        "[Unit]",
        "Description=Trunkline: chat accounts, each in a process of its own",
    ]
    if system:
        lines += [
            "# Accounts wait for a network by themselves; this spares them the first refusals.",
            "Wants=network-online.target",
            "After=network-online.target",
        ]
    return "\n".join(
        [
            *lines,
            "# Never given up: a start that fails is tried again, whatever the number of tries.",
            "StartLimitIntervalSec=0",
            "",
        ]
    )


def _service(facts: UnitFacts) -> str:
    lines = [
        "[Service]",
        "# Ready when the gateway answers. Only the supervisor itself may report.",
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={_line(facts.command)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        f"Environment={_line([f'{MARKER}={MARKED}', f'{KIND}=supervisor'])}",
        f"Environment={_line([f'{VERSION}={facts.version}'])}",
        "# A supervisor whose loop hangs gives no sign of life, and is started anew.",
        "WatchdogSec=30",
        "Restart=always",
        "RestartSec=2",
        "# A wrong configuration is not cured by a new start; it waits for a person.",
        "RestartPreventExitStatus=78",
        "# SIGTERM to the supervisor alone, which ends its accounts in order; the rest is killed.",
        "KillMode=mixed",
        "TimeoutStopSec=20",
        "# Memory limits of accounts are cgroups below ours.",
        "Delegate=yes",
        "# Sockets and pipes of every account, and a reserve.",
        f"LimitNOFILE={facts.open_files}",
        "UMask=0077",
        "# A setuid program that a plugin starts gains nothing.",
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        *(_system_lines(facts) if facts.scope == "system" else ()),
        *(_credential_lines(facts.credentials)),
        "",
    ]
    return "\n".join(lines)


def _system_lines(facts: UnitFacts) -> Iterable[str]:
    places = _line(sorted({f"-{facts.state_dir}", f"-{facts.config_dir}"}))
    return [
        f"User={_escaped(facts.user or 'root')}",
        "# Sockets lie in /run, which no cleaner of temporary files empties.",
        f"RuntimeDirectory={facts.run_name}",
        "RuntimeDirectoryMode=0700",
        f"Environment=TRUNKLINE_RUNTIME_DIR=/run/{facts.run_name}",
        "# The system is read-only, but for the state and the configuration, which",
        "# `trunkline channels add` changes. The - permits that they do not exist: the first",
        "# start makes them. ProtectHome= would hide interpreters in a home directory,",
        "# PrivateTmp= checkouts in /tmp, ProtectControlGroups= our own cgroups; and agents bring",
        "# sandboxes of their own, which RestrictNamespaces= would forbid.",
        "ProtectSystem=full",
        f"ReadWritePaths={places}",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
    ]


def _credential_lines(credentials: Iterable[tuple[str, Path]]) -> Iterable[str]:
    if credentials:
        yield '# Secrets: {source: "credential", id: "NAME"} in the configuration.'
    for name, path in credentials:
        yield f"LoadCredential={name}:{_escaped(str(path))}"


def _install(system: bool) -> str:
    return f"[Install]\nWantedBy={'multi-user.target' if system else 'default.target'}\n"


def _line(words: Iterable[str]) -> str:
    return " ".join(map(_word, words))


_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")


def _word(word: str) -> str:
    """Quote a word as systemd.service(5), "Command lines", requires."""
    word = _escaped(word).replace("$", "$$")
    if _PLAIN.match(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    """Escape ``%`` so that it begins no specifier (systemd.unit(5), "Specifiers")."""
    return text.replace("%", "%%")
