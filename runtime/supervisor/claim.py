"""One supervisor per runtime directory: the sockets there have fixed names.

A second one, of another state directory, would replace the sockets of the first, whose workers
and operators would then talk to a stranger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ipc.endpoints import Endpoints
from ipc.errors import EndpointError
from runtime.config.places import Places
from runtime.supervisor.lock import Held, Lock, named

NAME = "sockets.lock"  # not that of the state directory: one may be the other


@contextmanager
def sockets_of(places: Places) -> Iterator[None]:
    """Hold the runtime directory, made where it is missing.

    Raises ``EndpointError`` when that cannot be, or when another supervisor has it.
    """
    places.make_room()
    Endpoints(places.run_dir).prepare()
    lock = Lock(places.run_dir / NAME, places.state_dir)
    try:
        lock.take()
    except Held as error:
        of = f" of {error.owner.state_dir}" if error.owner and error.owner.state_dir else ""
        raise EndpointError(
            f"{places.run_dir}: {named(error.owner)} has its sockets{of} there;"
            " set TRUNKLINE_RUNTIME_DIR to another directory, or to none"
        ) from None
    try:
        yield
    finally:
        lock.release()
