"""Returns the installed version, and the description of this client for servers."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=1)
def own_version() -> str:
    """Return the version of the installed distribution, or ``0+source`` from a bare checkout.

    As an installer leaves it (core metadata, 2.1), it lies in a folder of the path: there it is
    read. Of what is installed otherwise the library knows, which takes 12 ms and 1 MiB.
    """
    if version := _version_in_folders():
        return version
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("trunkline")
    except PackageNotFoundError:
        return "0+source"


def _version_in_folders() -> str | None:
    """Return the version that the first folder of the path with a description of ours names."""
    for folder in sys.path:
        for info in Path(folder).glob("trunkline-*.dist-info"):
            try:
                lines = (info / "METADATA").read_text("utf-8").splitlines()
            except (OSError, ValueError):
                return None
            head = lines[: lines.index("")] if "" in lines else lines
            for line in head:
                if line.startswith("Version: "):
                    return line.removeprefix("Version: ").strip()
    return None


def client_description(id: str, mode: str) -> dict[str, Any]:
    """Return the field ``client`` of ``connect``; OpenClaw's schema lists valid ids and modes."""
    import platform

    return {
        "id": id,
        "version": own_version(),
        "platform": platform.system().lower(),
        "mode": mode,
        "displayName": "trunkline",
    }
