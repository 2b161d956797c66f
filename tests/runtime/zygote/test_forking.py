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
