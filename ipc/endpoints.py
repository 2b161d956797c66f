"""Defines the paths of the sockets of one boot, and checks their directory.

The path of a unix socket is limited to 107 bytes (sun_path, unix(7)); beyond that the error of the
kernel or ZeroMQ names neither the path nor the cure.
"""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path

from ipc.errors import EndpointError

MAX_PATH_BYTES = 107
BINDING_SUFFIX_BYTES = 9  # ``.`` and 8 characters: a Router binds beside its path, then renames


class SocketPaths:
    """The sockets in ``run_dir``: two for ZeroMQ (``ipc://…``), and ``cli`` as a path."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.control = f"ipc://{run_dir / 'control.ipc'}"
        self.data = f"ipc://{run_dir / 'data.ipc'}"
        self.cli = run_dir / "cli.sock"

    def prepare(self) -> None:
        """Create the directory, accessible by its owner only. Raises ``EndpointError``.

        If it exists it must be a directory of ours, not a symbolic link (a usual attack in /tmp);
        its mode is set to 0700.
        """
        for address in (self.control, self.data, str(self.cli)):
            check_path(socket_path(address), reserve=BINDING_SUFFIX_BYTES)
        try:
            self.run_dir.parent.mkdir(parents=True, exist_ok=True)
            self.run_dir.mkdir(mode=0o700, exist_ok=True)
            self.require_ours()
            os.chmod(self.run_dir, 0o700)
        except OSError as error:
            raise EndpointError(f"{self.run_dir}: {error.strerror}; {_CURE}") from None
        if not os.access(self.run_dir, os.W_OK | os.X_OK):
            raise EndpointError(f"{self.run_dir}: not writable; {_CURE}")

    def require_ours(self) -> None:
        """Raise ``EndpointError`` unless the directory is one of ours.

        Whoever makes it before us, in /tmp, could answer in the place of the supervisor: it names
        the commands that get a secret. Raises ``FileNotFoundError`` if there is none.
        """
        found = os.lstat(self.run_dir)
        if not stat.S_ISDIR(found.st_mode):
            raise EndpointError(f"{self.run_dir}: not a directory; {_CURE}")
        if found.st_uid != os.geteuid():
            from ipc.users import user_name  # late: only what fails needs it

            owner = user_name(found.st_uid)
            raise EndpointError(f"{self.run_dir}: belongs to user {owner}, not to us; {_CURE}")


_CURE = "set TRUNKLINE_RUNTIME_DIR (or XDG_RUNTIME_DIR) to a short directory of your own"


def confined_run_dir(run_dir: Path, key: str) -> Path:
    """Return the socket directory of a confined account, which may not write elsewhere.

    Its name is short for any key, because socket paths are limited.
    """
    return run_dir / f"{zlib.crc32(key.encode()):08x}"


def local_socket(run_dir: Path, account_id: str) -> Path:
    """Return the path of the socket on which an account of the channel ``local`` listens."""
    return run_dir / f"local-{account_id}.sock"


def find_local_socket(run_dir: Path, key: str) -> Path:
    """Return the socket path of a running ``local`` account, confined or not."""
    account_id = key.partition(":")[2]
    confined = local_socket(confined_run_dir(run_dir, key), account_id)
    return confined if confined.exists() else local_socket(run_dir, account_id)


def socket_path(address: str) -> Path:
    """Return the path of ``ipc://PATH``, or the argument if it is a path."""
    return Path(address.removeprefix("ipc://"))


def check_path(path: Path, *, reserve: int = 0) -> None:
    """Raise ``EndpointError`` if a path (plus ``reserve`` bytes) is too long for a unix socket."""
    length = len(os.fsencode(path)) + reserve
    if length > MAX_PATH_BYTES:
        raise EndpointError(
            f"{path}: {length} bytes are too long for a socket path"
            f" (at most {MAX_PATH_BYTES}); {_CURE}"
        )
