"""Describes the machine on which a result was measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LIBRARIES = ("uvloop", "pyzmq", "websockets", "msgspec", "orjson", "aiohttp", "aiomultiprocess")


def describe() -> dict[str, Any]:
    """Return the machine, the versions, the load average and the git revision."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memoryGiB": round(_memory_bytes() / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "node": _first_line("node", "--version"),
        "compiler": _first_line("cc", "--version"),
        "loadAverage": [round(value, 2) for value in os.getloadavg()],
        "revision": revision(),
    }


def revision(root: Path = ROOT) -> str:
    """Return the checked-out commit, marked if files other than results differ from it."""
    git = ("git", "-C", str(root))
    head = _first_line(*git, "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _first_line(*git, "status", "--porcelain", "-uno", "--", ".", ":!docs/bench")
    return f"{head}+changes" if changed else head


def sentence(machine: dict[str, Any]) -> str:
    """Return the description as one paragraph of text."""
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    load = " ".join(f"{value:g}" for value in machine["loadAverage"])
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memoryGiB']} GiB, "
        f"Linux {machine['kernel']}, Python {machine['python']}, {libraries}, "
        f"Node {machine['node'] or 'absent'}; load average before the run {load}; "
        f"revision {machine['revision']}, {machine['at']}."
    )


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _first_line(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip() or None
