"""Turns a new process into a child of the supervisor, and runs its target.

Three ways lead here: a fork of the zygote (``run_child``), an interpreter of its own
(``exec_main``, ``launcher: "exec"``), and a program that is not ours (``exec_command``).

The zygote imports this before it is ready, and an exec child before anything else, so imports
that only one of the ways needs are inside its functions.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TextIO

from runtime.zygote.prctl import die_with, forbid_inspection, set_name, set_subreaper

MAX_REQUEST_BYTES = 64 * 1024  # of a request to fork, with the variables of the child's secrets
STREAMS = ("boot", "words", "stdout", "stderr")  # the descriptors that every child gets


class Say(Protocol):
    """Writes the cause and text of this process's end to the pipe for last words.

    ``final``: trying again cannot help. ``retry_after``: the seconds that the platform asked to
    wait.
    """

    def __call__(
        self, cause: str, text: str, final: bool = False, retry_after: float | None = None
    ) -> None:
        """Write the last words; a pipe that cannot take them is ignored."""


Main = Callable[[bytes, dict[str, int], Say], Awaitable[int]]
# What a fork does, with its request, its descriptors and the supervisor's pid; its exit code.
ForkMain = Callable[[dict[str, Any], dict[str, int], int], int]

_fds: dict[str, int] = {}  # the inherited descriptors by name


def run_child(
    request: dict[str, Any], fds: list[int], middle: int, supervisor: int, run: ForkMain
) -> None:
    """Run a fork of a zygote as the child that ``request`` describes; never returns."""
    code = 1
    try:
        await_adoption(middle, supervisor)
        names = [*STREAMS, *request["fds"]]
        set_up(dict(zip(names, fds, strict=True)), request["name"], request["env"])
        code = run(request, _fds, supervisor)
    except BaseException:  # noqa: BLE001 - the last frame before the end of the process
        traceback.print_exc()
    finally:
        exit_now(code)


def await_adoption(middle: int, supervisor: int) -> None:
    """Wait until the supervisor has adopted this process, then make it die with the supervisor.

    ``middle`` is the intermediate process of the double fork, whose end makes this one an orphan.
    If another process has adopted it, the supervisor has died, and it exits with 1.
    """
    while os.getppid() == middle:  # it is about to end: a few microseconds
        os.sched_yield()
    die_with(supervisor)


def set_up(fds: dict[str, int], name: str, env: dict[str, str]) -> None:
    """Set up a fork's own session, signals, streams, name and environment."""
    os.setsid()
    set_name(name.encode())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(fds["stdout"], 1)
    os.dup2(fds["stderr"], 2)
    for each in (null, fds.pop("stdout"), fds.pop("stderr")):
        os.close(each)
    _inherit(fds)
    os.environ.update(env)
    sys.stdout, sys.stderr = _text(1), _text(2)


def _inherit(fds: dict[str, int]) -> None:
    """Remember the inherited descriptors, and close them in programs that this process starts."""
    for each in fds.values():
        os.set_inheritable(each, False)
    _fds.clear()
    _fds.update(fds)


def _text(fd: int) -> TextIO:
    """Return a line-buffered text stream that replaces characters that UTF-8 cannot encode."""
    return open(fd, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)


def run_pickled(request: dict[str, Any], fds: dict[str, int], supervisor: int) -> int:
    """Run the pickled ``multiprocessing`` process object that the pipe ``boot`` delivers."""
    from multiprocessing import spawn

    set_subreaper()  # what it starts is found when it ends: see ``Sweep``
    fd = fds["boot"]
    code: int = spawn._main(fd, os.dup(fd))
    return code


def exit_now(code: int) -> None:
    """Flush the output and end the process without running the parent's exit handlers."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


async def run(target: str, payload: bytes) -> None:
    """Await ``target`` (``package.module:coroutine``), then end the process with its exit code.

    An exception is printed, and reported as ``failed`` through the pipe for last words. The
    process ends here, because Python's own exit would wait for a plugin's threads, which may hang.
    """
    code = 1
    words = _fds["words"]
    fds = {name: fd for name, fd in _fds.items() if name not in STREAMS}

    def report(
        cause: str, text: str, final: bool = False, retry_after: float | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            _write_last_words(words, cause, text, final, retry_after)

    try:
        module, _, name = target.partition(":")
        coroutine: Main = getattr(importlib.import_module(module), name)
        code = await coroutine(payload, fds, report)
    except BaseException as error:  # noqa: BLE001 - reported in full, then the process ends
        traceback.print_exc()
        report("failed", f"{type(error).__name__}: {error}")
    finally:
        exit_now(code)


def _write_last_words(
    fd: int, cause: str, text: str, final: bool = False, retry_after: float | None = None
) -> None:
    """Write why this process ends, as one line of JSON; raises ``OSError``."""
    words: dict[str, Any] = {"cause": cause, "text": text[:2000]}
    if final:
        words["final"] = True
    if retry_after is not None:
        words["retryAfter"] = retry_after
    os.write(fd, json.dumps(words).encode() + b"\n")


async def nothing(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Return 0 at once: the target of a probe, which shows that forked children can run."""
    return 0


def exec_main(supervisor: int, names: str, env: str, name: str, target: str) -> None:
    """Run ``target`` in an interpreter of its own: the entry point of ``launcher: "exec"``.

    ``names`` are ``name=fd`` pairs, ``env`` is a JSON object; the payload comes through the
    ``boot`` pipe.
    """
    forbid_inspection()  # before its secrets are read
    die_with(supervisor)  # before the imports: they take long enough to be left behind

    import asyncio

    import uvloop

    import ipc.plainlog  # noqa: F401 - before anything imports structlog

    set_subreaper()
    set_name(name.encode())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(json.loads(env))
    del sys.argv[1:]  # the mark of the run is for other processes
    _inherit(_named(names))
    with open(_fds["boot"], "rb") as boot:
        payload = boot.read()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(target, payload))


def exec_command(supervisor: int, names: str) -> None:
    """Replace this interpreter by a foreign program (``Spec.command``); never returns.

    Like every child it dies with the supervisor and is in a session of its own. The command and
    its environment come through the ``boot`` pipe; it inherits none of our descriptors.
    """
    die_with(supervisor)
    set_subreaper()
    _inherit(_named(names))
    with open(_fds["boot"], "rb") as boot:
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
        from ipc.frames.words import EXIT_CONFIG

        text = f"{command[0]}: {error.strerror}"
        _write_last_words(_fds["words"], "misconfigured", text)
        sys.stderr.write(f"{text}\n")
        exit_now(EXIT_CONFIG)


def _named(names: str) -> dict[str, int]:
    """Parse ``name=fd,name=fd`` into descriptors by name."""
    pairs = (pair.split("=") for pair in names.split(","))
    return {name: int(fd) for name, fd in pairs}
