"""Explains why a file may not be read or written, and names the command that cures it.

A command of root in a user's directory leaves files that this user cannot change, and the error of
the kernel names neither their owner nor a cure. It imports little: a start needs it only to fail.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ipc.users import user_name

_DENIED = (errno.EACCES, errno.EPERM)
_OF_THE_KERNEL = ("proc", "sys")  # below /: whose files nothing gives away


def describe(error: OSError) -> str:
    """Return the text of a system error, with its file and its cure if there are any."""
    path = _path_of(error)
    return f"{path}: {reason(error)}" if path is not None else reason(error)


def reason(error: OSError) -> str:
    """Return the text of a system error without its file, with the cure if there is one."""
    text, path = error.strerror or str(error), _path_of(error)
    if path is None or error.errno not in (*_DENIED, errno.EROFS):
        return text
    found = cure(path, read_only=error.errno == errno.EROFS, denied=True)
    return f"{text}; {found}" if found else text


def cure(path: Path, *, read_only: bool = False, denied: bool = False) -> str:
    """Return a sentence about what is in the way of writing ``path``; empty if nothing is.

    ``read_only`` is whether its file system is. ``denied``: the kernel has refused it, for the sake
    of another owner too, where the modes alone would allow it (a sticky directory). Without rights
    of their own, commands are those of another user or of root.
    """
    path = Path(os.path.realpath(path))
    if path.parts[1:2] and path.parts[1] in _OF_THE_KERNEL:
        return ""
    if read_only:
        return f"`findmnt -T {_quoted(path)}` names the file system, which must be writable"
    obstacle = _obstacle(path)
    try:
        found = os.stat(obstacle)
        above = os.stat(obstacle.parent)
    except OSError:
        return ""
    own = os.geteuid()
    if _accessible(obstacle) and (found.st_uid == own or not denied):
        return ""  # or an attribute of the file, or a rule of a security module
    if found.st_uid == own:
        rights = "u+rwx" if stat.S_ISDIR(found.st_mode) else "u+rw"
        return f"you have no right to write {obstacle}: `chmod {rights} {_quoted(obstacle)}`"
    owner = user_name(found.st_uid)
    if above.st_uid != own:
        wanted = "given to" if os.path.lexists(path) else "created for"
        return (
            f"{obstacle} belongs to {owner}, not to you: use another path, or have {path} {wanted}"
            " you"
        )
    sudo = "" if own == 0 else "sudo "
    return (
        f"{obstacle} belongs to {owner}, not to you:"
        f" `{sudo}chown -R --from={owner} {user_name(own)} {_quoted(obstacle)}`"
    )


def _path_of(error: OSError) -> Path | None:
    name = error.filename  # or the descriptor of a file
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) and name else None


def _obstacle(path: Path) -> Path:
    """Return the path that prevents access to ``path``, which may not exist."""
    nearest = path
    for directory in reversed(path.parents):
        if not os.path.lexists(directory):
            return nearest
        nearest = directory
        if not os.access(directory, os.X_OK, effective_ids=True):
            return directory
    if os.path.lexists(path) and not _accessible(path):
        return path
    if not os.access(nearest, os.W_OK, effective_ids=True):
        return nearest  # in which it would be created or replaced
    return path


def _accessible(path: Path) -> bool:
    wanted = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    return os.access(path, wanted, effective_ids=True)


def _quoted(path: Path) -> str:
    import shlex  # late: only what fails needs it

    return shlex.quote(str(path))
