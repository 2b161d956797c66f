"""Decides the paths of state, configuration, sockets and logs, and the default port.

A flag counts first (``--profile`` and ``--dev`` too), then the environment, then the platform's
default. Only this module and ``load`` read these variables. It imports little: a start resolves
its places before the zygote, and the model of the configuration needs the port alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ipc.hidden_fields import hide_fields
from runtime.config.errors import config_error

DEFAULT_PORT = 18789  # OpenClaw's: its clients find this gateway without a word
DEV = "dev"  # the profile that --dev means
DEV_PORT = 19001  # OpenClaw's
RUN = "run"  # in the state directory: the link to where the sockets lie
PLACES = ("TRUNKLINE_STATE_DIR", "TRUNKLINE_CONFIG_PATH", "TRUNKLINE_RUNTIME_DIR")
NAMES = ("trunkline.json5", "trunkline.json", "trunkline.toml")  # of the configuration file
# Ports of profiles: below those that the kernel gives to clients (from 32768).
_FIRST_PORT, _PORTS = 20_000, 10_000
_HOMELESS = (
    "is not known: HOME is not set and this user has no entry in the passwd file; set HOME,"
    " or TRUNKLINE_STATE_DIR to an absolute path"
)
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")


@hide_fields("token")
@dataclass(frozen=True, slots=True)
class Flags:
    """The values of command-line options; ``None`` if not given."""

    state_dir: Path | None = None
    config_path: Path | None = None
    profile: str | None = None
    dev: bool = False
    port: int | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one runtime. ``default_port`` is used if the file has no port.

    ``run_dir`` is short, because the path of a unix socket may have only 107 bytes.
    """

    state_dir: Path
    config_path: Path
    run_dir: Path
    log_dir: Path
    profile: str | None
    default_port: int = DEFAULT_PORT

    @property
    def output(self) -> Path:
        """The file for the output of a detached supervisor."""
        return self.log_dir / "up.log"

    def storage_of(self, key: str) -> Path:
        """Return the directory of an account's or agent's own files."""
        return self.state_dir / "accounts" / key

    def link_run_dir(self) -> None:
        """Create a link to ``run_dir`` in the state directory, for commands in other environments.

        A login session has ``XDG_RUNTIME_DIR`` and a service often has not: through the link
        the command line finds the sockets of a daemon that was started elsewhere. There is no
        link where the sockets' directory itself lies, or has lain. Raises ``OSError``.
        """
        link = self.state_dir / RUN
        if link.is_symlink():
            if link.readlink() == self.run_dir:
                return
        elif link.is_dir():
            return
        fresh = self.state_dir / f".run.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.run_dir)
        fresh.replace(link)

    def relink_run_dir(self) -> None:
        """Create the link again if it was removed. Raises ``OSError``."""
        if not os.path.lexists(self.state_dir / RUN):
            self.link_run_dir()

    def unlink_run_dir(self) -> None:
        """Remove the link if ``run_dir`` itself belongs at its path."""
        here = self.run_dir.parent.resolve() == self.state_dir.resolve()
        if here and self.run_dir.name == RUN and self.run_dir.is_symlink():
            self.run_dir.unlink()


def resolve(environ: Mapping[str, str], flags: Flags = Flags()) -> Places:
    """Return the paths for flags and environment; creates nothing.

    Raises ``ConfigError`` for an impossible profile, and for two configuration files.
    """
    given = flags.profile or (DEV if flags.dev else None)
    profile = given or environ.get("TRUNKLINE_PROFILE") or None
    if given:  # a world of its own: the places in the environment are those of another one
        environ = {k: v for k, v in environ.items() if k not in PLACES}
    if profile is not None and not _PROFILE.match(profile):
        allowed = "1 to 32 letters, digits, '_' or '-', the first one a letter or digit"
        raise config_error("profile", f"impossible name; allowed: {allowed}", profile)
    name = f"trunkline-{profile}" if profile else "trunkline"
    chosen = flags.state_dir or _path(environ, "TRUNKLINE_STATE_DIR")
    state = _expanded(chosen or _platform_path(name, "state"))
    # A state directory that was chosen is a world of its own, with its configuration in it.
    home = state if chosen else _platform_path(name, "config")
    config = flags.config_path or _path(environ, "TRUNKLINE_CONFIG_PATH") or _existing(home)
    return Places(
        state_dir=state,
        config_path=_expanded(config),
        run_dir=_run_dir(environ, state),
        log_dir=state / "logs",
        profile=profile,
        default_port=_port(profile),
    )


def run_dir_name(state: Path) -> str:
    """Return the name of the socket directory of a state directory."""
    return f"trunkline-{_digest(str(state.resolve()))}"


def _platform_path(name: str, kind: Literal["state", "config"]) -> Path:
    """Return the platform's directory for an application of this name."""
    import platformdirs  # late: 6 ms that a chosen state directory does not need

    find = platformdirs.user_state_path if kind == "state" else platformdirs.user_config_path
    try:
        path = find(name)
    except RuntimeError:  # newer ones raise
        path = Path(name)
    if not path.is_absolute() or os.environ.get("HOME") == "":  # an empty one would mean /
        raise config_error("home directory", _HOMELESS)
    return path


def _expanded(path: Path) -> Path:
    """Return ``path`` as an absolute path, with a leading ``~`` expanded."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise config_error(path, _HOMELESS) from None
    except FileNotFoundError:
        text = "is relative, and the current directory was deleted; give an absolute path"
        raise config_error(path, text) from None


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(value) if (value := environ.get(name)) else None


def _existing(home: Path) -> Path:
    """Return the configuration file in ``home``, or the path for a new one."""
    # Not Path.exists, which raises where this user may not look: `owner` names who may.
    there = [home / name for name in NAMES if os.path.exists(home / name)]
    if len(there) > 1:
        names = ", ".join(each.name for each in there)
        text = f"has several configuration files ({names}); allowed: one"
        raise config_error(home, text)
    return there[0] if there else home / NAMES[0]


def _port(profile: str | None) -> int:
    if profile is None or profile == DEV:
        return DEV_PORT if profile else DEFAULT_PORT
    return _FIRST_PORT + int(_digest(profile), 16) % _PORTS


def _run_dir(environ: Mapping[str, str], state: Path) -> Path:
    """Return the socket directory, always the same for a state directory."""
    if chosen := _path(environ, "TRUNKLINE_RUNTIME_DIR"):
        return _expanded(chosen)
    name = run_dir_name(state)
    recorded = state / RUN
    if os.path.islink(recorded):  # which raises as little as exists
        target = recorded.readlink()
        if target.name.endswith(name.removeprefix("trunkline-")) and _is_ours(target):
            return target
    session = _path(environ, "XDG_RUNTIME_DIR")
    if session and session.is_absolute() and _is_ours(session):
        return session / name
    return Path("/tmp") / name.replace("trunkline-", f"trunkline-{os.getuid()}-")  # noqa: S108


def _is_ours(path: Path) -> bool:
    """Return whether this user owns the directory; with sudo, XDG_RUNTIME_DIR is another's."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
