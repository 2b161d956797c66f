"""Runs the microbenchmarks of ``bench/pieces`` under pytest-benchmark and makes one table."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.machine import ROOT
from bench.measuring.figures import table
from tests.support.short_directory import ShortDirectory

PIECES = "bench/pieces"
LAST = 4000  # characters of each output, when it fails


def run(quick: bool = True) -> list[dict[str, Any]]:
    """Return name, median and spread (microseconds) of each piece; raises when one failed."""
    with ShortDirectory() as place:
        file = place / "pieces.json"
        most = "0.3" if quick else "1.0"
        done = subprocess.run(
            [
                sys.executable, "-m", "pytest", PIECES, "-q", "-p", "no:cacheprovider",
                f"--benchmark-json={file}", f"--benchmark-max-time={most}",
            ],
            cwd=ROOT, check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            # A test that fails is on stdout, a plugin or an option that is missing on stderr.
            said = "\n".join(text[-LAST:] for text in (done.stdout, done.stderr) if text)
            raise RuntimeError(f"the pieces failed (exit code {done.returncode}):\n{said}")
        found = json.loads(file.read_text())["benchmarks"]
    return [
        {
            "piece": each["name"].removeprefix("test_").replace("_", " "),
            "medianUs": each["stats"]["median"] * 1e6,
            "iqrUs": each["stats"]["iqr"] * 1e6,
            "rounds": each["stats"]["rounds"],
        }
        for each in found
    ]


def report(pieces: list[dict[str, Any]]) -> str:
    """Return the table."""
    rows = [
        (each["piece"], _time(each["medianUs"]), _time(each["iqrUs"]), str(each["rounds"]))
        for each in pieces
    ]
    return table(("piece", "median", "quartiles apart", "rounds"), rows)


def _time(us: float) -> str:
    if us < 1000:
        return f"{us:.3g} µs"
    return f"{us / 1000:.3g} ms"
