"""Forks that live, and such as what was imported before ends: in interpreters of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HANDLERS = {
    "nothing": ("", True),
    "one that ends every fork": (
        "os.register_at_fork(after_in_child=lambda: os._exit(3))",
        False,
    ),
    "one that spares the children of who registered it": (
        "me = os.getpid()\n"
        "os.register_at_fork(after_in_child=lambda: os.getppid() == me or os._exit(4))",
        False,
    ),
    "one that kills every fork": (
        "os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), 9))",
        False,
    ),
    "one that raises": ("os.register_at_fork(after_in_child=lambda: 1 / 0)", True),
}


@pytest.mark.parametrize("handler", HANDLERS)
def test_what_breaks_a_fork_is_found_before_it_matters(handler: str) -> None:
    code, survives = HANDLERS[handler]
    script = f"import os\nfrom runtime.zygote.forking import forks_survive\n{code}\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}print(forks_survive())"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.stdout == f"{survives}\n"  # once: no fork comes back here


HELD_FORK = """
import os, signal, socket, struct
from runtime.zygote.forking import answer_fork
from runtime.zygote.prctl import set_subreaper

set_subreaper()
held, _ = os.pipe()
os.register_at_fork(after_in_child=lambda: os.read(held, 1))  # it does nothing by itself
ours, theirs = socket.socketpair()
answer_fork(theirs, {}, [], os.getpid(), lambda *_: 0)
(pid,) = struct.unpack("q", ours.recv(8))
print(os.getpgid(pid) != os.getpgrp(), os.getsid(pid) != os.getsid(0))
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
"""


def test_a_fork_has_left_the_process_group_of_its_zygote_before_it_runs() -> None:
    """A zygote is ended with its group, perhaps as soon as it has answered."""
    done = subprocess.run(
        [sys.executable, "-c", HELD_FORK],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.returncode, done.stdout) == (0, "True True\n")
