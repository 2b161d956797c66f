"""Checks the files of a runtime: modes, owners, sockets, leftovers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ipc.endpoints import SocketPaths
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity

_OTHERS = 0o077
_SOCKET_BYTES = 107  # of a unix socket's path, unix(7)
_BINDING = 24  # bytes that ZeroMQ adds while it binds
_CLEANERS = (Path("/etc/tmpfiles.d/tmp.conf"), Path("/usr/lib/tmpfiles.d/tmp.conf"))
_FUTURE_SECONDS = 60.0


def state_directory(facts: Facts) -> Iterator[Finding]:
    """Find a state directory that is none, or in which the daemon cannot write."""
    state = path = facts.places.state_dir
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent  # the daemon makes the directories below it
    if not path.is_dir():
        message, cure = f"{path} is not a directory", "remove it, or choose another --state-dir"
    elif os.statvfs(path).f_flag & os.ST_RDONLY:
        message = f"{path} lies on a file system that is mounted read-only"
        cure = f"findmnt -T {path} names it: mount it for writing, or choose another --state-dir"
    elif not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        message = f"you may not write to {path}"
        cure = f"chmod 700 {path} by its owner, or choose another --state-dir"
    else:
        return
    message += ": the daemon keeps nothing there, and does not start"
    yield Finding("files.state", Severity.ERROR, message, str(state), cure)


def modes(facts: Facts) -> Iterator[Finding]:
    """Find directories and files of the runtime that others may read."""
    places = facts.places
    for path in (places.state_dir, places.log_dir, places.run_dir, places.config_path):
        found = _lstat(path)
        if found is None or stat.S_ISLNK(found.st_mode) or not found.st_mode & _OTHERS:
            continue
        mode = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
        yield Finding(
            "files.modes",
            Severity.WARNING,
            f"other users of this host may read {path} (mode {stat.S_IMODE(found.st_mode):o})",
            str(path),
            f"chmod {mode:o} {path}",
            lambda path=path, mode=mode: _chmod(path, mode),  # type: ignore[misc]
        )


def owners(facts: Facts) -> Iterator[Finding]:
    """Find files in the state directory that belong to another user."""
    owner = _lstat(facts.places.state_dir)
    if owner is None:
        return
    strangers: list[str] = []
    owners: dict[int, None] = {}
    for directory, folders, files in os.walk(facts.places.state_dir):
        for name in (*folders, *files):
            found = _lstat(Path(directory, name))
            if found is not None and found.st_uid != owner.st_uid:
                strangers.append(os.path.join(directory, name))
                owners[found.st_uid] = None
    if strangers:
        more = f" and {len(strangers) - 1} more" if strangers[1:] else ""
        yield Finding(
            "files.owners",
            Severity.ERROR,
            f"{strangers[0]}{more} belong to another user than the state directory, and the"
            " daemon cannot change them",
            strangers[0],
            " && ".join(
                f"chown -R --from={other} {owner.st_uid} {facts.places.state_dir}"
                for other in owners
            ),
        )


def socket_paths(facts: Facts) -> Iterator[Finding]:
    """Find sockets whose path is too long for the kernel."""
    longest = max(len(os.fsencode(facts.places.run_dir / name)) for name in ("control.ipc",))
    if longest + _BINDING > _SOCKET_BYTES:
        yield Finding(
            "sockets.path",
            Severity.ERROR,
            f"the path of the sockets, {facts.places.run_dir}, is too long: a unix socket's may"
            f" have {_SOCKET_BYTES} bytes",
            str(facts.places.run_dir),
            "set TRUNKLINE_RUNTIME_DIR to a short directory",
        )


def stale_sockets(facts: Facts) -> Iterator[Finding]:
    """Find the socket of a dead supervisor."""
    path = SocketPaths(facts.places.run_dir).cli
    if facts.status is None and path.exists() and "no supervisor" in (facts.silent or ""):
        yield Finding(
            "sockets.stale",
            Severity.INFO,
            "a killed supervisor has left its socket; the next start replaces it",
            str(path),
            f"rm {path}",
            lambda: _remove(path),
        )


def cleaned_sockets(facts: Facts) -> Iterator[Finding]:
    """Find sockets in a directory whose old files are removed automatically."""
    if not str(facts.places.run_dir).startswith("/tmp/"):  # noqa: S108
        return
    for path in _CLEANERS:
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if len(words) > 5 and words[1] == "/tmp" and words[5] != "-":  # noqa: S108
                yield Finding(
                    "sockets.cleaned",
                    Severity.WARNING,
                    f"the sockets lie in /tmp, which is emptied of what is older than {words[5]}"
                    f" ({path})",
                    str(facts.places.run_dir),
                    "log in with a session of systemd, install the service, or set"
                    " TRUNKLINE_RUNTIME_DIR",
                )
        return  # the one in /etc replaces the other


def clock(facts: Facts) -> Iterator[Finding]:
    """Find files with times in the future: the clock was set back."""
    newest = 0.0
    path = facts.places.state_dir
    for name in ("holds.json", "supervisor.lock", "journal.db"):
        found = _lstat(facts.places.state_dir / name)
        if found is not None and found.st_mtime > newest:
            newest, path = found.st_mtime, facts.places.state_dir / name
    if newest > facts.now + _FUTURE_SECONDS:
        ahead = newest - facts.now
        yield Finding(
            "clock.jumped",
            Severity.WARNING,
            f"{path} was written {ahead:.0f} s in the future: the clock of this host was set back",
            str(path),
            "timedatectl status",
        )


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _chmod(path: Path, mode: int) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # nor wait for a pipe
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)
    return f"mode {mode:o}"


def _remove(path: Path) -> str:
    path.unlink(missing_ok=True)
    return "removed"
