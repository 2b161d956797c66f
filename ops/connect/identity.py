"""Returns the installed version, and the description of this client for servers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def own_version() -> str:
    """Return the version of the installed distribution, or ``0+source`` from a bare checkout."""
    from importlib.metadata import PackageNotFoundError  # 12 ms
    from importlib.metadata import version as installed

    try:
        return installed("trunkline")
    except PackageNotFoundError:
        return "0+source"


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
