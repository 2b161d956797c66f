"""A worker's figures, of a process that has nothing left."""

from __future__ import annotations

import subprocess
import sys

from workers.process import figures


def test_the_figures_are_those_of_this_process() -> None:
    assert figures.rss_bytes() > 1_000_000
    assert figures.cpu() > 0
    before = figures.open_files()
    with open("/dev/null", "rb"):
        assert figures.open_files() == before + 1


def test_a_process_without_free_descriptors_still_has_figures() -> None:
    script = """
import os, resource
from workers.process import figures
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        os.open("/dev/null", os.O_RDONLY)
except OSError:
    print(figures.open_files(), figures.rss_bytes() > 1_000_000)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "64 True\n", done.stderr
