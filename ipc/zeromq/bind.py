"""Where a bound socket's file comes from, and how it never gets in the way of the next start."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import zmq

from ipc.endpoints import BINDING_SUFFIX_BYTES, check_path
from ipc.errors import EndpointError

_bindings = itertools.count()


def bind(socket: zmq.Socket[bytes], path: Path) -> int:
    """Bind beside ``path``, then rename: whatever a crash left there is replaced in one step.

    An old binder that closes late unlinks the name it bound, never the new socket; and there
    is no moment without a file, which a connector would answer by waiting longer.
    """
    suffix = f".{os.getpid():x}{next(_bindings) % 256:02x}"
    beside = path.with_name(path.name + suffix[-BINDING_SUFFIX_BYTES:])
    check_path(beside)
    if os.path.lexists(path) and not path.is_socket():
        raise EndpointError(f"{path}: is there and is no socket")
    try:
        socket.bind(f"ipc://{beside}")
        os.rename(beside, path)
    except (OSError, zmq.ZMQError) as error:
        beside.unlink(missing_ok=True)
        raise EndpointError(f"{path}: {error.strerror}") from None
    return os.lstat(path).st_ino
