"""Starts the daemon in the background and waits until it is up.

It forks instead of starting a program: the daemon is exactly what ``up`` is, without the terminal.
Its output goes to ``up.log`` beside the logs, and to the operator if it does not come up; errors
that the file does not take, because the disk is full, go to the operator through a pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ipc import timeouts
from ipc.errors import IpcError
from ipc.files import open_to_write
from ipc.frames.words import Phase
from ops.connect.supervisor import connected_supervisor
from ops.exits import ExitCode, OperatorError
from runtime.config.owner import resolve_as_owner
from runtime.config.places import Places
from runtime.supervisor.options import Options
from runtime.supervisor.process_setup import drop_unwritten, set_up, write_error

TICK = 0.05  # seconds between tries: a socket that does not exist yet cannot be waited for


class _GatewayFailed(OperatorError):
    """The daemon runs, but its gateway cannot start without a person."""

    def __init__(self, pid: int, gateway: Mapping[str, Any]) -> None:
        super().__init__(
            f"the gateway does not start: {gateway['lastError']}\n"
            f"the daemon runs without it as pid {pid}: correct the configuration (the gateway is"
            " then started), or `trunkline gateway start`; `trunkline down` ends it",
            ExitCode.CONFIGURATION if gateway["cause"] == "misconfigured" else ExitCode.ERROR,
        )


def start_detached(options: Options, timeout: float) -> int:
    """Start the daemon; return 0 once it is up, or its exit code if it has ended.

    Raises ``OperatorError`` if its gateway cannot start (exit 78 or 1; the daemon keeps running),
    and if it is not up after ``timeout`` seconds (exit 4).
    """
    set_up()  # the directories that are made here are ours alone, too
    places = resolve_as_owner(os.environ, options.flags)
    places.log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    output = places.output
    untaken, spare = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    with (
        open(output, "ab", opener=open_to_write) as log,
        open(untaken, "rb", buffering=0) as errors,
    ):
        begin = log.tell()
        sys.stdout.flush()
        # Ctrl-C waits until the loop takes it, and can end the daemon, which unblocks it itself.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        pid = os.fork()
        if pid == 0:
            _run_daemon(options._replace(detached=True), log.fileno(), spare)
        os.close(spare)
        return _up_or_code(places, pid, begin, timeout, errors)


def _up_or_code(places: Places, pid: int, begin: int, timeout: float, errors: io.FileIO) -> int:
    """Wait for the daemon; return 0 once it is up, or its exit code with its words on stderr."""
    output, watch = places.output, os.pidfd_open(pid)
    try:
        up = asyncio.run(_wait_until_up(places, pid, watch, timeout))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
    except TimeoutError:
        text = _text_since(output, begin).replace("trunkline: ", "")
        raise OperatorError(
            f"{text}not up within {timeout:g} s; it goes on trying as pid {pid}, see {output}",
            ExitCode.TIMEOUT,
        ) from None
    except KeyboardInterrupt:  # an interrupted wait ends the daemon, too
        signal.pidfd_send_signal(watch, signal.SIGTERM)
        raise
    finally:
        os.close(watch)
    if up:
        print(_text_since(output, begin).rstrip() or f"up (pid {pid})")
        return ExitCode.OK
    untaken = (errors.read() or b"").decode(errors="replace")
    if text := (_text_since(output, begin) + untaken).rstrip():
        write_error(text)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256


class _StderrOrSpare(io.TextIOBase):
    """Standard error; what its file does not take goes to the descriptor ``spare``."""

    def __init__(self, spare: int) -> None:
        self._spare = spare

    def fileno(self) -> int:
        return 2

    def write(self, text: str) -> int:
        data = text.encode(errors="backslashreplace")
        try:
            while data:
                data = data[os.write(2, data) :]
        except OSError:
            with contextlib.suppress(OSError):  # the operator is gone, or has read enough
                os.write(self._spare, data)
        return len(text)


def _run_daemon(options: Options, log: int, spare: int) -> NoReturn:
    code = int(ExitCode.ERROR)
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for fd, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, fd)
        if spare != 3:
            spare = os.dup2(spare, 3, inheritable=False)
        # Whatever the caller left open here would stay open as long as the daemon lives.
        os.closerange(4, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        sys.stderr = _StderrOrSpare(spare)
        from runtime.supervisor.main import up

        code = up(options, os.environ)
        drop_unwritten()
    except BaseException:  # noqa: BLE001 - nothing may return into the command line's stack
        traceback.print_exc()
    finally:
        os._exit(code)


async def _wait_until_up(places: Places, pid: int, watch: int, timeout: float) -> bool:
    """Return true once the daemon is up, false if it has ended; raises ``TimeoutError``."""
    with _interruptible():
        async with timeouts.timeout(timeout):
            return await _up_or_ended(places, pid, watch)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Unblock Ctrl-C, which the running loop handles as a cancellation.

    While a loop is created or closed Ctrl-C stays blocked, so that this is not left half done.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))


async def _up_or_ended(places: Places, pid: int, watch: int) -> bool:
    while not select.select([watch], [], [], 0)[0]:
        if await _is_up(places, pid):
            return True
        await asyncio.sleep(TICK)
    return False


async def _is_up(places: Places, pid: int) -> bool:
    """Return whether the supervisor that answers is ours and its gateway is up."""
    changed = asyncio.Event()
    try:
        async with connected_supervisor(places, on_event=lambda _: changed.set()) as client:
            while not client.closed.done():
                status = await client.call("supervisor.status", {})
                if status["supervisor"]["pid"] != pid:
                    return False  # another one: ours will name it when it gives up
                if status["gateway"]["connected"]:
                    return True
                if status["gateway"]["phase"] == Phase.FAILED:
                    raise _GatewayFailed(pid, status["gateway"])
                await changed.wait()
                changed.clear()
    except _GatewayFailed:
        raise
    except (OperatorError, IpcError):
        pass  # not yet; whether it still lives is looked at next
    return False


def _text_since(output: Path, begin: int) -> str:
    with open(output, "rb") as log:
        # The daemon empties one that has become too large, and goes on at its begin.
        log.seek(begin if begin <= log.seek(0, os.SEEK_END) else 0)
        return log.read().decode(errors="replace")
