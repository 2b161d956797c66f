"""The process that forks workers: it has imported what they share, and nothing else happens in it.

It is a process of its own so that a fork is cheap and clean: no threads, no ZeroMQ context, no
event loop, no secrets. It forks twice, so that each child is orphaned at once and adopted by the
supervisor (a child subreaper, prctl(2)); the child then ties its life to the supervisor's by
PR_SET_PDEATHSIG. So the death of this process ends nobody, and that of the supervisor everybody.

This module must import fast and little: it is the first thing a new zygote runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TextIO

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
MAX_REQUEST_BYTES = 64 * 1024
MAX_FDS = 16
NAME_BYTES = 15  # TASK_COMM_LEN less the terminator
STREAMS = ("boot", "words", "stdout", "stderr")  # the descriptors that every child gets

# What workers and the gateway share. Each module is preloaded on its own: one that cannot be
# imported spoils only those who need it.
BASE = ("uvloop", "zmq", "orjson", "msgspec", "ipc.plainlog", "aiomultiprocess.core")
# The last is where the class of the pickled process object lives: imported in each child it
# would cost every one of them 2.6 MiB and some milliseconds.
OURS = ("workers.process.worker", "runtime.gateway.main", "runtime.zygote.forked")

Say = Callable[[str, str], None]
Main = Callable[[bytes, dict[str, int], Say], Awaitable[int]]

_libc = ctypes.CDLL(None, use_errno=True)
_held = ctypes.PyDLL(None, use_errno=True)  # does not let go of the interpreter's lock
_fds: dict[str, int] = {}  # in a child: its inherited descriptors by name


def prctl(option: int, argument: Any) -> None:
    """Call prctl(2) with one argument; raises ``OSError``."""
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(fd: int, supervisor: int) -> None:
    """Serve requests on the socket ``fd`` until the supervisor is gone."""
    os.setsid()  # Ctrl-C is for the supervisor
    die_with(supervisor)
    prctl(PR_SET_NAME, b"tl zygote")
    requests = socket.socket(fileno=fd)
    requests.set_inheritable(False)
    _preload([*BASE, *OURS])
    while True:
        message, fds, _, _ = socket.recv_fds(requests, MAX_REQUEST_BYTES, MAX_FDS)
        if not message:
            os._exit(0)
        request = json.loads(message)
        if request["kind"] == "preload":
            _preload(request["modules"])
            continue
        try:
            pid = _fork_twice(requests, request, fds, supervisor)
            reply = struct.pack("q", pid)
        except OSError as error:  # EAGAIN: no more processes; the supervisor backs off
            reply = f"fork: {error.strerror}".encode()
        for each in fds:
            os.close(each)
        requests.send(reply)


def die_with(supervisor: int) -> None:
    """End when the supervisor ends; end now when it already has."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)


def _preload(modules: list[str]) -> None:
    gc.disable()  # imports make hardly any garbage, and to look for it takes a tenth of the time
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001 - an SDK may raise anything, SystemExit too
            sys.stderr.write(f"zygote: {module} is not preloaded: {error!r}\n")
    gc.collect()
    gc.enable()
    gc.freeze()  # what is shared stays shared: no collection touches it in a child


def _fork_twice(
    requests: socket.socket, request: dict[str, Any], fds: list[int], supervisor: int
) -> int:
    """Return the pid of the new child; raises ``OSError`` when there can be none."""
    reader, writer = os.pipe()
    try:
        between = _plain_fork()
        if between == 0:
            with contextlib.suppress(BaseException):
                middle = os.getpid()
                child = os.fork()
                if child == 0:
                    os.close(reader)
                    os.close(writer)
                    requests.close()
                    _become(request, fds, middle, supervisor)
                os.write(writer, struct.pack("q", child))
            os._exit(0)
        os.waitpid(between, 0)
        os.close(writer)
        writer = -1
        answer = os.read(reader, 8)
        if len(answer) != 8:
            raise BlockingIOError(11, "no process to be had")
        pid: int = struct.unpack("q", answer)[0]
        return pid
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def _plain_fork() -> int:
    """Fork as fork(3) does; raises ``OSError``. For the process between two forks alone.

    Python's own would first do in it what logging, random and threading want done in every
    child: that takes longer than all that it lives for.
    """
    pid: int = _held.fork()
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pid


def _become(request: dict[str, Any], fds: list[int], middle: int, supervisor: int) -> None:
    """Be the child: adopted, in a session of its own, with its own streams. Never returns."""
    code = 1
    try:
        await_adoption(middle, supervisor)
        names = [*STREAMS, *request["fds"]]
        settle(dict(zip(names, fds, strict=True)), request["name"], request["env"])
        code = _run_pickled(_fds["boot"])
    except BaseException:  # noqa: BLE001 - the last frame before the end of the process
        traceback.print_exc()
    finally:
        end(code)


def await_adoption(middle: int, supervisor: int) -> None:
    """Be the supervisor's child once the process between, ``middle``, has ended; end with it.

    When the supervisor has died meanwhile, somebody else has adopted us: then this is the end.
    """
    while os.getppid() == middle:  # it is about to end: a few microseconds
        os.sched_yield()
    die_with(supervisor)


def settle(fds: dict[str, int], name: str, env: dict[str, str]) -> None:
    """Make the process a child of ours: session, signals, streams, name, environment."""
    os.setsid()
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # what it starts is found when it ends: see ``Launcher``
    prctl(PR_SET_NAME, name.encode()[:NAME_BYTES])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(fds["stdout"], 1)
    os.dup2(fds["stderr"], 2)
    for each in (null, fds.pop("stdout"), fds.pop("stderr")):
        os.close(each)
    for each in fds.values():
        os.set_inheritable(each, False)
    os.environ.update(env)
    sys.stdout, sys.stderr = _text(1), _text(2)
    _fds.clear()
    _fds.update(fds)


def _text(fd: int) -> TextIO:
    """Return a stream that passes on each line at once, whatever is in it."""
    return open(fd, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)


def _run_pickled(fd: int) -> int:
    """Run the ``multiprocessing`` process object that comes through the pipe."""
    from multiprocessing import spawn

    code: int = spawn._main(fd, os.dup(fd))
    return code


def end(code: int) -> None:
    """End without the parent's exit handlers, but with what was printed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


async def run(target: str, payload: bytes) -> None:
    """Await ``target`` (``package.module:coroutine``) and end the process with its exit code.

    Whatever it raises is printed, and said as ``failed`` through the pipe for last words. It
    ends here, because Python would wait for threads of a plugin, which may be stuck.
    """
    code = 1
    words = _fds["words"]
    fds = {name: fd for name, fd in _fds.items() if name not in STREAMS}

    def say(cause: str, text: str) -> None:
        line = json.dumps({"cause": cause, "text": text[:2000]}).encode()
        with contextlib.suppress(OSError):
            os.write(words, line + b"\n")

    try:
        module, _, name = target.partition(":")
        coroutine: Main = getattr(importlib.import_module(module), name)
        code = await coroutine(payload, fds, say)
    except BaseException as error:  # noqa: BLE001 - reported in full, then the process ends
        traceback.print_exc()
        say("failed", f"{type(error).__name__}: {error}")
    finally:
        end(code)


async def nothing(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Do nothing, which shows that what is forked here lives: a target for ``run``."""
    return 0


def exec_main(supervisor: int, names: str, env: str, name: str, target: str) -> None:
    """Be a child that shares nothing: the entry point of ``launcher: "exec"``.

    ``names`` are ``name=fd`` pairs; the payload comes through the ``boot`` pipe.
    """
    die_with(supervisor)  # before the imports: they take long enough to be left behind

    import asyncio

    import uvloop

    import ipc.plainlog  # noqa: F401 - before anything imports structlog

    fds = {pair.split("=")[0]: int(pair.split("=")[1]) for pair in names.split(",")}
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_NAME, name.encode()[:NAME_BYTES])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(json.loads(env))
    _fds.update(fds)
    for each in fds.values():
        os.set_inheritable(each, False)
    with open(fds["boot"], "rb") as boot:
        payload = boot.read()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(target, payload))


def exec_command(supervisor: int, names: str) -> None:
    """Become a foreign program: the entry point of ``Spec.command``. Never returns.

    It is tied to the supervisor and in a session of its own like every child. Which program,
    and its environment, come through the ``boot`` pipe; of our descriptors it gets none.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # kept over execve(2), like the subreaper's mark
    if os.getppid() != supervisor:
        os._exit(1)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    fds = {pair.split("=")[0]: int(pair.split("=")[1]) for pair in names.split(",")}
    for each in fds.values():
        os.set_inheritable(each, False)
    with open(fds["boot"], "rb") as boot:
        wanted = json.loads(boot.read())
    command: list[str] = wanted["command"]
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # what Python ignores for itself
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment = {**os.environ, **wanted["env"]}
    del environment["PYTHONPATH"]  # it leads to us
    if wanted["path"] is not None:
        environment["PYTHONPATH"] = wanted["path"]
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - the operator's own command
    except OSError as error:
        text = f"{command[0]}: {error.strerror}"
        line = json.dumps({"cause": "misconfigured", "text": text}).encode()
        os.write(fds["words"], line + b"\n")
        sys.stderr.write(f"{text}\n")
        end(78)
