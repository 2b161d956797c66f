"""Coroutines for processes of tests: the ``target`` of a ``Spec``."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from ipc.helpers import start_helper
from runtime.zygote.prctl import PR_SET_DUMPABLE, prctl
from workers.secrets import reveal

Say = Callable[..., None]  # as runtime.zygote.child passes it


async def leave(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Return the exit code in ``payload``."""
    return int(payload)


async def say_and_leave(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Report several reasons, of which the last one counts, and return 78."""
    say("transient", "not yet the last word")
    say("misconfigured", "bad nick: ж", True)
    return 78


async def ask_for_time(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Report the wait that the platform requested (``payload``, JSON), and return 75."""
    say("transient", "flood wait", retry_after=json.loads(payload))
    return 75


async def stay(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Stay until a signal ends the process."""
    print("here", flush=True)
    await asyncio.Event().wait()
    return 0


async def stop_politely(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Return 0 after SIGTERM."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    print("here", flush=True)
    await asked.wait()
    say("transient", "asked to stop")
    return 0


async def be_deaf(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Ignore SIGTERM and block the loop for good."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("here", flush=True)
    time.sleep(3600)  # noqa: ASYNC251 — that is the fault
    return 0


async def eat_memory(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Allocate megabytes until it is killed; 1 GiB at most."""
    eaten = []
    for _ in range(1024):
        eaten.append(b"x" * 2**20)
        await asyncio.sleep(0.005)
    return 0


async def fail(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Raise an unexpected exception."""
    raise KeyError(payload.decode())


async def exit_by_itself(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Call ``exit``, as a library might."""
    os._exit(int(payload))


async def keep_a_thread(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Return while a thread is blocked forever."""
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return 3


async def write_there(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Write the payload to the inherited descriptor ``out``."""
    os.write(fds["out"], payload)
    return 0


async def count_payload(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Print how long the payload is."""
    print(len(payload), flush=True)
    return 0


async def describe(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Print what kind of process this is, as JSON."""
    print(json.dumps(_description()), flush=True)
    return 0


async def environment(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Print the environment as JSON: ours, as the kernel shows it, and of a helper of ours."""
    helper = start_helper(["env", "-0"], stdout=subprocess.PIPE)
    printed, _ = helper.communicate()
    prctl(PR_SET_DUMPABLE, 1)  # an ordinary user's file cannot be opened otherwise (proc(5))
    seen = {
        "environ": dict(os.environ),
        "kernel": await asyncio.to_thread(Path("/proc/self/environ").read_text),
        "helper": printed.decode(),
        "command": reveal({"source": "exec", "id": "env"}),
    }
    print(json.dumps(seen), flush=True)
    return 0


def _description() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "group": os.getpgrp(),
        "fds": {
            fd: os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}")
        },
        "env": {k: v for k, v in os.environ.items() if k.startswith("TRUNKLINE")},
        "stdin": os.readlink("/proc/self/fd/0"),
        "sigint_ignored": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "name": Path("/proc/self/comm").read_text().strip(),
        "uvloop": isinstance(asyncio.get_running_loop(), uvloop.Loop),
        "main": sorted(m for m in sys.modules if m.startswith(("pytest", "_pytest"))),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "threads": len(os.listdir("/proc/self/task")),
    }


def _sleeper(*, new_session: bool) -> int:
    sleeper = subprocess.Popen(["sleep", "3600"], start_new_session=new_session)
    sleeper.returncode = 0  # nobody waits for it
    return sleeper.pid


async def leave_grandchildren(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Start a process in the group, one in its own session and one by fork; then die."""
    forked = os.fork()
    if forked == 0:
        os.setsid()
        time.sleep(3600)  # noqa: ASYNC251 — another process than the loop's
    print(_sleeper(new_session=False), _sleeper(new_session=True), forked, flush=True)
    if payload == b"stay":
        await asyncio.Event().wait()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


async def plugin_version(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Print the ``version`` of the module in ``payload``, ``none`` where it is not imported."""
    print(getattr(sys.modules.get(payload.decode()), "version", "none"), flush=True)
    return 0
