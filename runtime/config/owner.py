"""Resolves the paths of a runtime as the user who owns its state directory.

A command of root in the state of a service user would leave files there that this user cannot
read; so root becomes that user before it opens anything, and likewise where there is no state yet
in a user's directory (sudo may keep ``HOME``). Nothing is ever given to another user
by its path: a link in that directory could lead anywhere. A user who is not root and does not
own the directory gets an error with the name of its owner.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
import sys
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

from ipc.users import user_name
from runtime.config.places import Flags, Places, resolve

_SOURCE = Path(__file__)  # of our code, which the user must be able to read


def resolve_as_owner(environ: MutableMapping[str, str], flags: Flags) -> Places:
    """Switch this process to the owner of the state directory, and return the paths.

    ``HOME``, ``USER`` and ``LOGNAME`` of ``environ`` follow; a ``HOME`` that is the owner's stays,
    because the default places depend on it. Raises ``ConfigError`` as
    ``resolve``, and ``PermissionError`` with one sentence where this process is not the owner
    and cannot become it.
    """
    try:
        places = resolve(environ, flags)
        found = places.state_dir.stat()
    except FileNotFoundError:
        if os.geteuid() != 0:
            return places  # there is nothing yet: it will be ours, or cannot be made
        found = _nearest(places.state_dir)
    except NotADirectoryError:
        return places  # reported where the directory is made
    if found.st_uid == os.geteuid() or not stat.S_ISDIR(found.st_mode):
        return places  # of a file that lies there, too
    uid = found.st_uid
    name = user_name(uid)
    if os.geteuid() != 0:
        raise PermissionError(
            errno.EPERM,
            f"{places.state_dir} belongs to {name}, not to you; use {_sudo(uid)}",
        )
    _drop_root(uid, found.st_gid, places.state_dir)
    kept = environ.get("HOME", "")
    if not _belongs(kept, uid):
        kept = _home(uid) or str(places.state_dir)
    environ.update({"HOME": kept, "USER": name, "LOGNAME": name})
    # The same places as root has found, but the sockets of this user.
    return resolve(
        environ, replace(flags, state_dir=places.state_dir, config_path=places.config_path)
    )


def _nearest(path: Path) -> os.stat_result:
    """Return the facts of the nearest directory above ``path`` that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.stat()


def _belongs(path: str, uid: int) -> bool:
    """Return whether a directory belongs to a user."""
    try:
        return os.stat(path).st_uid == uid
    except OSError:
        return False


def _home(uid: int) -> str | None:
    """Return the home directory of a user, or ``None`` of one without an entry."""
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return None


def _sudo(uid: int) -> str:
    """Return how to run a command as a user; sudo marks a number, which a shell must not see."""
    name = user_name(uid)
    user = f"'#{uid}'" if name == str(uid) else name
    return "`sudo trunkline …`" if uid == 0 else f"`sudo -u {user} trunkline …`"


def _drop_root(uid: int, gid: int, state_dir: Path) -> None:
    """Drop root privileges permanently; change nothing if that is not possible."""
    try:
        gid = pwd.getpwuid(uid).pw_gid
        groups = os.getgrouplist(user_name(uid), gid)
    except KeyError:
        groups = [gid]
    before = os.getgroups()
    try:
        os.setgroups(groups)
        os.setegid(gid)
        os.seteuid(uid)
        usable = _usable()
        os.seteuid(0)
        os.setegid(0)
        if usable:
            os.setgid(gid)
            os.setuid(uid)
            return
        os.setgroups(before)
        why = f"who cannot read {_SOURCE.parents[2]} or run {sys.executable}"
    except OSError as error:
        why = f"whom this process cannot become ({error.strerror})"
    said = f"{state_dir} belongs to {user_name(uid)}, {why}; use {_sudo(uid)}"
    raise PermissionError(errno.EPERM, said)


def _usable() -> bool:
    """Return whether the effective user can run this code."""
    return os.access(sys.executable, os.X_OK, effective_ids=True) and os.access(
        _SOURCE, os.R_OK, effective_ids=True
    )
