"""The runtime that a command is for."""

from __future__ import annotations

import subprocess
import sys

from ops.connect.target import RuntimeTarget
from tests.support.commandline import ROOT


def test_without_a_url_this_host_is_meant() -> None:
    target = RuntimeTarget({"profile": "blue"})
    assert (target.given, target.url, target.token) == ({"profile": "blue"}, None, None)


def test_help_does_not_wait_for_the_runtime() -> None:
    code = (
        "import sys, ops.connect.target; sys.exit(any('runtime' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
