"""Starts processes through the zygote, as a start method of ``multiprocessing``.

The process class is pickled, so every zygote and every child imports this module: it contains
nothing else.
"""

from __future__ import annotations

import contextlib
import io
import os
import types
from collections.abc import Callable
from multiprocessing import process as mp_process
from multiprocessing import reduction, spawn
from multiprocessing.context import set_spawning_popen
from typing import Any

import uvloop

from runtime.zygote import child
from runtime.zygote.lean_aiomultiprocess import Process, Unit


def fork(target: str, payload: bytes, boot_writer: int, request_pid: Callable[[], int]) -> int:
    """Start ``target`` with ``payload``; return the pid. ``request_pid`` sends the request to fork.

    Call it from one thread only. The child reads its pickled process object from ``boot_writer``.
    """
    _ZygotePopen.request_pid = request_pid
    process = _AioProcess(target, payload, boot_writer)
    process.start()
    mp_process._children.discard(process.aio_process)  # type: ignore[attr-defined]
    pid = process.pid
    assert pid is not None
    return int(pid)


def write_bootstrap(writer: int, body: bytes | memoryview) -> None:
    """Write a child's bootstrap to its pipe; ignore that it has died: its exit is reported."""
    with contextlib.suppress(BrokenPipeError), open(writer, "wb", 0, closefd=False) as pipe:
        left = memoryview(body)
        while left:
            left = left[pipe.write(left) :]


class _ZygotePopen:
    """The start method of ``multiprocessing`` used here: pickled, through the zygote."""

    method = "zygote"
    request_pid: Any = None  # set just before the start

    def __init__(self, process: Any) -> None:
        self.returncode: int | None = None
        # The child must not import our __main__: it is a command line, not a library.
        data = _preparation_data(process.name)
        data.pop("init_main_from_path", None)
        data.pop("init_main_from_name", None)
        buffer = io.BytesIO()
        set_spawning_popen(self)  # type: ignore[arg-type]  # typed for Python's own only
        try:
            reduction.dump(data, buffer)
            reduction.dump(process, buffer)
        finally:
            set_spawning_popen(None)
        self.pid = _ZygotePopen.request_pid()
        self.sentinel = self.pid
        write_bootstrap(process.boot_writer, buffer.getbuffer())

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        """Return the exit code: always ``None``, because ``Process.wait`` reaps."""
        return self.returncode


def _preparation_data(name: str) -> dict[str, Any]:
    """Return the preparation data of ``multiprocessing`` for a child."""
    try:
        return spawn.get_preparation_data(name)
    except FileNotFoundError:  # that directory was deleted: no reason to start nothing any more
        os.chdir("/")
        return spawn.get_preparation_data(name)


class _ForkedProcess(mp_process.BaseProcess):
    """A ``multiprocessing`` process that the zygote forks."""

    _start_method = "forkserver"  # the nearest that multiprocessing knows
    boot_writer = -1

    @staticmethod
    def _Popen(process: Any) -> _ZygotePopen:  # noqa: N802 - multiprocessing's name
        return _ZygotePopen(process)


class _AioProcess(Process):  # type: ignore[misc]  # it has no types
    """``aiomultiprocess.Process`` without its Manager: results travel on our own links."""

    def __init__(self, target: str, payload: bytes, boot_writer: int) -> None:
        self.unit = Unit(
            target=child.run,
            args=(target, payload),
            kwargs={},
            namespace=types.SimpleNamespace(),
            initializer=None,
            initargs=(),
            loop_initializer=uvloop.new_event_loop,
        )
        self.aio_process = _ForkedProcess(target=Process.run_async, args=(self.unit,))
        self.aio_process.boot_writer = boot_writer
